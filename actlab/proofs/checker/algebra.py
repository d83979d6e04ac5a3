"""The checker's algebraic functions (P + Q sqrt S)/D of x: exact derivatives, exact extrema.

Derivatives stay in the class and their zeros are among the roots of P^2 - Q^2 S, which Sturm sequences isolate in
exact rational arithmetic. So a range is the hull of finitely many values, as far out as float32 reaches. Shares no
code with the prover.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, no_type_check

from mpmath import libmp
from mpmath.libmp import fone, fzero

from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.intervals import WHOLE, Interval, Number, lt

if TYPE_CHECKING:
    Polynomial = tuple[Fraction, ...]
else:  # see `intervals`
    Polynomial = Any
"""Coefficients from the constant upwards; the last is not 0."""
NONE: Polynomial = ()
IDENTITY: Polynomial = (Fraction(0), Fraction(1))


@no_type_check
def polynomial(coefficients: list[Fraction] | tuple[Fraction, ...]) -> Polynomial:
    """Without zeros at the top."""
    found = list(coefficients)
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)


@no_type_check
def plus(a: Polynomial, b: Polynomial) -> Polynomial:
    """The sum a + b."""
    return polynomial([p + q for p, q in itertools.zip_longest(a, b, fillvalue=Fraction(0))])


@no_type_check
def times(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product a b."""
    found = [Fraction(0)] * max(0, len(a) + len(b) - 1)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            found[i + j] += p * q
    return polynomial(found)


@no_type_check
def by(a: Polynomial, factor: Fraction | int) -> Polynomial:
    """A multiple."""
    return polynomial([p * factor for p in a])


def differentiated(a: Polynomial) -> Polynomial:
    """The derivative."""
    return tuple(k * p for k, p in enumerate(a))[1:]


@no_type_check
def remainder(a: Polynomial, b: Polynomial) -> Polynomial:
    """Of the division of a by b, up to a positive factor."""
    rest = list(a)
    while len(rest) >= len(b):
        factor = rest[-1] / b[-1]
        for i in range(len(b)):
            rest[len(rest) - len(b) + i] -= factor * b[i]
        rest = list(polynomial(rest[:-1]))
    return _small(tuple(rest))


def _small(a: Polynomial) -> Polynomial:
    """Divided by the size of its leading coefficient, so that numbers stay short."""
    return tuple(p / abs(a[-1]) for p in a) if a else a


@no_type_check
def value(a: Polynomial, z: Fraction) -> Fraction:
    """a(z), exactly."""
    return functools.reduce(lambda total, p: total * z + p, reversed(a), Fraction(0))


def _quotient(a: Polynomial, b: Polynomial) -> Polynomial:
    rest, found = list(a), [Fraction(0)] * (len(a) - len(b) + 1)
    for k in reversed(range(len(found))):
        found[k] = rest[k + len(b) - 1] / b[-1]
        for i, p in enumerate(b):
            rest[k + i] -= found[k] * p
    return polynomial(found)


def _sturm(a: Polynomial) -> list[Polynomial]:
    chain = [_small(a), _small(differentiated(a))]
    while chain[-1]:
        chain.append(by(remainder(chain[-2], chain[-1]), -1))
    return chain[:-1]


def roots(a: Polynomial, lower: Fraction, upper: Fraction) -> list[tuple[Fraction, Fraction]]:
    """The real roots in (lower, upper): intervals of relative width 2^-200, or points where a root is rational."""
    if len(a) < 2:
        return []
    chain = _sturm(a)
    if len(chain[-1]) > 1:  # the greatest common divisor with a': divide multiple roots out
        chain = _sturm(_quotient(a, chain[-1]))

    def changes(z: Fraction) -> int:
        signs = [s for p in chain if (s := value(p, z)) != 0]
        return sum((s > 0) != (t > 0) for s, t in itertools.pairwise(signs))

    found = _isolated(changes, lower, upper, changes(lower), changes(upper))
    return [_rational(chain[0], low, high) for low, high in found]


