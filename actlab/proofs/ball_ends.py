"""Intervals with exact ends, computed in ball arithmetic (Arb): the wide boxes of the proved tier.

Ends rather than midpoint and radius: a ball that holds [200, 3e38] would hold 0 too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, no_type_check

import numpy as np
from flint import arb, ctx

from actlab.proofs.balls import NEGATIVE, POSITIVE, ZERO, Balls, above, below, each, evaluated, high_end, low_end, truth
from actlab.proofs.ends import Ends

Scalar = tuple[Any, Any]


@no_type_check
def _pair(function: Callable[..., Scalar], intervals: int) -> Callable[..., Ends]:
    """A function of the ends of single intervals, on arrays of them."""
    vector = np.frompyfunc(function, 2 * intervals, 2)
    return lambda *args: Ends(*vector(*(end for a in args for end in a)))


@no_type_check
def _add(a: arb, b: arb, c: arb, d: arb) -> Scalar:
    return low_end(a + c), high_end(b + d)


@no_type_check
def _down(a: arb, b: arb) -> arb:
    return ZERO if a.is_zero() or b.is_zero() else (a * b).lower()


@no_type_check
def _up(a: arb, b: arb) -> arb:
    return ZERO if a.is_zero() or b.is_zero() else (a * b).upper()


@no_type_check
def _mul(a: arb, b: arb, c: arb, d: arb) -> Scalar:
    if (a.is_zero() and b.is_zero()) or (c.is_zero() and d.is_zero()):
        return ZERO, ZERO
    if a >= 0:
        return _down(b if c < 0 else a, c), _up(b if d >= 0 else a, d)
    if b <= 0:
        return _down(a if d >= 0 else b, d), _up(a if c < 0 else b, c)
    if c >= 0:
        return _down(a, d), _up(b, d)
    if d <= 0:
        return _down(b, c), _up(a, c)
    low, low2, high, high2 = _down(a, d), _down(b, c), _up(a, c), _up(b, d)
    return (low if low <= low2 else low2), (high if high >= high2 else high2)


@no_type_check
def _inverse(a: arb, b: arb) -> Scalar:
    """1/[a, b], which does not have 0 inside."""
    if a >= 0:
        return (ZERO if not b.is_finite() else (1 / b).lower()), (POSITIVE if a.is_zero() else (1 / a).upper())
    return (NEGATIVE if b.is_zero() else (1 / b).lower()), (ZERO if not a.is_finite() else (1 / a).upper())


@no_type_check
def _div(a: arb, b: arb, c: arb, d: arb) -> Scalar:
    if a.is_zero() and b.is_zero() and not (c.is_zero() and d.is_zero()):
        return ZERO, ZERO
    if (c < 0 and d > 0) or (c.is_zero() and d.is_zero()):
        return NEGATIVE, POSITIVE
    if (c > 0 or d < 0) and a.is_finite() and b.is_finite() and c.is_finite() and d.is_finite():
        if c > 0:
            low, high = (a / (d if a >= 0 else c)).lower(), (b / (c if b >= 0 else d)).upper()
        else:
            low, high = (b / (d if b >= 0 else c)).lower(), (a / (c if a >= 0 else d)).upper()
        return low, high
    low, high = _inverse(c, d)
    if (low.is_finite() and high.is_finite()) or not (a <= 0 and b >= 0):
        return _mul(a, b, low, high)
    # 0 times an infinite end: of numerators that touch or hold 0 over divisors that touch it.
    if a.is_zero():
        return (ZERO, POSITIVE) if low >= 0 else (NEGATIVE, ZERO)
    if b.is_zero():
        return (NEGATIVE, ZERO) if low >= 0 else (ZERO, POSITIVE)
    return NEGATIVE, POSITIVE


@no_type_check
def _square(a: arb, b: arb) -> Scalar:
    if a >= 0:
        return (a * a).lower(), (b * b).upper()
    if b <= 0:
        return (b * b).lower(), (a * a).upper()
    high, high2 = (a * a).upper(), (b * b).upper()
    return ZERO, (high if high >= high2 else high2)


@no_type_check
def _meet(a: arb, b: arb, c: arb, d: arb) -> Scalar:
    low, high = (a if a >= c else c), (b if b <= d else d)
    return (a, b) if low > high else (low, high)


@no_type_check
class BallEnds:
    """Interval operations on `Ends` of exact balls; every result contains every value that its operands allow."""

    def __init__(self, precision: int) -> None:
        self.precision, self.tier = precision, "proved"
        self.thin = Balls(precision)
        self.add, self.mul, self.div = _pair(_add, 2), _pair(_mul, 2), _pair(_div, 2)
        self.square, self.meet = _pair(_square, 1), _pair(_meet, 2)
        self.neg = _pair(lambda a, b: (-b, -a), 1)
        self.sub = _pair(lambda a, b, c, d: _add(a, b, -d, -c), 2)
        self.hull = _pair(lambda a, b, c, d: (a if a <= c else c, b if b >= d else d), 2)
        self.maximum = _pair(lambda a, b, c, d: (a if a >= c else c, b if b >= d else d), 2)

    def begin(self) -> None:
        """Sets the precision of Arb, which is global."""
        ctx.prec = self.precision

    def shape(self, a: Ends) -> tuple[int, ...]:
        """How many intervals there are."""
        return a.lo.shape

    def wide(self, thin: Any) -> Ends:
        """Balls as intervals."""
        return Ends(each(low_end, 1)(thin), each(high_end, 1)(thin))

    def point(self, v: np.ndarray) -> Ends:
        """[v, v] of floats."""
        exact = self.thin.point(v)
        return Ends(exact, exact)

    def between(self, lo: np.ndarray, hi: np.ndarray) -> Ends:
        """[lo, hi] of floats."""
        return Ends(_exact(lo), _exact(hi))

    def constant(self, value: float, shape: tuple[int, ...]) -> Ends:
        """A float, exactly."""
        exact = self.thin.constant(value, shape)
        return Ends(exact, exact)

    def rational(self, numerator: int, denominator: int, shape: tuple[int, ...]) -> Ends:
        """A rational number."""
        return self._spread(self.thin.rational(numerator, denominator, (1,)), shape)

    def two_over_root_pi(self, shape: tuple[int, ...]) -> Ends:
        """2 / sqrt(pi)."""
        return self._spread(self.thin.two_over_root_pi((1,)), shape)

    def _spread(self, ball: Any, shape: tuple[int, ...]) -> Ends:
        return Ends(self.thin.full(low_end(ball[0]), shape), self.thin.full(high_end(ball[0]), shape))

    def whole(self, shape: tuple[int, ...]) -> Ends:
        """The real line."""
        return Ends(self.thin.full(NEGATIVE, shape), self.thin.full(POSITIVE, shape))

    def take(self, a: Ends, index: Any) -> Ends:
        """Some of the intervals."""
        return Ends(a.lo[index], a.hi[index])

    def end(self, a: Ends, side: int) -> Any:
        """The lower (0) or upper (1) ends as balls."""
        return a[side]

    def floats(self, a: Ends) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds as float64."""
        return np.asarray(each(below, 1)(a.lo), float), np.asarray(each(above, 1)(a.hi), float)

    def where(self, mask: np.ndarray, a: Ends, b: Ends) -> Ends:
        """Intervals of `a` where the mask is true, of `b` elsewhere."""
        return Ends(np.where(mask, a.lo, b.lo), np.where(mask, a.hi, b.hi))

    def at_least(self, a: Ends, value: float) -> Ends:
        """Intersected with [value, inf)."""
        if value == -math.inf:
            return a
        least = arb(value)
        return _pair(lambda x, y: (x if x >= least else least, y if y >= least else least), 1)(a)

    def at_most(self, a: Ends, value: float) -> Ends:
        """Intersected with (-inf, value]."""
        if value == math.inf:
            return a
        most = arb(value)
        return _pair(lambda x, y: (x if x <= most else most, y if y <= most else most), 1)(a)

    def finite(self, a: Ends) -> np.ndarray:
        """Both ends are numbers."""
        return truth(lambda x, y: x.is_finite() and y.is_finite(), 2)(a.lo, a.hi)

    def ge(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a >= value."""
        return truth(lambda x: x >= value, 1)(a.lo)

    def le(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a <= value."""
        return truth(lambda x: x <= value, 1)(a.hi)

    def gt(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a > value."""
        return truth(lambda x: x > value, 1)(a.lo)

    def lt(self, a: Ends, value: float) -> np.ndarray:
        """Certainly a < value."""
        return truth(lambda x: x < value, 1)(a.hi)

    def scaled(self, a: Ends, factor: float) -> Ends:
        """The product of a and a float."""
        number = arb(factor)
        if factor >= 0:
            return _pair(lambda x, y: (_down(x, number), _up(y, number)), 1)(a)
        return _pair(lambda x, y: (_down(y, number), _up(x, number)), 1)(a)

    def power(self, a: Ends, n: int) -> Ends:
        """a^n for n >= 0."""
        if n == 0:
            return self.constant(1.0, a.lo.shape)
        if n == 1:
            return a
        even = self.square(self.power(a, n // 2))
        return even if n % 2 == 0 else self.mul(even, a)

    def sqrt(self, a: Ends) -> Ends:
        """The square root of the nonnegative part."""

        def ends(x: arb, y: arb) -> Scalar:
            return (ZERO if x <= 0 else x.sqrt().lower()), (ZERO if y <= 0 else y.sqrt().upper())

        return _pair(ends, 1)(a)

    def increasing(self, name: str, a: Ends) -> Ends:
        """The image under an increasing function."""
        return _pair(lambda x, y: (low_end(evaluated(name, x)), high_end(evaluated(name, y))), 1)(a)

    def decreasing(self, name: str, a: Ends) -> Ends:
        """The image under a decreasing function."""
        return _pair(lambda x, y: (low_end(evaluated(name, y)), high_end(evaluated(name, x))), 1)(a)

    def wave(self, name: str, a: Ends) -> Ends:
        """The sine or cosine: the ends, and the crests and troughs between them."""
        quarter = arb(0.25 if name == "sin" else 0.0)
        function = arb.sin if name == "sin" else arb.cos

        def image(x: arb, y: arb) -> Scalar:
            if not (x.is_finite() and y.is_finite()):
                return arb(-1), arb(1)
            start, stop = (v / (2 * arb.pi()) - quarter for v in (x, y))
            values = function(x), function(y)
            low = min(low_end(values[0]), low_end(values[1]))
            high = max(high_end(values[0]), high_end(values[1]))
            if not x == y:
                high = arb(1) if _whole_between(start, stop) else high
                low = arb(-1) if _whole_between(start - arb(0.5), stop - arb(0.5)) else low
            return low, high

        return _pair(image, 1)(a)

    def tangent(self, a: Ends) -> Ends:
        """The tangent; the real line where a pole may be inside."""

        def image(x: arb, y: arb) -> Scalar:
            if not (x.is_finite() and y.is_finite()):
                return NEGATIVE, POSITIVE
            if _whole_between(x / arb.pi() - arb(0.5), y / arb.pi() - arb(0.5)):
                return NEGATIVE, POSITIVE
            return low_end(x.tan()), high_end(y.tan())

        return _pair(image, 1)(a)

    def real_power(self, a: Ends, p: Fraction) -> Ends:
        """a^p for the nonnegative part of a; monotone."""
        ends = self.thin.real_power(self.at_least(a, 0.0).lo, p), self.thin.real_power(self.at_least(a, 0.0).hi, p)
        low, high = ends if p >= 0 else ends[::-1]
        return Ends(each(low_end, 1)(low), each(high_end, 1)(high))


@no_type_check
def _whole_between(start: arb, stop: arb) -> bool:
    """Whether a whole number may lie in [start, stop]."""
    return not stop.upper().floor().upper() < start.lower().ceil().lower()


@no_type_check
def _exact(v: np.ndarray) -> Any:
    def ball(x: float) -> arb:
        return arb(float(x)) if math.isfinite(x) else (POSITIVE if x > 0 else NEGATIVE)

    return each(ball, 1)(np.asarray(v))
