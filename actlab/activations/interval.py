"""Closed intervals `[lower, upper]`: the bounds that facts are made of."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import ArrayLike


def namespace(*values: Any) -> Any:
    """`jax.numpy` if any value is a jax array (or tracer), else `numpy`, which keeps Python floats in float64."""
    return jnp if any(isinstance(v, jax.Array) for v in values) else np


def plain(value: Any) -> Any:
    """A numpy scalar as a Python float; anything else unchanged."""
    return (
        float(value) if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0) else value
    )


def product(a: ArrayLike, b: ArrayLike) -> Any:
    """`a * b` with `0 * inf = 0`, the rule for bounds: a zero factor makes the product zero whatever the other."""
    xp = namespace(a, b)
    with np.errstate(invalid="ignore", over="ignore"):
        return xp.where((xp.asarray(a) == 0) | (xp.asarray(b) == 0), 0.0, xp.multiply(a, b))


def _outward(value: Any, exact: Any, direction: float) -> Any:
    """The value where it is exact, else the next float in the direction: from an overflow back to the largest one."""
    xp = namespace(value)
    end = xp.asarray(direction, value.dtype)
    if xp is np:
        return plain(np.where(exact, value, np.nextafter(value, end)))
    still = exact | jnp.isinf(value)
    fixed = jnp.where(still, 0, jax.lax.stop_gradient(value))  # nextafter has no derivative rule
    moved = value + jnp.where(still, 0, jnp.nextafter(fixed, end) - fixed)
    return jnp.where(exact | ~jnp.isinf(value), moved, jnp.nextafter(jax.lax.stop_gradient(value), end))


def _sum(a: Any, b: Any, direction: float) -> Any:
    xp = namespace(a, b)
    with np.errstate(invalid="ignore", over="ignore"):
        total = xp.add(a, b)
        rest = total - a
        error = (a - (total - rest)) + (b - rest)  # Knuth's TwoSum: zero where the addition was exact
    return _outward(total, (error == 0) | xp.isinf(a) | xp.isinf(b), direction)


def _is_power_of_two(value: Any) -> Any:
    xp = namespace(value)
    mantissa, _ = xp.frexp(xp.abs(value))
    return mantissa == 0.5


def _product(a: Any, b: Any, direction: float) -> Any:
    xp = namespace(a, b)
    value = product(a, b)
    normal = (xp.abs(value) >= xp.finfo(value.dtype).smallest_normal) & ~xp.isinf(value)  # else rounded all the same
    scaled = (_is_power_of_two(a) | _is_power_of_two(b)) & normal
    return _outward(value, (a == 0) | (b == 0) | xp.isinf(a) | xp.isinf(b) | scaled, direction)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Interval:
    """The closed interval `[lower, upper]`; an infinite end means unbounded on that side.

    A pytree: under `jax.vmap` over parameters the ends are arrays. Arithmetic rounds outward, so that a result computed
    from true bounds is a true bound.
    """

    lower: Any
    upper: Any

    def __add__(self, other: Interval | ArrayLike) -> Interval:
        """The sums of a value of each."""
        other = as_interval(other)
        return Interval(_sum(self.lower, other.lower, -math.inf), _sum(self.upper, other.upper, math.inf))

    __radd__ = __add__

    def __neg__(self) -> Interval:
        """The negatives of the values."""
        return Interval(-self.upper, -self.lower)

    def __sub__(self, other: Interval | ArrayLike) -> Interval:
        """The differences of a value of each."""
        return self + (-as_interval(other))

    def __mul__(self, other: Interval | ArrayLike) -> Interval:
        """The products of a value of each."""
        other = as_interval(other)
        xp = namespace(self.lower, self.upper, other.lower, other.upper)
        pairs = [(a, b) for a in (self.lower, self.upper) for b in (other.lower, other.upper)]
        lower = functools.reduce(xp.minimum, [_product(a, b, -math.inf) for a, b in pairs])
        upper = functools.reduce(xp.maximum, [_product(a, b, math.inf) for a, b in pairs])
        return Interval(plain(lower), plain(upper))

    __rmul__ = __mul__

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that contains both."""
        xp = namespace(self.lower, self.upper, other.lower, other.upper)
        return Interval(plain(xp.minimum(self.lower, other.lower)), plain(xp.maximum(self.upper, other.upper)))

    def intersect(self, other: Interval) -> Interval:
        """The values in both; the ends cross where there is none."""
        xp = namespace(self.lower, self.upper, other.lower, other.upper)
        return Interval(plain(xp.maximum(self.lower, other.lower)), plain(xp.minimum(self.upper, other.upper)))

    def rounded(self, roundings: int = 2) -> Interval:
        """Widened by so many relative rounding errors at each end, for ends computed in floating point; 0 stays 0."""
        lower, upper = (
            namespace(v).asarray(v, None if isinstance(v, jax.Array) else float) for v in (self.lower, self.upper)
        )
        slack = [roundings * abs(v) * jnp.finfo(v.dtype).eps for v in (lower, upper)]
        return Interval(plain(lower - slack[0]), plain(upper + slack[1]))

    def contains(self, value: Any, slack: float = 0.0) -> Any:
        """Whether each value (number, array or Interval) lies inside, up to an absolute `slack`."""
        other = as_interval(value)
        return (other.lower >= self.lower - slack) & (other.upper <= self.upper + slack)

    @property
    def magnitude(self) -> Any:
        """The largest absolute value inside."""
        xp = namespace(self.lower, self.upper)
        return plain(xp.maximum(xp.abs(self.lower), xp.abs(self.upper)))

    @property
    def width(self) -> Any:
        """`upper - lower`."""
        return self.upper - self.lower

    def __str__(self) -> str:
        """As `[lower, upper]`, six significant digits."""
        if any(np.ndim(v) or isinstance(v, Tracer) for v in (self.lower, self.upper)):
            return f"[{self.lower}, {self.upper}]"
        return f"[{float(self.lower):.6g}, {float(self.upper):.6g}]"


def as_interval(value: Any) -> Interval:
    """A number as the interval that holds only it; an Interval unchanged."""
    return value if isinstance(value, Interval) else Interval(value, value)


REALS = Interval(-math.inf, math.inf)
HALF_LINE = Interval(0.0, math.inf)
UNIT = Interval(0.0, 1.0)
SYMMETRIC = Interval(-1.0, 1.0)
ZERO = Interval(0.0, 0.0)
