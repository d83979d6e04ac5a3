"""The field of functions (P + Q sqrt(S)) / D with rational polynomials in one variable z, and its derivation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import no_type_check

from actlab.proofs import polynomials as poly
from actlab.proofs.polynomials import ONE, ZERO, Polynomial, Z


@no_type_check
@dataclass(frozen=True)
class Surd:
    """(P + Q sqrt(S)) / D; a rational function where Q is 0."""

    P: Polynomial
    Q: Polynomial = ZERO
    S: Polynomial = ZERO
    D: Polynomial = ONE

    @property
    def is_polynomial(self) -> bool:
        """Neither root nor denominator."""
        return not self.Q and poly.degree(self.D) == 0

    @property
    def size(self) -> int:
        """The largest degree."""
        return max(poly.degree(p) for p in (self.P, self.Q, self.S, self.D))

    @property
    def norm(self) -> Polynomial:
        """P^2 - Q^2 S: the product of P + Q sqrt(S) and its conjugate."""
        return poly.sub(poly.mul(self.P, self.P), poly.mul(poly.mul(self.Q, self.Q), self.S))

    def common(self) -> Polynomial:
        """The factors of all parts."""
        return poly.gcd(poly.gcd(self.P, self.Q) if self.Q else self.P, self.D) if self.P or self.Q else self.D

    def reduced(self) -> Surd:
        """Without common factors, the denominator of leading coefficient 1."""
        common = self.common()
        P, Q, D = (poly.divided(p, common)[0] for p in (self.P, self.Q, self.D))
        lead = 1 / D[-1]
        return Surd(poly.scale(P, lead), poly.scale(Q, lead), self.S if Q else ZERO, poly.scale(D, lead))

    def derivative(self, of_exponential: bool = False) -> Surd:
        """The derivative by z, or by u where z = exp(u)."""
        P, Q, S, D = self.P, self.Q, self.S, self.D
        dP, dQ, dS, dD = (poly.derivative(p) for p in (P, Q, S, D))
        if not Q:
            result = Surd(poly.sub(poly.mul(dP, D), poly.mul(P, dD)), D=poly.mul(D, D))
        else:
            twice = poly.scale(S, 2)
            rational = poly.mul(twice, poly.sub(poly.mul(dP, D), poly.mul(P, dD)))
            root = poly.mul(poly.add(poly.mul(twice, dQ), poly.mul(Q, dS)), D)
            root = poly.sub(root, poly.mul(twice, poly.mul(Q, dD)))
            result = Surd(rational, root, S, poly.mul(twice, poly.mul(D, D)))
        if of_exponential:
            result = Surd(poly.mul(Z, result.P), poly.mul(Z, result.Q), result.S, result.D)
        return result.reduced()

    def at(self, z: Fraction) -> Fraction | None:
        """The value, where it is rational and defined."""
        bottom = poly.value(self.D, z)
        if bottom == 0:
            return None
        root = Fraction(0)
        if self.Q:
            found = exact_root(poly.value(self.S, z))
            if found is None:
                return None
            root = poly.value(self.Q, z) * found
        return (poly.value(self.P, z) + root) / bottom

    def mirrored(self) -> Surd:
        """The function of -z."""
        return Surd(*(poly.mirrored(p) for p in (self.P, self.Q, self.S, self.D)))


@no_type_check
def constant(value: Fraction | float | int) -> Surd:
    """A number, exactly."""
    value = Fraction(value)
    return Surd((value,) if value else ZERO)


@no_type_check
def exact_root(value: Fraction) -> Fraction | None:
    """The square root, where it is rational."""
    if value < 0:
        return None
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    return Fraction(top, bottom) if top * top == value.numerator and bottom * bottom == value.denominator else None


@no_type_check
def _common_root(a: Surd, b: Surd) -> Polynomial | None:
    """The S of both; None where they have different ones."""
    if a.Q and b.Q and a.S != b.S:
        return None
    return a.S if a.Q else b.S


@no_type_check
def add(a: Surd, b: Surd) -> Surd | None:
    """The sum a + b, where their roots are of one polynomial; not reduced."""
    S = _common_root(a, b)
    if S is None:
        return None
    P = poly.add(poly.mul(a.P, b.D), poly.mul(b.P, a.D))
    return Surd(P, poly.add(poly.mul(a.Q, b.D), poly.mul(b.Q, a.D)), S, poly.mul(a.D, b.D))


@no_type_check
def neg(a: Surd) -> Surd:
    """-a."""
    return Surd(poly.scale(a.P, -1), poly.scale(a.Q, -1), a.S, a.D)


@no_type_check
def mul(a: Surd, b: Surd) -> Surd | None:
    """The product a b; not reduced."""
    S = _common_root(a, b)
    if S is None:
        return None
    P = poly.add(poly.mul(a.P, b.P), poly.mul(poly.mul(a.Q, b.Q), S))
    return Surd(P, poly.add(poly.mul(a.P, b.Q), poly.mul(a.Q, b.P)), S, poly.mul(a.D, b.D))


@no_type_check
def inverse(a: Surd) -> Surd | None:
    """1 / a, by the conjugate, not reduced; None of 0."""
    norm = a.norm
    if not norm:
        return None
    return Surd(poly.mul(a.P, a.D), poly.scale(poly.mul(a.Q, a.D), -1), a.S, norm)


@no_type_check
def sqrt(a: Surd) -> Surd | None:
    """The root of a polynomial of even degree up to 4 over a positive number."""
    if a.Q or poly.degree(a.D) != 0 or a.D[0] <= 0:
        return None
    S = poly.scale(a.P, 1 / a.D[0])
    if poly.degree(S) == 0:
        root = exact_root(S[0])
        return None if root is None else constant(root)
    return Surd(ZERO, ONE, S) if poly.degree(S) in (2, 4) and S[-1] > 0 else None
