"""The checker's table of functions: four derivatives at a number, and where each of them is extremal.

The range of g^(j) on a box is the hull of its values at the two ends and at the extrema inside, so that products such
as s(1 - s) never lose what their factors have in common. Shares no code with the prover.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, no_type_check

import mpmath
from mpmath import libmp
from mpmath.libmp import finf, fninf, fone, fzero

from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.intervals import ONE, WHOLE, Interval, Number, add, lt, mul, neg, point, scale, sub

if TYPE_CHECKING:
    Derivatives = tuple[Interval, Interval, Interval, Interval]
    At = Callable[[Number], Derivatives | None]
else:  # see `intervals`
    Derivatives = At = Any


@no_type_check
def quotient(a: Interval, b: Interval) -> Interval:
    """a/b, unbounded where b holds 0."""
    return iv.div(a, b) or WHOLE


def _root(a: Interval) -> Interval:
    return iv.sqrt(a) or WHOLE


@no_type_check
def power(a: Interval, n: int) -> Interval:
    """a^n for a whole n, by the values at the ends; unbounded where n < 0 and a holds 0."""
    if n < 0:
        return iv.inverse(power(a, -n)) or WHOLE
    if n == 0:
        return ONE
    ends = [(_raised(e, n, "f"), _raised(e, n, "c")) for e in a]
    whole = iv.hull(*ends)
    return (fzero, whole[1]) if n % 2 == 0 and lt(a[0], fzero) and lt(fzero, a[1]) else whole


@no_type_check
def _raised(x: Number, n: int, rounding: str) -> Number:
    if x in (finf, fninf):
        return finf if x == finf or n % 2 == 0 else fninf
    return libmp.mpf_pow_int(x, n, iv.BITS, rounding)


@no_type_check
def monomials(x: Number, n: int) -> Derivatives:
    """x^n and its derivatives."""
    found, factor = [], 1
    for j in range(4):
        if factor and x == fzero and n - j < 0:
            blown = fninf if factor < 0 else finf
            found.append((blown, blown))
        else:
            found.append(scale(power((x, x), n - j), factor) if factor else iv.ZERO)
        factor *= n - j
    return tuple(found)  # pyright: ignore[reportReturnType]


def _exp(x: Number) -> Derivatives:
    e = iv.exp_at(x)
    return e, e, e, e


def _exp2(x: Number) -> Derivatives:
    log2 = iv.log_at(iv.number(2))
    e = iv.exp(mul((x, x), log2))
    return e, mul(e, log2), mul(e, power(log2, 2)), mul(e, power(log2, 3))


def _expm1(x: Number) -> Derivatives:
    e = iv.exp_at(x)
    return iv.expm1_at(x), e, e, e


def _log(x: Number) -> Derivatives | None:
    if lt(x, fzero):
        return None
    return iv.log_at(x), *monomials(x, -1)[:3]


def _log1p(x: Number) -> Derivatives | None:
    if lt(x, iv.number(-1)):
        return None
    if x == iv.number(-1):
        return _log(fzero)
    r = quotient(ONE, add(ONE, (x, x)))
    return iv.log1p_at(x), r, neg(power(r, 2)), scale(power(r, 3), 2)


def _logistic(x: Number) -> Derivatives:
    negative = bool(x[0])
    e = iv.exp_at(libmp.mpf_neg(libmp.mpf_abs(x)))
    r = quotient(ONE, add(ONE, e))
    slope = mul(e, power(r, 2))
    lean = mul(iv.expm1_at(libmp.mpf_neg(libmp.mpf_abs(x))), r)  # 1 - 2 s for x >= 0
    value = mul(e, r) if negative else r
    return value, slope, mul(slope, neg(lean) if negative else lean), mul(slope, sub(ONE, scale(slope, 6)))


def _softplus(x: Number) -> Derivatives:
    value = iv.log1p(iv.exp_at(x)) if x[0] else add((x, x), iv.log1p(iv.exp_at(libmp.mpf_neg(x))))
    return value, *_logistic(x)[:3]


def _tanh(x: Number) -> Derivatives:
    twice = libmp.mpf_neg(libmp.mpf_shift(libmp.mpf_abs(x), 1))
    e, r = iv.exp_at(twice), quotient(ONE, add(ONE, iv.exp_at(twice)))
    t = mul(neg(iv.expm1_at(twice)), r)
    t = neg(t) if x[0] else t
    slope = scale(mul(e, power(r, 2)), 4)
    return t, slope, scale(mul(t, slope), -2), mul(slope, sub(point(4), scale(slope, 6)))


def _erf(x: Number) -> Derivatives:
    bell = mul(iv.two_over_root_pi(), iv.gauss_at(x))
    curve = sub(scale(power((x, x), 2), 4), point(2))
    return iv.erf_at(x), bell, mul(scale((x, x), -2), bell), mul(curve, bell)


def _erfc(x: Number) -> Derivatives:
    _, first, second, third = _erf(x)
    return iv.erfc_at(x), neg(first), neg(second), neg(third)


def _sqrt(x: Number) -> Derivatives | None:
    if lt(x, fzero):
        return None
    if x == fzero:
        return iv.ZERO, (finf, finf), (fninf, fninf), (finf, finf)
    r = _root((x, x))
    return r, scale(power(r, -1), 0.5), scale(power(r, -3), -0.25), scale(power(r, -5), 0.375)


def _rsqrt(x: Number) -> Derivatives | None:
    if lt(x, fzero):
        return None
    if x == fzero:
        return (finf, finf), (fninf, fninf), (finf, finf), (fninf, fninf)
    r = _root((x, x))
    return power(r, -1), scale(power(r, -3), -0.5), scale(power(r, -5), 0.75), scale(power(r, -7), -1.875)


def _cbrt(x: Number) -> Derivatives | None:
    if x == fzero:
        return iv.ZERO, (finf, finf), WHOLE, WHOLE
    size = libmp.mpf_abs(x)
    c = (libmp.mpf_nthroot(size, 3, iv.BITS, "f"), libmp.mpf_nthroot(size, 3, iv.BITS, "c"))
    c = (libmp.mpf_sub(c[0], libmp.mpf_shift(c[0], -250)), libmp.mpf_add(c[1], libmp.mpf_shift(c[1], -250)))
    c = neg(c) if x[0] else c
    parts = (quotient(point(p), scale(power(c, n), q)) for p, n, q in ((1, 2, 3), (-2, 5, 9), (10, 8, 27)))
    return c, *parts  # pyright: ignore[reportReturnType]


def _asinh(x: Number) -> Derivatives:
    size = (libmp.mpf_abs(x),) * 2
    square = power(size, 2)
    r = _root(add(ONE, square))
    value = iv.log1p(add(size, quotient(square, add(ONE, r))))
    second = neg(quotient((x, x), power(r, 3)))
    return neg(value) if x[0] else value, quotient(ONE, r), second, quotient(sub(scale(square, 2), ONE), power(r, 5))


def _acosh(x: Number) -> Derivatives | None:
    if lt(x, fone):
        return None
    if x == fone:
        return iv.ZERO, (finf, finf), (fninf, fninf), (finf, finf)
    above, square = sub((x, x), ONE), power((x, x), 2)
    r = _root(mul(above, add((x, x), ONE)))
    value = iv.log1p(add(above, r))
    third = quotient(add(scale(square, 2), ONE), power(r, 5))
    return value, quotient(ONE, r), neg(quotient((x, x), power(r, 3))), third


def _atanh(x: Number) -> Derivatives | None:
    size = libmp.mpf_abs(x)
    if not lt(size, fone):
        return None
    rest = mul(sub(ONE, (x, x)), add(ONE, (x, x)))
    value = scale(iv.log1p(quotient(scale((size, size), 2), sub(ONE, (size, size)))), 0.5)
    second = quotient(scale((x, x), 2), power(rest, 2))
    third = quotient(add(point(2), scale(power((x, x), 2), 6)), power(rest, 3))
    return neg(value) if x[0] else value, quotient(ONE, rest), second, third


def _atan(x: Number) -> Derivatives:
    square = power((x, x), 2)
    r = quotient(ONE, add(ONE, square))
    curve = sub(scale(square, 6), point(2))
    return iv.atan_at(x), r, mul(scale((x, x), -2), power(r, 2)), mul(curve, power(r, 3))


def _asin(x: Number) -> Derivatives | None:
    size = libmp.mpf_abs(x)
    if lt(fone, size):
        return None
    if size == fone:
        half, infinite = scale(iv.pi(), 0.5), (finf, finf)
        return (neg(half), infinite, (fninf, fninf), infinite) if x[0] else (half, infinite, infinite, infinite)
    rest = mul(sub(ONE, (x, x)), add(ONE, (x, x)))
    r = _root(rest)
    angle = iv.increasing(iv.atan_at)(quotient((x, x), r))
    third = quotient(add(ONE, scale(power((x, x), 2), 2)), power(r, 5))
    return angle, quotient(ONE, r), quotient((x, x), power(r, 3)), third


def _acos(x: Number) -> Derivatives | None:
    if (found := _asin(x)) is None:
        return None
    return sub(scale(iv.pi(), 0.5), found[0]), neg(found[1]), neg(found[2]), neg(found[3])


def _sinh(x: Number) -> Derivatives:
    e = iv.expm1_at(libmp.mpf_abs(x))
    s = scale(add(e, quotient(e, add(e, ONE))), 0.5)
    c = add(ONE, scale(quotient(power(e, 2), add(e, ONE)), 0.5))
    s = neg(s) if x[0] else s
    return s, c, s, c


def _cosh(x: Number) -> Derivatives:
    s, c, _, _ = _sinh(x)
    return c, s, c, s


def _tan(x: Number) -> Derivatives:
    cosine, sine = iv.cos_sin_at(x)
    t = quotient(sine, cosine)
    square = power(t, 2)
    slope = add(ONE, square)
    return t, slope, scale(mul(t, slope), 2), scale(mul(slope, add(ONE, scale(square, 3))), 2)


def _erf_inv(y: Number) -> Derivatives | None:
    if not lt(libmp.mpf_abs(y), fone):
        return None
    value = iv.ZERO if y == fzero else _erf_inv_at(y)
    slope = quotient(iv.exp(power(value, 2)), iv.two_over_root_pi())
    second = scale(mul(value, power(slope, 2)), 2)
    return value, slope, second, mul(add(point(2), scale(power(value, 2), 8)), power(slope, 3))


@functools.lru_cache(1 << 12)
def _erf_inv_at(y: Number) -> Interval:
    """Between two numbers at which the error function is below and above y."""
    with mpmath.workprec(iv.BITS + 64):
        guess = mpmath.erfinv(mpmath.make_mpf(y))._mpf_
    for bits in (200, 120, 60, 30):
        slack = libmp.mpf_shift(libmp.mpf_abs(guess), -bits)
        low, high = libmp.mpf_sub(guess, slack, iv.BITS, "f"), libmp.mpf_add(guess, slack, iv.BITS, "c")
        if not lt(y, iv.erf_at(low)[1]) and not lt(iv.erf_at(high)[0], y):
            return low, high
    return WHOLE


def _both(a: Interval) -> tuple[Interval, Interval]:
    return a, neg(a)


@functools.cache
def extrema() -> dict[str, tuple[tuple[Interval, ...], ...]]:
    """Where g, g', g'', g''' have a local extremum or a pole; none where it is not listed (see `ranges` on tan)."""
    zero = (iv.ZERO,)
    third, half = _both(_root(iv.ratio(1, 3))), _both(_root(iv.ratio(1, 2)))
    outer = _both(_root(iv.ratio(3, 2)))
    log = iv.log
    s2, s3 = (_both(log(add(point(k), scale(_root(point(m)), 1)))) for k, m in ((2, 3), (5, 24)))
    t2, t3 = (_both(_atanh_of(_root(iv.ratio(p, 3)))) for p in (1, 2))
    bell = ((), zero, half, (*zero, *outer))
    return {
        "logistic": ((), zero, s2, (*zero, *s3)),
        "softplus": ((), (), zero, s2),
        "tanh": ((), zero, t2, (*zero, *t3)),
        "erf": bell,
        "erfc": bell,
        "asinh": ((), zero, half, (*zero, *outer)),
        "atan": ((), zero, third, (*zero, *_both(ONE))),
        "asin": ((), zero, (), zero),
        "acos": ((), zero, (), zero),
        "atanh": ((), zero, (), zero),
        "sinh": ((), zero, (), zero),
        "cosh": (zero, (), zero, ()),
        "erf_inv": ((), zero, (), zero),
        "cbrt": ((), zero, zero, zero),
    }


def _atanh_of(a: Interval) -> Interval:
    return iv.increasing(lambda x: (_atanh(x) or (WHOLE,))[0])(a)


AT: dict[str, At] = {
    "exp": _exp,
    "exp2": _exp2,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "logistic": _logistic,
    "softplus": _softplus,
    "tanh": _tanh,
    "erf": _erf,
    "erfc": _erfc,
    "erf_inv": _erf_inv,
    "sqrt": _sqrt,
    "rsqrt": _rsqrt,
    "cbrt": _cbrt,
    "sinh": _sinh,
    "cosh": _cosh,
    "tan": _tan,
    "asin": _asin,
    "acos": _acos,
    "atan": _atan,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
}
"""Functions of one number; None outside the domain."""
