"""The ranges of the checker's functions and their derivatives on a box.

The range of g^(j) is the hull of its values at the two ends and at the extrema inside, so that products such as s(1 -
s) never lose what their factors have in common.
"""

from __future__ import annotations

import functools
import math
from typing import no_type_check

from mpmath import libmp
from mpmath.libmp import finf, fninf, fone, fzero

from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.algebra import Algebraic
from actlab.proofs.checker.functions import AT, At, Derivatives, extrema, monomials, power, quotient
from actlab.proofs.checker.intervals import ONE, WHOLE, Interval, Number, add, le, lt, mul, neg, point, scale, sub

QUARTER: Interval = (fzero, iv.number(0.25))
UNIT: Interval = (fzero, fone)
BOTH: Interval = (iv.number(-1), fone)
POSITIVE: Interval = (fzero, finf)
BOUNDS: dict[str, tuple[Interval, ...]] = {
    "exp": (POSITIVE,) * 4,
    "exp2": (POSITIVE,) * 4,
    "expm1": ((iv.number(-1), finf), *(POSITIVE,) * 3),
    "logistic": (UNIT, QUARTER),
    "softplus": (POSITIVE, UNIT, QUARTER),
    "tanh": (BOTH, UNIT),
    "erf": (BOTH, POSITIVE),
    "erfc": ((fzero, iv.number(2)),),
    "atan": (WHOLE, UNIT),
    "asinh": (WHOLE, UNIT),
    "cosh": ((fone, finf),),
    "sqrt": (POSITIVE,),
    "rsqrt": (POSITIVE,),
}
"""What g, g', ... never leave, whatever the argument; rounding is cut off there."""
NOT_TO_INFINITY = frozenset("log log1p acosh tan asin acos atanh erf_inv".split())
"""Not enclosed on a box that reaches infinity: undefined there, or without a bound to give."""


@no_type_check
@functools.lru_cache(1 << 16)
def _at(name: str, x: Number) -> Derivatives | None:
    if (found := AT[name](x)) is None:
        return None
    return tuple(map(iv.intersect, found, _bounds(name)))  # pyright: ignore[reportReturnType]


@no_type_check
def _bounds(name: str) -> Derivatives:
    return (*BOUNDS.get(name, ()), WHOLE, WHOLE, WHOLE, WHOLE)[:4]  # pyright: ignore[reportReturnType]