def _rational(a: Polynomial, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """The root as a point where it is a simple fraction: there an extremum is attained exactly."""
    simple = ((low + high) / 2).limit_denominator(2**60)
    return (simple, simple) if low <= simple <= high and value(a, simple) == 0 else (low, high)


def _isolated(changes, low: Fraction, high: Fraction, at_low: int, at_high: int):  # noqa: ANN001, ANN202
    """Bisects what holds a root, between equals in magnitude, until it is short."""
    stack = [(low, high, at_low, at_high)]
    while stack:
        low, high, at_low, at_high = stack.pop()
        if at_low == at_high:
            continue
        if high - low <= max(abs(low), abs(high)) / 2**200 or max(abs(low), abs(high)) < Fraction(1, 2**400):
            yield low, high
            continue
        middle = _between(low, high)
        at_middle = changes(middle)
        stack += [(low, middle, at_low, at_middle), (middle, high, at_middle, at_high)]


def _between(low: Fraction, high: Fraction) -> Fraction:
    if low < 0 < high:
        return Fraction(0)
    if low * high > 0 or 0 in (low, high):
        near, far = sorted((abs(low), abs(high)))
        near = near or far / 2**64
        sign = 1 if high > 0 else -1
        if far > 4 * near:
            bits = (_size(near) + _size(far)) // 2
            return sign * (Fraction(2) ** bits)
    return (low + high) / 2


def _size(a: Fraction) -> int:
    return a.numerator.bit_length() - a.denominator.bit_length()


@dataclass(frozen=True)
class Algebraic:
    """(P + Q sqrt S)/D of x."""

    p: Polynomial
    q: Polynomial = NONE
    s: Polynomial = NONE
    d: Polynomial = (Fraction(1),)
    of_exp: bool = False
    """Of z = exp(x) instead of x."""

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:  # once: fractions are slow to hash
        return hash((self.p, self.q, self.s, self.d, self.of_exp))

    def derivative(self, order: int) -> tuple[Polynomial, Polynomial]:
        """P_j and Q_j of the j-th derivative in x, whose denominator is S^j D^(j+1)."""
        return _derivative(self, order)

    def at(self, x: Number, order: int) -> Interval:
        """The derivative of this order at a number; the whole line at a pole."""
        z = iv.exp_at(x) if self.of_exp else (x, x)
        p, q = self.derivative(order)
        s, d = _at(self.s, z), _at(self.d, z)  # S counts only where there is a root
        below = d
        for _ in range(order):
            below = iv.mul(below, iv.mul(s, d) if self.q else d)
        above = _at(p, z)
        if q:
            root = iv.sqrt(s)
            if root is None:
                return WHOLE
            second = iv.mul(_at(q, z), root)
            direct = iv.add(above, second)
            if iv.sign_of(above) not in (None, iv.sign_of(second)):  # they cancel: by the conjugate instead
                norm = plus(times(p, p), by(times(times(q, q), self.s), -1))
                other = iv.div(_at(norm, z), iv.sub(above, second))
                direct = iv.intersect(direct, other or WHOLE)
            above = direct
        return iv.div(above, below) or WHOLE

    @functools.cached_property
    def extrema(self) -> tuple[tuple[Interval, ...], ...]:
        """Where the function and its first three derivatives may be extremal, or have a pole."""
        found = []
        for order in range(4):
            p, q = self.derivative(order + 1)
            norm = plus(times(p, p), by(times(times(q, q), self.s), -1)) if q else p
            found.append(tuple(self._zeros(norm)))
        return tuple(found)

    @functools.cached_property
    def poles(self) -> tuple[Interval, ...]:
        """Where D or S vanishes."""
        return tuple(self._zeros(self.d)) + (tuple(self._zeros(self.s)) if self.q else ())

    def _zeros(self, a: Polynomial) -> list[Interval]:
        reach = Fraction(2) ** 4096
        found = roots(a, Fraction(0) if self.of_exp else -reach, reach)
        intervals = [(_rounded(low, "f"), _rounded(high, "c")) for low, high in found]
        return [iv.log(z) for z in intervals if lt(fzero, z[0])] if self.of_exp else intervals


LARGEST = 6
"""Degrees beyond which a form is given up: what is evaluated step by step then is a polynomial approximation."""


OPERATIONS = {"add", "sub", "mul", "div", "neg", "sqrt", "square", "integer_pow"}


@no_type_check
@functools.lru_cache(1 << 12)
def form(op: str, data: int | None, side: int, *parts: Algebraic) -> Algebraic | None:
    """An operation on functions of this class where it stays in it: one root, small degrees."""
    of_exp = {a.of_exp for a in parts if a.q or len(a.p) > 1 or len(a.d) > 1}  # a constant is of either kind
    roots_of = {a.s for a in parts if a.q}
    if len(roots_of) > 1 or len(of_exp) > 1:
        return None
    s = next(iter(roots_of), NONE)
    found = _combined(op, data, 1 if of_exp == {True} else side, parts, s)
    degrees = (len(p) for p in (found.p, found.q, found.s, found.d)) if found else ()
    return replace(found, of_exp=of_exp == {True}) if found is not None and max(degrees) <= LARGEST + 1 else None


def _combined(op: str, data: int | None, side: int, parts: tuple[Algebraic, ...], s: Polynomial) -> Algebraic | None:
    a = parts[0]
    if op == "neg":
        return Algebraic(by(a.p, -1), by(a.q, -1), s, a.d)
    if op == "sqrt":
        return _rooted(a, side)
    if op == "integer_pow" and data is not None and 0 < abs(data) <= LARGEST:
        product = functools.reduce(lambda u, v: _product(u, v, s), [a] * abs(data))
        return product if data > 0 else _inverted(product, s)
    if op in ("square", "integer_pow"):
        return None
    b = parts[1]
    if op in ("add", "sub"):
        sign = 1 if op == "add" else -1
        p, q = (plus(times(u, b.d), by(times(v, a.d), sign)) for u, v in ((a.p, b.p), (a.q, b.q)))
        return _reduced(p, q, s, times(a.d, b.d))
    if op == "mul":
        return _product(a, b, s)
    inverse = _inverted(b, s)
    return None if inverse is None else _product(a, inverse, s)


def _product(a: Algebraic, b: Algebraic, s: Polynomial) -> Algebraic:
    p = plus(times(a.p, b.p), times(times(a.q, b.q), s))
    return _reduced(p, plus(times(a.p, b.q), times(a.q, b.p)), s, times(a.d, b.d))


def _inverted(a: Algebraic, s: Polynomial) -> Algebraic | None:
    if not a.q:
        return _reduced(a.d, NONE, NONE, a.p) if a.p else None
    norm = plus(times(a.p, a.p), by(times(times(a.q, a.q), s), -1))
    return _reduced(times(a.d, a.p), by(times(a.d, a.q), -1), s, norm) if norm else None


def _rooted(a: Algebraic, side: int) -> Algebraic | None:
    """The root of a quotient of polynomials c z^2k S/z^2m, where it is known on which side of 0 the box lies."""
    if a.q or not a.p:
        return None
    top, bottom = _powers_of_z(a.p), _powers_of_z(a.d)
    shift = top - bottom
    if len(a.d) != bottom + 1 or shift % 2 or (shift and not side):
        return None
    s = by(a.p[top:], 1 / a.d[-1])
    outside = side ** (abs(shift) // 2) if shift else 1  # |z|^k
    monomial = times((Fraction(0),) * (abs(shift) // 2) + (Fraction(outside),), (Fraction(1),))
    root = Algebraic(NONE, (Fraction(1),), s)
    if len(s) == 1:
        if s[0] <= 0:
            return None
        n, d = math.isqrt(s[0].numerator), math.isqrt(s[0].denominator)
        if Fraction(n, d) ** 2 != s[0]:
            return None
        root = Algebraic((Fraction(n, d),))
    if shift >= 0:
        return _product(root, Algebraic(monomial), root.s)
    return _reduced(root.p, root.q, root.s, monomial)


def _powers_of_z(a: Polynomial) -> int:
    return next(k for k, p in enumerate(a) if p)


def _reduced(p: Polynomial, q: Polynomial, s: Polynomial, d: Polynomial) -> Algebraic:
    """Without a common factor of P, Q and D."""
    common = functools.reduce(_common, [a for a in (p, q) if a], d)
    if len(common) > 1:
        p, q, d = (_quotient(a, common) if a else a for a in (p, q, d))
    return Algebraic(by(p, 1 / d[-1]), by(q, 1 / d[-1]), s if q else NONE, by(d, 1 / d[-1]))


def _common(a: Polynomial, b: Polynomial) -> Polynomial:
    while b:
        a, b = b, remainder(a, b)
    return a


@functools.lru_cache(1 << 10)
def _derivative(a: Algebraic, order: int) -> tuple[Polynomial, Polynomial]:
    if order == 0:
        return a.p, a.q
    p, q = _derivative(a, order - 1)
    s = a.s if a.q else (Fraction(1),)
    ds, dd = differentiated(s), differentiated(a.d)
    sd = times(s, a.d)
    lost = plus(by(times(ds, a.d), order - 1), by(times(dd, s), order))
    half = by(times(times(q, ds), a.d), Fraction(1, 2))
    found = (
        plus(times(sd, differentiated(p)), by(times(p, lost), -1)),
        plus(plus(times(sd, differentiated(q)), half), by(times(q, lost), -1)),
    )
    return (times(IDENTITY, found[0]), times(IDENTITY, found[1])) if a.of_exp else found  # d/dx = z d/dz


def _rounded(a: Fraction, rounding: str) -> Number:
    return libmp.from_rational(a.numerator, a.denominator, iv.BITS, rounding)


@functools.lru_cache(1 << 10)
def _whole(a: Polynomial) -> tuple[tuple[Number, ...], Number]:
    """The coefficients times their common denominator, from the highest down, and that denominator."""
    common = math.lcm(*(p.denominator for p in a))
    return tuple(libmp.from_int(int(p * common)) for p in reversed(a)), libmp.from_int(common)


@no_type_check
def _at(a: Polynomial, z: Interval) -> Interval:
    """a(z): of an exact z exactly, and rounded once; of an interval by powers of 1/z beyond 1."""
    if not a:
        return iv.ZERO
    coefficients, common = _whole(a)
    if z[0] == z[1] and abs(z[0][2]) < 1 << 14:
        total = coefficients[0]
        for p in coefficients[1:]:
            total = libmp.mpf_add(libmp.mpf_mul(total, z[0]), p)
        return libmp.mpf_div(total, common, iv.BITS, "f"), libmp.mpf_div(total, common, iv.BITS, "c")
    far = lt(fone, z[0])
    step = (iv.inverse(z) or WHOLE) if far else z
    result = iv.point(0)
    for p in reversed(coefficients) if far else coefficients:
        result = iv.add(iv.mul(result, step), (p, p))
    for _ in range(len(a) - 1 if far else 0):
        result = iv.mul(result, z)
    return iv.div(result, (common, common)) or WHOLE
