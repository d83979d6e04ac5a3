"""Algebraic functions of one argument, or of its exponential, enclosed in forms that do not cancel.

x/(1 + |x|), x + sqrt(x^2 + 1), x/sqrt(1 + x^2), e/(1 + e)^2 with e = exp(x): interval jets of their operations lose the
sign of the slope far out, where two large terms leave a small rest. Here the rest is computed exactly, as polynomials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, no_type_check

import numpy as np

from actlab.proofs import polynomials as poly
from actlab.proofs.derivatives import Four
from actlab.proofs.polynomials import Polynomial
from actlab.proofs.surds import Surd


@dataclass(frozen=True)
class Algebraic:
    """`right(z)` for z >= 0 and `left(z)` for z <= 0, with z the argument; or `right(exp(u))`."""

    right: Surd
    left: Surd
    of_exponential: bool = False

    @staticmethod
    def from_params(params: Mapping[str, Any]) -> Algebraic:
        """The function that the parameters of an equation name."""

        def surd(side: Mapping[str, Any]) -> Surd:
            return Surd(*(poly.from_text(side[k]) for k in "PQSD"))

        return Algebraic(surd(params["right"]), surd(params["left"]), params["of"] == "exp")

    def as_params(self) -> dict[str, Any]:
        """Plain data for the equation."""

        def side(s: Surd) -> dict[str, Any]:
            return {k: poly.as_text(getattr(s, k)) for k in "PQSD"}

        of = "exp" if self.of_exponential else "identity"
        return {"of": of, "right": side(self.right), "left": side(self.left)}

    @property
    def same_pieces(self) -> bool:
        """One formula on both sides of 0."""
        return self.of_exponential or self.right == self.left

    @property
    def joined(self) -> bool:
        """Both pieces have one value at 0."""
        zero = Fraction(0)
        return self.same_pieces or (self.right.at(zero) is not None and self.right.at(zero) == self.left.at(zero))

    @cached_property
    def _orders(self) -> tuple[tuple[Surd, ...], tuple[Surd, ...]]:
        return _derivatives(self.right, self.of_exponential), _derivatives(self.left, self.of_exponential)

    def wide(self, A: Any, u: Any) -> tuple[Four, np.ndarray]:
        """Enclosures of the function and three derivatives over u, and which piece: 1 right, 0 left, NaN both."""
        right, left = self._orders
        up, down = A.ge(u, 0.0), A.le(u, 0.0)
        piece = np.where(up, 1.0, np.where(down, 0.0, np.nan))
        if self.same_pieces:
            return tuple(self._value(A, s, u) for s in right), np.ones_like(piece)  # pyright: ignore
        above, below = A.at_least(u, 0.0), A.at_most(u, 0.0)
        result = []
        for r, s in zip(right, left, strict=True):
            a, b = self._value(A, r, above), self._value(A, s, below)
            result.append(A.where(up, a, A.where(down, b, A.hull(a, b))))
        return tuple(result), piece  # pyright: ignore

    def at(self, A: Any, u: Any, piece: np.ndarray) -> Four:
        """The same at thin intervals, each of the piece that its box has."""
        right, left = self._orders
        if self.same_pieces:
            return tuple(self._value(A, s, u) for s in right)  # pyright: ignore
        result = []
        for r, s in zip(right, left, strict=True):
            a, b = self._value(A, r, u), self._value(A, s, u)
            result.append(A.where(piece == 1.0, a, A.where(piece == 0.0, b, A.hull(a, b))))
        return tuple(result)  # pyright: ignore

    def _value(self, A: Any, s: Surd, u: Any) -> Any:
        """One surd over u: in z near 0, in 1/z far out."""
        far = A.ge(u, 0.0 if self.of_exponential else 1.0) | (A.le(u, -1.0) & (not self.of_exponential))
        near = A.constant(0.0, A.shape(u))
        if far.all():
            return self._far(A, s, u)
        inside = A.where(far, near, u) if far.any() else u
        result = _near(A, s, A.increasing("exp", inside) if self.of_exponential else inside)
        if far.any():
            outside = A.where(far, u, A.constant(1.0, A.shape(u)))
            result = A.where(far, self._far(A, s, outside), result)
        return result

    def _far(self, A: Any, s: Surd, u: Any) -> Any:
        if self.of_exponential:
            t = A.decreasing("exp_neg", u)
            return _reversed(A, s, t, A.ge(u, 0.0))
        return _reversed(A, s, A.div(A.constant(1.0, A.shape(u)), u), A.ge(u, 0.0))


@no_type_check
def _derivatives(s: Surd, of_exponential: bool) -> tuple[Surd, ...]:
    orders = [s]
    for _ in range(3):
        orders.append(orders[-1].derivative(of_exponential))
    return tuple(orders)


@no_type_check
def _polynomial(A: Any, p: Polynomial, powers: list[Any]) -> Any:
    """The sum of terms: exact in sign where all coefficients have one."""
    shape = A.shape(powers[0])
    total = A.constant(0.0, shape)
    for a, power in zip(p, powers, strict=False):
        if a:
            term = A.rational(a.numerator, a.denominator, shape)
            total = A.add(total, A.mul(term, power))
    return total


@no_type_check
def _powers(A: Any, z: Any, highest: int) -> list[Any]:
    return [A.power(z, k) for k in range(highest + 1)]


@no_type_check
def _near(A: Any, s: Surd, z: Any) -> Any:
    norm = s.norm
    powers = _powers(A, z, max(s.size, poly.degree(norm), 0))
    P, D = (_polynomial(A, p, powers) for p in (s.P, s.D))
    if not s.Q:
        return A.div(P, D)
    Q = A.mul(_polynomial(A, s.Q, powers), A.sqrt(_polynomial(A, s.S, powers)))
    plain = A.div(A.add(P, Q), D)
    if not s.P:
        return plain
    common = poly.gcd(norm, s.D)  # a zero that the conjugate brought in: the function itself has none there
    norm, rest = (poly.divided(p, common)[0] for p in (norm, s.D))
    bottom = A.mul(A.sub(P, Q), _polynomial(A, rest, powers))
    return A.meet(plain, A.div(_polynomial(A, norm, powers), bottom))


@no_type_check
def _reversed(A: Any, s: Surd, t: Any, positive: np.ndarray) -> Any:
    """With t = 1/z: each polynomial is a power of z times one in t, and the powers are collected in front."""
    half = poly.degree(s.S) // 2
    n, d = max(poly.degree(s.P), poly.degree(s.Q) + half if s.Q else -1), poly.degree(s.D)
    if n < 0:
        return A.constant(0.0, A.shape(t))
    norm = s.norm
    powers = _powers(A, t, max(n, d, poly.degree(norm), 2 * half, 0))
    top, bottom = _backwards(A, s.P, n, powers), _backwards(A, s.D, d, powers)
    if not s.Q:
        return A.mul(_power_of_z(A, t, n - d), A.div(top, bottom))
    root = A.mul(_backwards(A, s.Q, n - half, powers), A.sqrt(_backwards(A, s.S, 2 * half, powers)))
    if half % 2:  # sqrt(z^2) is -z for z < 0
        root = A.where(positive, root, A.neg(root))
    plain = A.mul(_power_of_z(A, t, n - d), A.div(A.add(top, root), bottom))
    if not s.P:
        return plain
    r = poly.degree(norm)
    conjugate = A.div(_backwards(A, norm, r, powers), A.mul(A.sub(top, root), bottom))
    return A.meet(plain, A.mul(_power_of_z(A, t, r - n - d), conjugate))


@no_type_check
def _backwards(A: Any, p: Polynomial, n: int, powers: list[Any]) -> Any:
    """p(z) / z^n as a polynomial in t."""
    padded = [*p, *[Fraction(0)] * (n + 1 - len(p))]
    return _polynomial(A, tuple(reversed(padded)), powers)


@no_type_check
def _power_of_z(A: Any, t: Any, k: int) -> Any:
    if k <= 0:
        return A.power(t, -k)
    return A.power(A.div(A.constant(1.0, A.shape(t)), t), k)
