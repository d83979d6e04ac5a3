"""The checker's own interval arithmetic: end points are mpmath numbers of 256 bits, rounded outward.

Sums, products, quotients and roots are rounded by mpmath in the stated direction. Transcendental functions are
evaluated with 40 bits to spare and widened by one unit of the last of the 256 bits. An infinite end means unbounded;
`None` stands for "undefined somewhere on this box". Shares no code with the prover.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, no_type_check

from mpmath import libmp
from mpmath.libmp import finf, fnan, fninf, fone, fzero

if TYPE_CHECKING:
    Number = tuple[int, int, int, int]
    """An mpmath number: sign, mantissa, exponent, bit count."""
    Interval = tuple[Number, Number]
else:  # not looked into at each of a million calls where types are checked at run time
    Number = Interval = Any

BITS = 256
SPARE = BITS + 40
VAST = 1000
"""exp(x) for |x| beyond 2^VAST is 0 or infinity, as far as bounds go."""

WHOLE: Interval = (fninf, finf)
ZERO: Interval = (fzero, fzero)
ONE: Interval = (fone, fone)
lt, le = libmp.mpf_lt, libmp.mpf_le


@no_type_check
def number(value: float | int) -> Number:
    """A Python number, exactly."""
    return libmp.from_int(value) if isinstance(value, int) else libmp.from_float(value)


def whole(x: Number) -> int:
    """A whole number as a Python one."""
    return int(libmp.to_int(x) or 0)


@no_type_check
def point(value: float | int) -> Interval:
    """The interval that holds one number."""
    v = number(value)
    return (v, v)


def ratio(p: int, q: int) -> Interval:
    """p/q."""
    return libmp.from_rational(p, q, BITS, "f"), libmp.from_rational(p, q, BITS, "c")


@no_type_check
def least(*values: Number) -> Number:
    """The smallest of the numbers."""
    return functools.reduce(lambda a, b: a if lt(a, b) else b, values)


@no_type_check
def greatest(*values: Number) -> Number:
    """The largest of the numbers."""
    return functools.reduce(lambda a, b: b if lt(a, b) else a, values)


@no_type_check
def hull(*parts: Interval) -> Interval:
    """The smallest interval that contains all."""
    return least(*(p[0] for p in parts)), greatest(*(p[1] for p in parts))


@no_type_check
def intersect(a: Interval, b: Interval) -> Interval:
    """What is in both; of two true enclosures of one number, so never empty."""
    return greatest(a[0], b[0]), least(a[1], b[1])


@no_type_check
def contains_zero(a: Interval) -> bool:
    """Whether 0 is inside, ends included."""
    return not (lt(fzero, a[0]) or lt(a[1], fzero))


@no_type_check
def sign_of(a: Interval) -> int | None:
    """1 where all values are >= 0, -1 where all are <= 0, 0 for the exact zero, None where it is open."""
    if a == ZERO:
        return 0
    if not lt(a[0], fzero):
        return 1
    return -1 if not lt(fzero, a[1]) else None


@no_type_check
def neg(a: Interval) -> Interval:
    """-a."""
    return ZERO if a is ZERO else _negated(a)


@no_type_check
def _negated(a: Interval) -> Interval:
    return libmp.mpf_neg(a[1]), libmp.mpf_neg(a[0])


@no_type_check
def _plus(a: Number, b: Number, rounding: str, unbounded: Number) -> Number:
    total = libmp.mpf_add(a, b, BITS, rounding)
    return unbounded if total == fnan else total


@no_type_check
def add(a: Interval, b: Interval) -> Interval:
    """The sums of a value of each."""
    if a is ZERO or b is ZERO:
        return b if a is ZERO else a
    return _plus(a[0], b[0], "f", fninf), _plus(a[1], b[1], "c", finf)


@no_type_check
def sub(a: Interval, b: Interval) -> Interval:
    """The differences of a value of each."""
    return add(a, neg(b))


@no_type_check
def _times(a: Number, b: Number, rounding: str) -> Number:
    # An infinite end is a bound, not a value: times an exact 0 it is 0.
    return fzero if fzero in (a, b) else libmp.mpf_mul(a, b, BITS, rounding)


@no_type_check
def mul(a: Interval, b: Interval) -> Interval:
    """The products of a value of each.

    `ZERO` itself is what is 0 all around, as the slope of a constant is: it annihilates whatever it meets. A value that
    is 0 at a point says nothing of its product with what is infinite there.
    """
    if a is ZERO or b is ZERO:
        return ZERO
    (p, q), (r, s) = a, b
    if (p == q == fzero and (r == fninf or s == finf)) or (r == s == fzero and (p == fninf or q == finf)):
        return WHOLE
    if not lt(p, fzero):
        if not lt(r, fzero):
            return _times(p, r, "f"), _times(q, s, "c")
        if not lt(fzero, s):
            return _times(q, r, "f"), _times(p, s, "c")
    pairs = ((p, r), (p, s), (q, r), (q, s))
    return least(*(_times(u, v, "f") for u, v in pairs)), greatest(*(_times(u, v, "c") for u, v in pairs))


@no_type_check
def inverse(a: Interval) -> Interval | None:
    """1/a; unbounded to one side where a touches 0, undefined where it has both signs."""
    if a == ZERO or (lt(a[0], fzero) and lt(fzero, a[1])):
        return None
    low = libmp.mpf_div(fone, a[1], BITS, "f") if a[1] != fzero else fninf
    high = libmp.mpf_div(fone, a[0], BITS, "c") if a[0] != fzero else finf
    return low, high


@no_type_check
def div(a: Interval, b: Interval) -> Interval | None:
    """The quotients of a value of each."""
    if (reciprocal := inverse(b)) is None:
        return None
    if b[0] == b[1] and a[0] != fninf and a[1] != finf:  # one rounding instead of two
        low, high = (a[0], a[1]) if lt(fzero, b[0]) else (a[1], a[0])
        return libmp.mpf_div(low, b[0], BITS, "f"), libmp.mpf_div(high, b[0], BITS, "c")
    return mul(a, reciprocal)


@no_type_check
def scale(a: Interval, factor: float | int) -> Interval:
    """The multiples by an exact number."""
    return mul(a, point(factor))


def midpoint(a: Number, b: Number) -> Number:
    """A number of few bits between: the middle, or of two far apart of one sign the geometric middle."""
    sign = 1 if not lt(a, fzero) else -1
    near, far = (a, b) if sign > 0 else (b, a)
    if (lt(fzero, near) if sign > 0 else lt(near, fzero)) and far[2] + far[3] - near[2] - near[3] > 2:
        exponent = (far[2] + far[3] + near[2] + near[3]) // 2
        return libmp.from_man_exp(sign, exponent)
    return libmp.mpf_shift(libmp.mpf_add(a, b), -1)


@no_type_check
def sqrt(a: Interval) -> Interval | None:
    """The square root; undefined below 0."""
    if lt(a[0], fzero):
        return None
    return libmp.mpf_sqrt(a[0], BITS, "f"), (finf if a[1] == finf else libmp.mpf_sqrt(a[1], BITS, "c"))


@no_type_check
def _around(value: Number) -> Interval:
    """A value computed with bits to spare, widened by one unit of the 256th bit."""
    slack = libmp.mpf_shift(libmp.mpf_abs(value), -BITS)
    return libmp.mpf_sub(value, slack, BITS, "f"), libmp.mpf_add(value, slack, BITS, "c")


def increasing(at: Callable[[Number], Interval]) -> Callable[[Interval], Interval]:
    """From a monotone function at a number to one on intervals."""
    return lambda a: (at(a[0])[0], at(a[1])[1])


@no_type_check
@functools.lru_cache(1 << 16)
def exp_at(x: Number) -> Interval:
    """exp(x)."""
    if x in (fninf, finf, fzero):
        return {fninf: ZERO, finf: (finf, finf), fzero: ONE}[x]
    if x[2] + x[3] > VAST:  # its exponent alone would not fit in memory
        edge = libmp.from_man_exp(1, 1 << VAST)
        return (fzero, libmp.mpf_div(fone, edge, BITS, "c")) if x[0] else (edge, finf)
    low, high = _around(libmp.mpf_exp(x, SPARE, "n"))
    return (low, least(high, fone)) if x[0] else (greatest(low, fone), high)


@functools.lru_cache(1 << 16)
def log_at(x: Number) -> Interval:
    """log(x) for x >= 0."""
    if x in (fzero, finf, fone):
        return {fzero: (fninf, fninf), finf: (finf, finf), fone: ZERO}[x]
    return _around(libmp.mpf_log(x, SPARE, "n"))


@functools.lru_cache(1 << 16)
def expm1_at(x: Number) -> Interval:
    """exp(x) - 1, of small relative width also near 0."""
    if x in (fzero, finf):
        return ZERO if x == fzero else (finf, finf)
    if x == fninf:
        return point(-1)
    size = x[2] + x[3]
    if size > VAST:
        return (point(-1)[0], sub(exp_at(x), ONE)[1]) if x[0] else (exp_at(x)[0], finf)
    if size < -BITS:  # x <= expm1(x) <= x + x^2
        return x, libmp.mpf_add(x, libmp.mpf_mul(x, x), BITS, "c")
    return _around(libmp.mpf_sub(libmp.mpf_exp(x, SPARE + max(0, -size) + 8, "n"), fone, SPARE, "n"))


@functools.lru_cache(1 << 16)
def log1p_at(x: Number) -> Interval:
    """log(1 + x) for x >= -1, of small relative width also near 0."""
    if x in (fzero, finf):
        return ZERO if x == fzero else (finf, finf)
    size = x[2] + x[3]
    if size < -BITS:  # x - x^2 <= log1p(x) <= x
        return libmp.mpf_sub(x, libmp.mpf_mul(x, x), BITS, "f"), x
    if size > BITS:
        return log_at(libmp.mpf_add(fone, x, BITS, "f"))[0], log_at(libmp.mpf_add(fone, x, BITS, "c"))[1]
    total = libmp.mpf_add(fone, x)
    if total == fzero:
        return fninf, fninf
    return _around(libmp.mpf_log(total, SPARE + max(0, -size) + 8, "n"))


exp, log, expm1, log1p = (increasing(f) for f in (exp_at, log_at, expm1_at, log1p_at))


@functools.lru_cache(1 << 16)
def atan_at(x: Number) -> Interval:
    """arctan(x)."""
    if x in (finf, fninf):
        half = scale(pi(), 0.5)
        return half if x == finf else neg(half)
    return ZERO if x == fzero else _around(libmp.mpf_atan(x, SPARE, "n"))


@functools.lru_cache(1 << 16)
def cos_sin_at(x: Number) -> tuple[Interval, Interval]:
    """cos(x) and sin(x)."""
    if x == fzero:
        return ONE, ZERO
    cosine, sine = libmp.mpf_cos_sin(x, SPARE, "n")
    return _around(cosine), _around(sine)


@functools.cache
def pi() -> Interval:
    """The number pi."""
    return libmp.mpf_pi(BITS, "f"), libmp.mpf_pi(BITS, "c")


@functools.cache
def two_over_root_pi() -> Interval:
    """2/sqrt(pi)."""
    return div(point(2), sqrt(pi()) or WHOLE) or WHOLE


def gauss_at(x: Number) -> Interval:
    """exp(-x^2), for an exact x."""
    return exp_at(libmp.mpf_neg(libmp.mpf_mul(x, x)))


@functools.lru_cache(1 << 16)
def erf_at(x: Number) -> Interval:
    """The error function: x exp(-x^2) times a series of positive terms; beyond 14, from its complement."""
    if x in (fzero, finf, fninf):
        return {fzero: ZERO, finf: ONE, fninf: point(-1)}[x]
    if x[0]:
        return neg(erf_at(libmp.mpf_neg(x)))
    if lt(number(14), x):
        return sub(ONE, erfc_at(x))
    low, high = _erf_series(x, BITS + 16)
    series = libmp.mpf_pos(low, BITS, "f"), libmp.mpf_pos(high, BITS, "c")
    return mul(mul(two_over_root_pi(), (x, x)), mul(gauss_at(x), series))


@functools.lru_cache(1 << 16)
def erfc_at(x: Number) -> Interval:
    """1 - erf(x), of small relative width in the right tail too."""
    if x in (finf, fninf):
        return ZERO if x == finf else point(2)
    if x[0] or x == fzero:
        return sub(ONE, erf_at(x))
    if lt(number(14), x):
        return mul(div(gauss_at(x), mul(sqrt(pi()) or WHOLE, (x, x))) or WHOLE, _mills_series(x))
    bits = BITS + 32 + int(3 * libmp.to_float(x) ** 2)  # as many more as the difference loses
    return _complement(x, bits)


def _erf_series(x: Number, bits: int) -> Interval:
    """sum_n (2 x^2)^n / (1 * 3 * ... * (2n + 1)), in fixed point; each of its roundings is below one unit."""
    square = libmp.to_fixed(libmp.mpf_mul(x, x), bits)
    unit = 1 << bits
    term, total, n = unit, unit, 0
    # to_fixed cuts x^2 by less than a unit: a relative error below (n + 1) units in the n-th term, which the sum of the
    # slacks below covers for x^2 <= 200 and as many terms as there are.
    while term and n < 4000:
        n += 1
        term = (term * 2 * square >> bits) // (2 * n + 1)
        total += term
    slack = (n + 2) * (n + 2) * (1 + (total >> bits)) * 4
    return libmp.from_man_exp(total - slack, -bits), libmp.from_man_exp(total + slack, -bits)


def _complement(x: Number, bits: int) -> Interval:
    """1 - 2/sqrt(pi) x exp(-x^2) series, with so many bits that the difference keeps 256 of them."""
    low, high = (
        libmp.mpf_mul(libmp.mpf_mul(x, s, bits, "n"), libmp.mpf_exp(libmp.mpf_neg(libmp.mpf_mul(x, x)), bits + 20, "n"))
        for s in _erf_series(x, bits)
    )
    factor = libmp.mpf_div(number(2), libmp.mpf_sqrt(libmp.mpf_pi(bits + 20, "n"), bits + 20, "n"), bits + 20, "n")
    slack = libmp.from_man_exp(1, 12 - bits)
    values = [libmp.mpf_sub(fone, libmp.mpf_mul(factor, v)) for v in (high, low)]
    return libmp.mpf_sub(values[0], slack, BITS, "f"), libmp.mpf_add(values[1], slack, BITS, "c")


def _mills_series(x: Number) -> Interval:
    """sum_n (-1)^n (2n - 1)!! / (2 x^2)^n: the truth lies between two partial sums that follow each other."""
    step = inverse(scale(((s := libmp.mpf_mul(x, x)), s), 2)) or WHOLE
    term, total, n = ONE, ONE, 0
    while True:
        n += 1
        following = mul(mul(term, point(2 * n - 1)), step)
        if n > 400 or not lt(following[1], term[0]) or following[1][2] + following[1][3] < -BITS - 8:
            return hull(total, add(total, following if n % 2 == 0 else neg(following)))
        term = following
        total = add(total, term if n % 2 == 0 else neg(term))
