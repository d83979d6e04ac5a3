"""Intervals as pairs of ends in outward-rounded float64, many at once: the arithmetic of the fast tier.

Sums, products, quotients and square roots are rounded outward rigorously. The values of the C library and of scipy are
widened by `libm.ULPS` units in the last place, which is an assumption: hence the tier's name, "assumed-libm".

`no_type_check`, here and in the modules that this serves: a proof makes a hundred thousand of these calls, and checking
their types at run time, as tests do, would cost four times the arithmetic.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple, no_type_check

import numpy as np

from actlab.proofs.libm import AT_ZERO, SMALLEST, ULPS, UNDERFLOWING, function, widened

FLUSHED = 1e-300
"""Below it a libm result may have been rounded to 0 or to a subnormal number of any relative error."""


class Ends(NamedTuple):
    """The closed intervals [lo[i], hi[i]]."""

    lo: np.ndarray
    hi: np.ndarray


@no_type_check
def _down(v: np.ndarray) -> np.ndarray:
    return np.nextafter(v, -np.inf)


@no_type_check
def _up(v: np.ndarray) -> np.ndarray:
    return np.nextafter(v, np.inf)


@no_type_check
def _bits(v: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(v).view(np.int64)


@no_type_check
def _short(v: np.ndarray) -> np.ndarray:
    """At most 26 significant bits: a product of two such numbers is exact."""
    return (_bits(v) & 0x7FFFFFF) == 0


@no_type_check
def _power_of_two(v: np.ndarray) -> np.ndarray:
    return (_bits(v) & 0xFFFFFFFFFFFFF) == 0


@no_type_check
class FloatEnds:
    """Interval operations on `Ends`; every result contains every value that its operands allow."""

    precision = 53
    tier = "assumed-libm"

    def __init__(self) -> None:
        self.thin = self

    def begin(self) -> None:
        """Called before an evaluation."""

    def wide(self, thin: Ends) -> Ends:
        """A thin interval of this arithmetic as a wide one; here they are the same."""
        return thin

    def point(self, v: np.ndarray) -> Ends:
        """[v, v]."""
        return Ends(v, v)

    def constant(self, value: float, shape: tuple[int, ...]) -> Ends:
        """The float `value`, exactly."""
        v = np.full(shape, float(value))
        return Ends(v, v)

    def rational(self, numerator: int, denominator: int, shape: tuple[int, ...]) -> Ends:
        """The rational number, rounded outward."""
        exact = Fraction(numerator, denominator)
        v = float(exact)
        lo, hi = v, v
        if Fraction(v) > exact:
            lo = math.nextafter(v, -math.inf)
        elif Fraction(v) < exact:
            hi = math.nextafter(v, math.inf)
        return Ends(np.full(shape, lo), np.full(shape, hi))

    def bracket(self, value: float, shape: tuple[int, ...]) -> Ends:
        """The number that `value` is the nearest float of: between its two neighbours; 0 is exact."""
        if value == 0:
            return self.constant(0.0, shape)
        ends = (math.nextafter(value, -math.inf), math.nextafter(value, math.inf))
        return Ends(np.full(shape, ends[0]), np.full(shape, ends[1]))

    def between(self, lo: np.ndarray, hi: np.ndarray) -> Ends:
        """[lo, hi] of floats."""
        return Ends(lo, hi)

    def middle(self, a: Ends) -> np.ndarray:
        """Some float inside."""
        return 0.5 * a.lo + 0.5 * a.hi

    def apart(self, a: Ends, b: Ends) -> bool:
        """Two single intervals without a common point."""
        return bool(np.any(a.lo > b.hi) | np.any(b.lo > a.hi))

    def distance(self, a: Ends, b: Ends) -> float:
        """How far apart points of two single intervals may be."""
        return float(np.max(np.maximum(a.hi - b.lo, b.hi - a.lo)))

    def maximum(self, a: Ends, b: Ends) -> Ends:
        """The enclosure of max(a, b)."""
        return Ends(np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi))

    def whole(self, shape: tuple[int, ...]) -> Ends:
        """The real line."""
        return Ends(np.full(shape, -np.inf), np.full(shape, np.inf))

    def take(self, a: Ends, index: Any) -> Ends:
        """Some of the intervals."""
        return Ends(a.lo[index], a.hi[index])

    def shape(self, a: Ends) -> tuple[int, ...]:
        """How many intervals there are."""
        return a.lo.shape

    def end(self, a: Ends, side: int) -> Ends:
        """The lower (0) or upper (1) ends as thin intervals; an infinite one: all numbers beyond the largest float."""
        v, largest = a[side], np.finfo(float).max
        return Ends(np.minimum(v, largest), np.maximum(v, -largest))

    def floats(self, a: Ends) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds as float64."""
        return a.lo, a.hi

    def where(self, mask: np.ndarray, a: Ends, b: Ends) -> Ends:
        """Intervals of `a` where the mask is true, of `b` elsewhere."""
        return Ends(np.where(mask, a.lo, b.lo), np.where(mask, a.hi, b.hi))

    def hull(self, a: Ends, b: Ends) -> Ends:
        """The least interval that holds both."""
        return Ends(np.minimum(a.lo, b.lo), np.maximum(a.hi, b.hi))

    def meet(self, a: Ends, b: Ends) -> Ends:
        """The values in both; `a` alone where rounding leaves none."""
        lo, hi = np.maximum(a.lo, b.lo), np.minimum(a.hi, b.hi)
        empty = lo > hi
        return Ends(np.where(empty, a.lo, lo), np.where(empty, a.hi, hi))

    def at_least(self, a: Ends, value: float) -> Ends:
        """Intersected with [value, inf)."""
        return Ends(np.maximum(a.lo, value), np.maximum(a.hi, value))

    def at_most(self, a: Ends, value: float) -> Ends:
        """Intersected with (-inf, value]."""
        return Ends(np.minimum(a.lo, value), np.minimum(a.hi, value))

    def finite(self, a: Ends) -> np.ndarray:
        """Both ends are numbers."""
        return np.isfinite(a.lo) & np.isfinite(a.hi)

    def ge(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a >= value."""
        return a.lo >= value

    def le(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a <= value."""
        return a.hi <= value

    def gt(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a > value."""
        return a.lo > value

    def lt(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a < value."""
        return a.hi < value

    def neg(self, a: Ends) -> Ends:
        """-a."""
        return Ends(-a.hi, -a.lo)

    def add(self, a: Ends, b: Ends) -> Ends:
        """The sum a + b."""
        return Ends(self._sum(a.lo, b.lo, -np.inf), self._sum(a.hi, b.hi, np.inf))

    def _sum(self, a: np.ndarray, b: np.ndarray, direction: float) -> np.ndarray:
        total = a + b
        rest = total - a
        error = (a - (total - rest)) + (b - rest)  # Knuth's TwoSum: total + error is the sum
        good = error >= 0 if direction < 0 else error <= 0
        total = np.where(good, total, np.nextafter(total, direction))
        return np.where(np.isnan(total), direction, total)

    def sub(self, a: Ends, b: Ends) -> Ends:
        """The difference a - b."""
        return self.add(a, self.neg(b))

    def mul(self, a: Ends, b: Ends) -> Ends:
        """The product a b, with 0 inf = 0: a zero factor is an exact one."""
        if not (a.lo.any() or a.hi.any()) or not (b.lo.any() or b.hi.any()):
            zero = np.zeros(np.broadcast_shapes(a.lo.shape, b.lo.shape))
            return Ends(zero, zero)
        products = [_times(p, q) for p in a for q in b]
        lo = np.minimum(np.minimum(products[0], products[1]), np.minimum(products[2], products[3]))
        hi = np.maximum(np.maximum(products[0], products[1]), np.maximum(products[2], products[3]))
        first, second = ([(_moderate(v), _power_of_two(v), _short(v), v == 0) for v in ends] for ends in (a, b))
        exact = [
            (p[0] & q[0] & (p[1] | q[1] | (p[2] & q[2]))) | p[3] | q[3] for p in first for q in second
        ]  # of powers of two and short numbers, far from overflow and underflow; of zeros
        # The rounded end is the true one if each product that rounds to it is exact.
        lo_exact, hi_exact = (
            np.logical_and.reduce([e | (v != end) for e, v in zip(exact, products, strict=True)]) for end in (lo, hi)
        )
        return self._signed(Ends(np.where(lo_exact, lo, _down(lo)), np.where(hi_exact, hi, _up(hi))), a, b)

    def _signed(self, result: Ends, a: Ends, b: Ends) -> Ends:
        """A product or quotient cut to the sign that the signs of a and b imply."""
        same = ((a.lo >= 0) & (b.lo >= 0)) | ((a.hi <= 0) & (b.hi <= 0))
        opposite = ((a.lo >= 0) & (b.hi <= 0)) | ((a.hi <= 0) & (b.lo >= 0))
        lo, hi = np.where(same, np.maximum(result.lo, 0.0), result.lo), result.hi
        return Ends(lo, np.where(opposite, np.minimum(hi, 0.0), hi))

    def square(self, a: Ends) -> Ends:
        """The square of a, which is never negative."""
        low, high = np.minimum(np.abs(a.lo), np.abs(a.hi)), np.maximum(np.abs(a.lo), np.abs(a.hi))
        low = np.where((a.lo <= 0) & (a.hi >= 0), 0.0, low)
        magnitude = Ends(low, high)
        return self.mul(magnitude, magnitude)

    def div(self, a: Ends, b: Ends) -> Ends:
        """The quotient a / b: the real line where 0 is inside b, a half-line where it is an end and a has one sign."""
        lo, hi = np.where(b.lo == 0, SMALLEST, b.lo), np.where(b.hi == 0, -SMALLEST, b.hi)
        downs, ups = [], []
        with np.errstate(all="ignore"):
            for p in a:
                for q in (lo, hi):
                    r = np.where(p == 0, 0.0, p / q)
                    exact = (p == 0) | ((_short(r) & _short(q) | _power_of_two(r)) & (r * q == p)) | _power_of_two(q)
                    exact &= (np.abs(r) > FLUSHED) & (np.abs(r) < 1e300) & (np.abs(p) > FLUSHED) | (p == 0)
                    downs.append(np.where(exact, r, _down(r)))
                    ups.append(np.where(exact, r, _up(r)))
        low, high = np.minimum.reduce(downs), np.maximum.reduce(ups)
        zero = (a.lo == 0) & (a.hi == 0) & ~((b.lo == 0) & (b.hi == 0))
        unbounded = (((b.lo <= 0) & (b.hi >= 0)) | np.isnan(low) | np.isnan(high)) & ~zero
        whole = unbounded & ~((b.lo >= 0) ^ (b.hi <= 0))
        # Where 0 is only an end of b, the finite end of the quotient is right; the other is infinite.
        positive = ((a.lo >= 0) & (b.lo >= 0)) | ((a.hi <= 0) & (b.hi <= 0))
        negative = ((a.lo >= 0) & (b.hi <= 0)) | ((a.hi <= 0) & (b.lo >= 0))
        low = np.where(unbounded & ~positive | whole | np.isnan(low), -np.inf, low)
        high = np.where(unbounded & ~negative | whole | np.isnan(high), np.inf, high)
        cut = self._signed(Ends(low, high), a, b)
        return Ends(np.where(whole, -np.inf, cut.lo), np.where(whole, np.inf, cut.hi))

    def scaled(self, a: Ends, factor: float) -> Ends:
        """The product of a and a float."""
        return self.mul(a, self.constant(factor, a.lo.shape))

    def power(self, a: Ends, n: int) -> Ends:
        """a^n for n >= 0."""
        if n == 0:
            return self.constant(1.0, a.lo.shape)
        if n == 1:
            return a
        half = self.power(a, n // 2)
        even = self.square(half)
        return even if n % 2 == 0 else self.mul(even, a)

    def sqrt(self, a: Ends) -> Ends:
        """The square root of the nonnegative part."""
        lo, hi = (np.sqrt(np.maximum(v, 0.0)) for v in a)
        lo_exact, hi_exact = (
            _short(r) & (r * r == np.maximum(v, 0.0)) & ((v > FLUSHED) | (v <= 0)) for r, v in ((lo, a.lo), (hi, a.hi))
        )
        return Ends(np.where(lo_exact, lo, np.maximum(_down(lo), 0.0)), np.where(hi_exact, hi, _up(hi)))

    def increasing(self, name: str, a: Ends) -> Ends:
        """The image of `a` under an increasing function of the C library or of scipy."""
        f, low, high = function(name)
        with np.errstate(all="ignore"):
            lo, hi = f(a.lo), f(a.hi)
        lo, hi = widened(lo, -1.0), widened(hi, 1.0)
        lo, hi = np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi)
        if low == 0 and name in UNDERFLOWING:
            lo, hi = np.where(lo < FLUSHED, 0.0, lo), np.maximum(hi, FLUSHED)
        lo, hi = np.clip(lo, low, high), np.clip(hi, low, high)
        if name in AT_ZERO:
            lo, hi = (np.where(v == 0, AT_ZERO[name], w) for v, w in ((a.lo, lo), (a.hi, hi)))
        return Ends(lo, hi)

    def decreasing(self, name: str, a: Ends) -> Ends:
        """The image under a decreasing function."""
        if name == "exp_neg":
            return self.increasing("exp", self.neg(a))
        return self.increasing(name, Ends(a.hi, a.lo))

    def even(self, name: str, a: Ends) -> Ends:
        """An even function that increases on x > 0."""
        low, high = np.minimum(np.abs(a.lo), np.abs(a.hi)), np.maximum(np.abs(a.lo), np.abs(a.hi))
        return self.increasing(name, Ends(np.where((a.lo <= 0) & (a.hi >= 0), 0.0, low), high))

    def wave(self, name: str, a: Ends) -> Ends:
        """The sine or cosine."""
        f, crest = (np.sin, 0.25) if name == "sin" else (np.cos, 0.0)
        with np.errstate(all="ignore"):
            values = [np.where(np.isfinite(v), f(np.where(np.isfinite(v), v, 0.0)), 0.0) for v in a]
            # In turns, counted from a crest; the slack is far more than the rounding of the division.
            turns = [v / (2 * math.pi) - crest for v in a]
            slack = 1e-12 + 1e-15 * np.maximum(*(np.abs(t) for t in turns))
            thin = a.hi - a.lo < 1e-6
            top, bottom = (
                np.floor(turns[1] + slack - shift) > np.floor(turns[0] - slack - shift) for shift in (0.0, 0.5)
            )
        lo = np.minimum(*(widened(v, -1.0) for v in values))
        hi = np.maximum(*(widened(v, 1.0) for v in values))
        moved = np.where(a.hi > a.lo, (a.hi - a.lo) * 1.0000001, 0.0)
        if name == "cos":
            lo, hi = (np.where((a.lo == 0) & (a.hi == 0), 1.0, v) for v in (lo, hi))
        # Of a very thin interval by the slope, at most 1; else by the crests and troughs inside.
        lo = np.where(thin, np.where(moved > 0, _down(lo - moved), lo), np.where(bottom, -1.0, lo))
        hi = np.where(thin, np.where(moved > 0, _up(hi + moved), hi), np.where(top, 1.0, hi))
        unknown = ~(np.isfinite(a.lo) & np.isfinite(a.hi)) | (slack > 0.1) & ~thin
        lo, hi = np.where(unknown, -1.0, lo), np.where(unknown, 1.0, hi)
        # What is nearly a crest counts as one: exact numbers of one bit stay exact in the products that follow.
        return Ends(np.where(lo < -1 + 1e-14, -1.0, lo), np.where(hi > 1 - 1e-14, 1.0, hi))

    def tangent(self, a: Ends) -> Ends:
        """The tangent; the real line where a pole may be inside."""
        turns = [v / math.pi - 0.5 for v in a]
        slack = 1e-12 + 1e-15 * np.maximum(*(np.abs(t) for t in turns))
        pole = ~(np.floor(turns[1] + slack) == np.floor(turns[0] - slack))
        image = self.increasing("tan", a)
        return Ends(np.where(pole, -np.inf, image.lo), np.where(pole, np.inf, image.hi))

    def real_power(self, a: Ends, p: Fraction) -> Ends:
        """a^p for the nonnegative part of a; monotone."""
        lo, hi = (np.maximum(v, 0.0) for v in a)
        if p == 0:
            return self.constant(1.0, a.lo.shape)
        exponent = float(p)  # its rounding moves a^p by |log a| 2^-53 of itself
        with np.errstate(all="ignore"):
            ends = [np.power(v, exponent) for v in ((lo, hi) if p > 0 else (hi, lo))]
            slack = [ULPS * 2.0**-52 * (1 + abs(exponent) * np.abs(np.log(np.where(v > 0, v, 1.0)))) for v in (lo, hi)]
        if p < 0:
            slack = slack[::-1]
        low, high = ends[0] * (1 - slack[0]), ends[1] * (1 + slack[1])
        low = np.where(low < FLUSHED, 0.0, np.minimum(low, np.finfo(float).max))
        high = np.where(ends[1] == 0, np.where(hi == 0, 0.0, FLUSHED), np.maximum(high, FLUSHED))
        return Ends(np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high))

    def two_over_root_pi(self, shape: tuple[int, ...]) -> Ends:
        """2 / sqrt(pi)."""
        return self.bracket(1.1283791670955126, shape)

    def floor(self, a: Ends) -> Ends:
        """The floor of both ends."""
        return Ends(np.floor(a.lo), np.floor(a.hi))


@no_type_check
def _times(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        product = p * q
    return np.where(np.isnan(product), 0.0, product)  # of numbers and infinities: 0 times infinity alone


@no_type_check
def _moderate(v: np.ndarray) -> np.ndarray:
    """Zero, or so far from overflow and underflow that no product of two such numbers has either."""
    size = np.abs(v)
    return (v == 0) | ((size > 1e-140) & (size < 1e140))
