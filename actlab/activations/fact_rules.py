"""How facts combine: the chain rule for compositions, the sum rule for sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from actlab.activations.activation import Activation
from actlab.activations.facts import Facts, Gradient, Monotone, Standing
from actlab.activations.interval import Interval

DIRECTION = {"strictly increasing": 1, "nondecreasing": 1, "strictly decreasing": -1, "nonincreasing": -1}
ROUNDING = 1e-14
"""Relative error granted to a float64 evaluation of an activation at an end of its domain."""


def composed(outer: Activation, g: Facts) -> Facts:
    """The facts of `outer(g(x))` from those of its parts, by the chain rule.

    Sound for every g with these facts; exact where one of the two is affine.
    """
    f = outer.facts
    slope = None if f.slope is None or g.slope is None else f.slope * g.slope
    curvature = None
    if f.curvature is not None and g.curvature is not None and f.slope is not None and g.slope is not None:
        curvature = f.curvature * squared(g.slope) + f.slope * g.curvature
    image = _image(outer, f, g)
    return Facts(
        range=image,
        slope=slope,
        curvature=curvature,
        kinks=_kinks_of_composition(f, g),
        smoothness=_least(f.smoothness, g.smoothness),
        monotone=_monotone_composition(f.monotone, g.monotone),
        inverse=_composed_inverse(f.inverse, g.inverse),
        gradient=_gradient(f, g),
        standing=_standing(f, g, image, slope, curvature),
    )


def added(f: Facts, g: Facts) -> Facts:
    """The facts of `f(x) + g(x)`; the range is exact where both are monotone in one direction."""
    image, slope, curvature = (
        None if a is None or b is None else a + b
        for a, b in ((f.range, g.range), (f.slope, g.slope), (f.curvature, g.curvature))
    )
    smoothness = _least(f.smoothness, g.smoothness)
    return Facts(
        range=image,
        slope=slope,
        curvature=curvature,
        kinks=None if f.kinks is None or g.kinks is None else _ordered(f.kinks + g.kinks),
        smoothness=smoothness,
        monotone=_monotone_sum(f, g, slope, smoothness),
        gradient=_gradient(f, g),
        standing=_standing(f, g, image, slope, curvature),
    )


def squared(interval: Interval) -> Interval:
    """The squares of the values, without the sign that a product of two independent factors would allow."""
    return (interval * interval).intersect(Interval(0.0, math.inf))


def is_concrete(value: Any) -> bool:
    """Whether every leaf is a Python number, so that Python may compare it."""
    return all(isinstance(leaf, (int, float)) for leaf in jax.tree.leaves(value))


def _image(outer: Activation, f: Facts, g: Facts) -> Interval | None:
    """The range of f over the range of g: by the end values where f is continuous and monotone, else that of f."""
    continuous = f.smoothness is not None and f.smoothness >= 0
    if g.range is None or f.range is None or f.slope is None or f.monotone not in DIRECTION or not continuous:
        return f.range
    if not is_concrete((outer, f.range, f.slope, g.range)):
        return f.range
    limits = (f.range.lower, f.range.upper)[:: DIRECTION[f.monotone]]
    ends = [
        Interval(limit, limit) if math.isinf(end) else _enclosed(outer, float(end), f.slope)
        for end, limit in zip((g.range.lower, g.range.upper), limits, strict=True)
    ]
    return ends[0].hull(ends[1]).intersect(f.range)


def _enclosed(f: Activation, x: float, slope: Interval) -> Interval:
    """f(x) with its rounding: exact lines stay exact."""
    value = _in_float64(f.evaluate, x)
    if is_concrete(slope) and slope.lower == slope.upper and value == slope.lower * x:
        return Interval(value, value)
    slack = ROUNDING * (abs(value) + abs(x) * (slope.magnitude if math.isfinite(slope.magnitude) else 1.0))
    return Interval(value - slack, value + slack)


def _in_float64(function: Callable[[Any], Any], x: float) -> float:
    """A function of an array at one number, now and in float64, even while something else is being traced."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return float(function(jnp.asarray(x, jnp.float64)))


def _kinks_of_composition(f: Facts, g: Facts) -> tuple[Any, ...] | None:
    """Where g kinks, or meets a kink of f: known where g can be inverted, or never meets one."""
    if f.kinks is None or g.kinks is None:
        return None
    if not f.kinks:
        return g.kinks
    if g.range is None or not is_concrete((f.kinks, g.range, g.kinks)):
        return None
    met = [k for k in f.kinks if g.range.contains(k)]
    if not met:
        return g.kinks
    if g.inverse is None:
        return None
    try:
        points = tuple(_in_float64(g.inverse, k) for k in met)
    except (TypeError, ValueError):  # the inverse closes over traced parameters
        return None
    return _ordered(g.kinks + tuple(p for p in points if math.isfinite(p)))


def _ordered(kinks: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(kinks))) if is_concrete(kinks) else kinks


def _monotone_composition(f: Monotone, g: Monotone) -> Monotone:
    if f not in DIRECTION or g not in DIRECTION:
        return "unknown"
    return _monotone(DIRECTION[f] * DIRECTION[g], f.startswith("strictly") and g.startswith("strictly"))


def _monotone_sum(f: Facts, g: Facts, slope: Interval | None, smoothness: int | float | None) -> Monotone:
    """By the directions of the terms where they agree, else by the sign of the slope of a continuous sum."""
    if f.monotone in DIRECTION and DIRECTION[f.monotone] == DIRECTION.get(g.monotone):
        return _monotone(DIRECTION[f.monotone], f.strictly_monotone or g.strictly_monotone)
    if slope is None or not is_concrete(slope) or smoothness is None or smoothness < 0:
        return "unknown"
    if slope.lower >= 0:
        return _monotone(1, slope.lower > 0)
    return _monotone(-1, slope.upper < 0) if slope.upper <= 0 else "unknown"


def _monotone(direction: int, strict: bool) -> Monotone:
    if direction > 0:
        return "strictly increasing" if strict else "nondecreasing"
    return "strictly decreasing" if strict else "nonincreasing"


def _composed_inverse(f: Callable | None, g: Callable | None) -> Callable | None:
    return None if f is None or g is None else lambda y: g(f(y))


def _least(a: int | float | None, b: int | float | None) -> int | float | None:
    return None if a is None or b is None else min(a, b)


def _gradient(f: Facts, g: Facts) -> Gradient:
    return "surrogate" if "surrogate" in (f.gradient, g.gradient) else "exact"


def _standing(f: Facts, g: Facts, *bounds: Interval | None) -> Standing:
    """As weak as the weaker part; unknown where nothing at all is known."""
    if all(b is None for b in bounds):
        return "unknown"
    return "proved" if f.standing == g.standing == "proved" else "declared"
