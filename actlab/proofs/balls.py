"""Ball arithmetic (Arb) for thin intervals: the points of the proved tier, as object arrays of balls."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, no_type_check

import numpy as np
from flint import arb, fmpq

POSITIVE, NEGATIVE, ZERO = arb.pos_inf(), arb.neg_inf(), arb(0)
LINE = NEGATIVE.union(POSITIVE)
"""A ball of infinite radius: nothing is known."""


@no_type_check
def each(function: Callable[..., Any], inputs: int, outputs: int = 1) -> Any:
    """A function of balls, on object arrays."""
    return np.frompyfunc(function, inputs, outputs)


@no_type_check
def truth(function: Callable[..., bool], inputs: int) -> Callable[..., np.ndarray]:
    """A predicate of balls, on object arrays, as an array of bools."""
    vector = np.frompyfunc(function, inputs, 1)
    return lambda *args: np.asarray(vector(*args), bool)


@no_type_check
def below(x: arb) -> float:
    """The largest float at most x, or nearly."""
    if x.is_nan():
        return -np.inf
    value = float(x)
    return value if value == -np.inf or arb(value) <= x else float(np.nextafter(value, -np.inf))


@no_type_check
def above(x: arb) -> float:
    """The least float at least x, or nearly."""
    if x.is_nan():
        return np.inf
    value = float(x)
    return value if value == np.inf or arb(value) >= x else float(np.nextafter(value, np.inf))


@no_type_check
def low_end(x: arb) -> arb:
    """The exact lower end of a ball."""
    return NEGATIVE if x.is_nan() else x.lower()


@no_type_check
def high_end(x: arb) -> arb:
    """The exact upper end of a ball."""
    return POSITIVE if x.is_nan() else x.upper()


@no_type_check
def product(a: arb, b: arb) -> arb:
    """The product a b, where an exact 0 wins over infinity."""
    if (a.is_exact() and a.is_zero()) or (b.is_exact() and b.is_zero()):
        return ZERO
    return a * b


@no_type_check
def quotient(a: arb, b: arb) -> arb:
    """The quotient a / b; 0 for an exact 0 over anything but 0, infinite over an exact 0."""
    if a.is_exact() and a.is_zero() and not (b.is_zero() and b.is_exact()):
        return ZERO
    return a / b


@no_type_check
def softplus(x: arb) -> arb:
    """log(1 + exp(x))."""
    return x + (-x).exp().log1p() if x > 0 else x.exp().log1p()


@no_type_check
def logistic(x: arb) -> arb:
    """1 / (1 + exp(-x)), exact at 0."""
    if x.is_exact() and x.is_zero():
        return arb(0.5)
    if x > 0:
        return 1 / (1 + (-x).exp())
    e = x.exp()
    return e / (1 + e)


@no_type_check
def cube_root(x: arb) -> arb:
    """The odd cube root."""
    if x.is_zero():
        return x
    return -((-x).root(3)) if x < 0 else x.root(3)


@no_type_check
def root(x: arb) -> arb:
    """The square root of the nonnegative part."""
    return x.nonnegative_part().sqrt()


FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "exp": arb.exp,
    "expm1": arb.expm1,
    "log": arb.log,
    "log1p": arb.log1p,
    "tanh": arb.tanh,
    "sinh": arb.sinh,
    "cosh": arb.cosh,
    "asin": arb.asin,
    "acos": arb.acos,
    "atan": arb.atan,
    "asinh": arb.asinh,
    "acosh": arb.acosh,
    "atanh": arb.atanh,
    "erf": arb.erf,
    "erfc": arb.erfc,
    "erf_inv": arb.erfinv,
    "sin": arb.sin,
    "cos": arb.cos,
    "tan": arb.tan,
    "softplus": softplus,
    "logistic": logistic,
    "cbrt": cube_root,
    "exp_neg": lambda x: (-x).exp(),
}
LIMITS: dict[str, tuple[Any, Any]] = {
    "exp": (ZERO, POSITIVE),
    "exp_neg": (POSITIVE, ZERO),
    "expm1": (arb(-1), POSITIVE),
    "log": (NEGATIVE, POSITIVE),
    "log1p": (NEGATIVE, POSITIVE),
    "tanh": (arb(-1), arb(1)),
    "sinh": (NEGATIVE, POSITIVE),
    "cosh": (POSITIVE, POSITIVE),
    "asinh": (NEGATIVE, POSITIVE),
    "acosh": (NEGATIVE, POSITIVE),
    "erf": (arb(-1), arb(1)),
    "erfc": (arb(2), ZERO),
    "softplus": (ZERO, POSITIVE),
    "logistic": (ZERO, arb(1)),
    "cbrt": (NEGATIVE, POSITIVE),
}
"""The limits at both infinities, of functions that have them."""
_POLES: dict[tuple[str, int], Any] = {
    ("log", 0): NEGATIVE,
    ("log1p", -1): NEGATIVE,
    ("atanh", 1): POSITIVE,
    ("atanh", -1): NEGATIVE,
    ("erf_inv", 1): POSITIVE,
    ("erf_inv", -1): NEGATIVE,
}


@no_type_check
def evaluated(name: str, x: arb) -> arb:
    """The function at a ball, limits and poles included."""
    if x.is_exact():
        if not x.is_finite() and name in LIMITS:
            return LIMITS[name][x > 0]
        if name in _POLE_NAMES:
            for (pole, place), value in _POLES.items():
                if pole == name and x == place:
                    return value
    return FUNCTIONS[name](x)


_POLE_NAMES = {name for name, _ in _POLES}


@no_type_check
class Balls:
    """The operations of an arithmetic on object arrays of balls; every result contains every value."""

    def __init__(self, precision: int) -> None:
        self.precision, self.tier = precision, "proved"
        self.thin = self
        self._add, self._sub = each(lambda a, b: a + b, 2), each(lambda a, b: a - b, 2)
        self._mul, self._div = each(product, 2), each(quotient, 2)
        self._neg, self._square = each(lambda a: -a, 1), each(lambda a: a * a, 1)
        self._power = each(lambda a, n: a**n, 2)
        self._functions = {n: each(lambda x, n=n: evaluated(n, x), 1) for n in FUNCTIONS}

    def shape(self, a: Any) -> tuple[int, ...]:
        """How many balls there are."""
        return a.shape

    def wide(self, a: Any) -> Any:
        """Thin already."""
        return a

    def full(self, value: arb, shape: tuple[int, ...]) -> Any:
        """One ball everywhere."""
        result = np.empty(shape, object)
        result.fill(value)
        return result

    def point(self, v: np.ndarray) -> Any:
        """Floats, exactly."""
        return each(lambda x: arb(float(x)), 1)(np.asarray(v))

    def constant(self, value: float, shape: tuple[int, ...]) -> Any:
        """A float, exactly."""
        return self.full(arb(float(value)), shape)

    def rational(self, numerator: int, denominator: int, shape: tuple[int, ...]) -> Any:
        """A rational number."""
        return self.full(arb(fmpq(numerator, denominator)), shape)

    def bracket(self, value: float, shape: tuple[int, ...]) -> Any:
        """The number that `value` is the nearest float of."""
        return self.full(arb(value, abs(value) * 2.0**-52), shape)

    def whole(self, shape: tuple[int, ...]) -> Any:
        """The real line."""
        return self.full(LINE, shape)

    def take(self, a: Any, index: Any) -> Any:
        """Some of the balls."""
        return a[index] if isinstance(a[index], np.ndarray) else a[index : index + 1]

    def end(self, a: Any, side: int) -> Any:
        """The exact lower (0) or upper (1) ends."""
        return each(high_end if side else low_end, 1)(a)

    def floats(self, a: Any) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds as float64."""
        low, high = each(lambda x: below(low_end(x)), 1)(a), each(lambda x: above(high_end(x)), 1)(a)
        return np.asarray(low, float), np.asarray(high, float)

    def middle(self, a: Any) -> np.ndarray:
        """Some float inside."""
        return np.asarray(each(lambda x: float(x.mid()), 1)(a), float)

    def where(self, mask: np.ndarray, a: Any, b: Any) -> Any:
        """Balls of `a` where the mask is true, of `b` elsewhere."""
        return np.where(mask, a, b)

    def hull(self, a: Any, b: Any) -> Any:
        """A ball that holds both."""
        return each(lambda x, y: x if x is y else x.union(y), 2)(a, b)

    def meet(self, a: Any, b: Any) -> Any:
        """The one of smaller radius: both hold."""
        return each(lambda x, y: y if x.is_nan() or (not y.is_nan() and y.rad() < x.rad()) else x, 2)(a, b)

    def at_least(self, a: Any, value: float) -> Any:
        """Intersected with [value, inf), as far as balls can say that."""
        least = arb(value)
        return each(lambda x: least if x < least else x, 1)(a)

    def at_most(self, a: Any, value: float) -> Any:
        """Intersected with (-inf, value], likewise."""
        most = arb(value)
        return each(lambda x: most if x > most else x, 1)(a)

    def ge(self, a: Any, value: float) -> np.ndarray:
        """Certainly a >= value."""
        return truth(lambda x: x >= value, 1)(a)

    def le(self, a: Any, value: float) -> np.ndarray:
        """Certainly a <= value."""
        return truth(lambda x: x <= value, 1)(a)

    def gt(self, a: Any, value: float) -> np.ndarray:
        """Certainly a > value."""
        return truth(lambda x: x > value, 1)(a)

    def lt(self, a: Any, value: float) -> np.ndarray:
        """Certainly a < value."""
        return truth(lambda x: x < value, 1)(a)

    def neg(self, a: Any) -> Any:
        """-a."""
        return self._neg(a)

    def add(self, a: Any, b: Any) -> Any:
        """The sum a + b."""
        return self._add(a, b)

    def sub(self, a: Any, b: Any) -> Any:
        """The difference a - b."""
        return self._sub(a, b)

    def mul(self, a: Any, b: Any) -> Any:
        """The product a b."""
        return self._mul(a, b)

    def div(self, a: Any, b: Any) -> Any:
        """The quotient a / b."""
        return self._div(a, b)

    def square(self, a: Any) -> Any:
        """The square of a."""
        return self._square(a)

    def scaled(self, a: Any, factor: float) -> Any:
        """The product of a and a float."""
        number = arb(factor)
        return each(lambda x: product(x, number), 1)(a)

    def power(self, a: Any, n: int) -> Any:
        """a^n for n >= 0."""
        return a if n == 1 else self._power(a, n)

    def sqrt(self, a: Any) -> Any:
        """The square root of the nonnegative part."""
        return each(root, 1)(a)

    def increasing(self, name: str, a: Any) -> Any:
        """A function of the table."""
        return self._functions[name](a)

    decreasing = even = increasing

    def wave(self, name: str, a: Any) -> Any:
        """The sine or cosine."""
        return self._functions[name](a)

    def tangent(self, a: Any) -> Any:
        """The tangent."""
        return self._functions["tan"](a)

    def real_power(self, a: Any, p: Fraction) -> Any:
        """a^p for the nonnegative part of a."""
        exponent = arb(fmpq(p.numerator, p.denominator))

        def power(x: arb) -> arb:
            if x.is_exact() and x.is_zero():
                return ZERO if p > 0 else arb(1) if p == 0 else POSITIVE
            if x.is_exact() and not x.is_finite() and x > 0:
                return POSITIVE if p > 0 else arb(1) if p == 0 else ZERO
            return x.nonnegative_part() ** exponent

        return each(power, 1)(a)

    def two_over_root_pi(self, shape: tuple[int, ...]) -> Any:
        """2 / sqrt(pi)."""
        return self.full(2 / arb.pi().sqrt(), shape)

    def apart(self, a: Any, b: Any) -> bool:
        """Two single balls without a common point."""
        return bool(truth(lambda x, y: x > y or x < y, 2)(a, b).any())

    def distance(self, a: Any, b: Any) -> float:
        """How far apart points of two single balls may be."""
        return float(np.max(np.asarray(each(lambda x, y: above(abs(x - y).upper()), 2)(a, b), float)))