@no_type_check
def enclose(name: str, box: Interval) -> Derivatives | None:
    """The ranges of g, g', g'', g''' on a box; None where g is not defined on all of it."""
    if name in ("sin", "cos"):
        return _trigonometric(box, 1 if name == "sin" else 0)
    if name in ("sqrt", "rsqrt") and lt(box[0], fzero):
        return None
    if fninf in box or finf in box:
        return None if name in NOT_TO_INFINITY else _bounds(name)
    ends = [_at(name, x) for x in ((box[0],) if box[0] == box[1] else box)]
    if None in ends:
        return None
    places = extrema().get(name, ((), (), (), ()))
    if name == "tan":
        quarters = _quarters(box)
        if any(k % 2 for k in quarters):  # a pole
            return None
        zeros = tuple(scale(iv.pi(), k // 2) for k in quarters)
        places = ((), zeros, (), zeros)
    return _hulls(ends, places, box, lambda x: _at(name, x))  # pyright: ignore


@no_type_check
def _hulls(ends: list[Derivatives], places: tuple[tuple[Interval, ...], ...], box: Interval, at: At) -> Derivatives:
    hulls = []
    for j in range(4):
        parts = [e[j] for e in ends]
        for where in places[j]:
            inside = iv.greatest(where[0], box[0]), iv.least(where[1], box[1])
            if not lt(inside[1], inside[0]):
                # Flat there: the values at the two ends of this tiny interval differ by its width squared, and a
                # neighbourhood twice as wide as their difference holds the extremum itself.
                near = iv.hull(*((at(x) or (WHOLE,) * 4)[j] for x in inside))
                spread = sub(near, near)
                parts.append(near if where[0] == where[1] else add(near, iv.hull(spread, _tiny(near))))
        hulls.append(iv.hull(*parts))
    return tuple(hulls)  # pyright: ignore[reportReturnType]


@no_type_check
def _tiny(a: Interval) -> Interval:
    slack = libmp.mpf_shift(iv.greatest(libmp.mpf_abs(a[0]), libmp.mpf_abs(a[1])), -200)
    return libmp.mpf_neg(slack), slack


@no_type_check
def enclose_power(n: int, box: Interval) -> Derivatives | None:
    """The ranges of x^n and its derivatives, n whole."""
    if n < 0 and (box == iv.ZERO or (lt(box[0], fzero) and lt(fzero, box[1]))):
        return None
    if fninf in box or finf in box:
        return power(box, n), WHOLE, WHOLE, WHOLE
    if n < 0 and not lt(fzero, box[1]):  # the side from which a pole at 0 is seen
        mirrored = enclose_power(n, neg(box)) or (WHOLE,) * 4
        return tuple(neg(d) if (n - j) % 2 else d for j, d in enumerate(mirrored))  # pyright: ignore
    ends = [monomials(x, n) for x in ((box[0],) if box[0] == box[1] else box)]
    zeros = tuple((iv.ZERO,) if n - j > 0 and (n - j) % 2 == 0 else () for j in range(4))
    return _hulls(ends, zeros, box, lambda x: monomials(x, n))


def enclose_real_power(exponent: Number, box: Interval) -> Derivatives | None:
    """The ranges of x^p and its derivatives for x >= 0 and a real p."""
    if lt(box[0], fzero):
        return None
    if finf in box:
        return WHOLE, WHOLE, WHOLE, WHOLE
    found, factor = [], ONE
    for j in range(4):
        p = libmp.mpf_sub(exponent, iv.number(j))
        found.append(mul(factor, iv.hull(*(_real_power(x, p) for x in box))))
        factor = mul(factor, (p, p))
    return tuple(found)  # pyright: ignore[reportReturnType]


def _real_power(x: Number, p: Number) -> Interval:
    if p == fzero:
        return ONE
    if x == fzero:
        return iv.ZERO if lt(fzero, p) else (finf, finf)
    return iv.exp(mul(iv.log_at(x), (p, p)))


@no_type_check
def enclose_algebraic(a: Algebraic, box: Interval) -> Derivatives | None:
    """The ranges of an algebraic function and its derivatives; None where it has a pole inside."""
    if any(not (le(pole[1], box[0]) or le(box[1], pole[0])) for pole in a.poles):
        return None

    def at(x: Number) -> Derivatives:
        return a.at(x, 0), a.at(x, 1), a.at(x, 2), a.at(x, 3)

    return _hulls([at(x) for x in ((box[0],) if box[0] == box[1] else box)], a.extrema, box, at)


def enclose_sinc(box: Interval) -> Derivatives:
    """The ranges of sin(x)/x and its derivatives: from both ends by the next derivative, |g^(j)| <= 1/(j + 1)."""
    if fninf in box or finf in box:
        return (BOTH, BOTH, BOTH, BOTH)
    left, right = _sinc_at(box[0]), _sinc_at(box[1])
    width = sub((box[1], box[1]), (box[0], box[0]))
    reach = (fzero, width[1])
    ranges = [iv.hull(iv.ratio(-1, j + 1), iv.ratio(1, j + 1)) for j in range(SINC_ORDER + 1)]
    if (inverse := iv.inverse(box)) is not None and not iv.contains_zero(box):
        wave, previous = (iv.number(-1), fone), iv.ZERO  # x g^(j) + j g^(j-1) is a sine
        for j in range(SINC_ORDER + 1):
            previous = mul(sub(wave, scale(previous, j)), inverse)
            ranges[j] = iv.intersect(ranges[j], previous)
    for j in reversed(range(SINC_ORDER)):
        change = mul(ranges[j + 1], reach)
        ranges[j] = iv.intersect(ranges[j], iv.intersect(add(left[j], change), sub(right[j], change)))
        if iv.sign_of(ranges[j + 1]) is not None:
            ranges[j] = iv.intersect(ranges[j], iv.hull(left[j], right[j]))
    return tuple(ranges[:4])  # pyright: ignore[reportReturnType]


SINC_ORDER = 6


@functools.lru_cache(1 << 12)
def _sinc_at(x: Number) -> tuple[Interval, ...]:
    """sin(x)/x and six derivatives at a number: by the series near 0, else by x g^(j) = sin^(j)(x) - j g^(j-1)."""
    found: list[Interval] = []
    if lt(libmp.mpf_abs(x), iv.number(2)):
        return tuple(_sinc_series(x, j) for j in range(SINC_ORDER + 1))
    for j in range(SINC_ORDER + 1):
        found.append(quotient(sub(_turned(x, j - 1), scale(found[-1], j) if found else iv.ZERO), (x, x)))
    return tuple(found)


def _sinc_series(x: Number, order: int) -> Interval:
    """sum_k (-1)^k x^(2k - j) / ((2k + 1) (2k - j)!): alternating, and soon falling, terms for |x| < 2."""
    total, k = iv.point(0), (order + 1) // 2
    while True:
        n = 2 * k - order
        term = mul(power((x, x), n), iv.ratio((-1) ** k, (2 * k + 1) * math.factorial(n)))
        total = add(total, term)
        if n > 150:
            return add(total, iv.hull(term, neg(term), _tiny(ONE)))
        k += 1


def _quarter(x: Number, end: int) -> int:
    """floor(2x/pi), the smaller (0) or larger (1) of what it may be."""
    value = quotient(scale((x, x), 2), iv.pi())[end]
    return iv.whole(libmp.mpf_floor(value))


def _quarters(box: Interval) -> range:
    """The k for which k pi/2 may lie in the box, beyond its left end."""
    return range(_quarter(box[0], 0) + 1, _quarter(box[1], 1) + 1)


def _trigonometric(box: Interval, shift: int) -> Derivatives:
    """Cos (shift 0) or sin (shift 1) and derivatives: cos^(j)(x) is cos(x + j pi/2)."""
    if fninf in box or finf in box or lt(iv.number(7), libmp.mpf_sub(box[1], box[0], 20, "c")):
        return (BOTH, BOTH, BOTH, BOTH)
    found = []
    for j in range(4):
        phase = j - shift  # sin(x) = cos(x - pi/2)
        parts = [_turned(x, phase) for x in box]
        parts += [point((-1) ** ((k + phase) // 2)) for k in _quarters(box) if (k + phase) % 2 == 0]
        found.append(iv.intersect(iv.hull(*parts), (iv.number(-1), fone)))
    return tuple(found)  # pyright: ignore[reportReturnType]


def _turned(x: Number, phase: int) -> Interval:
    cosine, sine = iv.cos_sin_at(x)
    return (cosine, neg(sine), neg(cosine), sine)[phase % 4]
