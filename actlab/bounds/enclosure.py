"""The values, and the slopes, of an activation over an interval, from its facts."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations import Activation, Facts, Interval
from actlab.activations.definition import aligned
from actlab.bounds.rounding import finite_or, slack_of_value

POINTS = 65
"""Points at which a function that is not monotone is evaluated inside each interval."""
INCREASING = ("strictly increasing", "nondecreasing")
DECREASING = ("strictly decreasing", "nonincreasing")


def range_over(f: Activation, facts: Facts, x: Interval, *, outward: bool = True) -> Interval:
    """The values of f over each interval, elementwise; exact up to rounding where f is monotone.

    Infinite where f is not known to be monotone, and neither its slope, curvature nor range is known to be bounded.

    Args:
        f: the activation.
        facts: what is known of it.
        x: arrays of ends, in the dtype that the network is computed in.
        outward: whether the result covers the rounding of our evaluation of f, and of the network's own.
    """
    lower, upper = (f.evaluate(jnp.asarray(v)) for v in (x.lower, x.upper))
    ends = Interval(lower, upper) if facts.monotone not in DECREASING else Interval(upper, lower)
    if outward:
        slack = [slack_of_value(v, e, argument_slope(f, facts, e)) for v, e in ((lower, x.lower), (upper, x.upper))]
        below, above = slack if facts.monotone not in DECREASING else slack[::-1]
        ends = Interval(ends.lower - 2 * below, ends.upper + 2 * above)
    if facts.monotone not in INCREASING + DECREASING:
        ends = _general(f, facts, x, outward)
    return _within_range(ends, facts, outward)


def _general(f: Activation, facts: Facts, x: Interval, outward: bool) -> Interval:
    """By the values at points inside and at kinks, and what f can do between two points of a grid."""
    points = grid(x, POINTS, facts)
    values = f.evaluate(points)
    spacing = (x.upper - x.lower) / (POINTS - 1) * (1 + 1e-5)
    below, above = between_points(facts, spacing)
    if isinstance(below, float) and math.isinf(below):
        return Interval(jnp.full_like(x.lower, -jnp.inf), jnp.full_like(x.upper, jnp.inf))
    slack = 2 * slack_of_value(values, points, argument_slope(f, facts, points)) if outward else 0.0
    return Interval(jnp.min(values - slack, axis=0) - below, jnp.max(values + slack, axis=0) + above)


def slopes_over(f: Activation, facts: Facts, x: Interval) -> Interval:
    """The slopes of f over each interval, kinks included: f' at points, and what a bounded curvature allows between.

    Where f kinks inside the interval, or its curvature is not known to be bounded, the whole enclosure of its slope.
    """
    assert facts.slope is not None
    dtype = x.lower.dtype
    least, most = (jnp.broadcast_to(aligned(v, x.lower), x.lower.shape) for v in (facts.slope.lower, facts.slope.upper))
    curvature = facts.curvature
    unknown = curvature is None or known_unbounded(curvature.magnitude) or facts.gradient != "exact"
    if unknown or facts.kinks is None:
        return Interval(least, most)
    assert curvature is not None
    points = grid(x, POINTS, facts.replace(kinks=()))
    slopes = f.slope(points)
    bend = aligned(curvature.magnitude, x.lower)
    eps = float(jnp.finfo(dtype).eps)
    slack = bend * (x.upper - x.lower) / (2 * (POINTS - 1)) * (1 + 1e-5)
    slack = slack + 8 * eps * (jnp.max(jnp.abs(slopes), axis=0) + bend * jnp.max(jnp.abs(points), axis=0))
    lower, upper = jnp.min(slopes, axis=0) - slack, jnp.max(slopes, axis=0) + slack
    if facts.smoothness is None or facts.smoothness < 1:
        for kink in (aligned(k, x.lower) for k in facts.kinks):
            near = 8 * eps * jnp.abs(kink)
            inside = (x.lower <= kink + near) & (kink - near <= x.upper)
            lower, upper = jnp.where(inside, least, lower), jnp.where(inside, most, upper)
    few = 4 * eps
    least, most = least - few * jnp.abs(least), most + few * jnp.abs(most)
    return Interval(jnp.maximum(finite_or(lower, -jnp.inf), least), jnp.minimum(finite_or(upper, jnp.inf), most))


def grid(x: Interval, count: int, facts: Facts) -> Float[Array, "points *s"]:
    """Evenly spaced points of each interval, both ends included, and the kinks that lie inside (else an end again)."""
    fractions = jnp.linspace(0.0, 1.0, count, dtype=x.lower.dtype).reshape(-1, *[1] * x.lower.ndim)
    lower, upper = x.lower[None], x.upper[None]
    even = jnp.clip(lower * (1 - fractions) + upper * fractions, lower, upper)
    return jnp.concatenate([even, kink_points(x, facts)]) if facts.kinks else even


def kink_points(x: Interval, facts: Facts) -> Float[Array, "points *s"]:
    """The kinks, each clipped into its interval; on both sides of each where f jumps."""
    found = []
    for kink in facts.kinks or ():
        value = aligned(kink, x.lower)
        sides = [jnp.nextafter(value, -jnp.inf), value, jnp.nextafter(value, jnp.inf)]
        found += sides if facts.smoothness is None or facts.smoothness < 0 else [value]
    return jnp.stack([jnp.clip(jnp.broadcast_to(v, x.lower.shape), x.lower, x.upper) for v in found])


def between_points(facts: Facts, spacing: Float[Array, "*s"]) -> tuple[Any, Any]:
    """How far f can be below the lower, and above the upper, of its values at two points so far apart.

    Between them f has no jump and, unless it is once continuously differentiable, no kink.
    """
    below: Any = math.inf
    above: Any = math.inf
    if facts.kinks is None and (facts.smoothness is None or facts.smoothness < 0):
        return below, above  # it may jump anywhere
    once = facts.smoothness is not None and facts.smoothness >= 1
    curvature = facts.curvature if facts.kinks is not None or once else None
    if curvature is not None and not known_unbounded(curvature.magnitude):
        bend = spacing * spacing / 8
        below = bend * jnp.maximum(aligned(curvature.upper, spacing), 0)
        above = bend * jnp.maximum(-aligned(curvature.lower, spacing), 0)
    slope = facts.slope
    if slope is not None and not known_unbounded(slope.magnitude):
        reach = spacing / 4 * aligned(slope.upper - slope.lower, spacing)  # below, or above, the chord
        below, above = (reach if isinstance(v, float) else jnp.minimum(v, reach) for v in (below, above))
    return below, above


def known_unbounded(bound: Any) -> bool:
    """Whether a bound is known not to be finite, for one element at least; of a traced one nothing is known."""
    return not isinstance(bound, Tracer) and not np.all(np.isfinite(bound))


def argument_slope(f: Activation, facts: Facts, x: Array) -> Any:
    """The slope by which an argument's rounding acts: a bound where one is known, else that at the place."""
    bound = facts.lipschitz()
    return jnp.abs(f.slope(x)) if known_unbounded(bound) else bound


def _within_range(found: Interval, facts: Facts, outward: bool) -> Interval:
    lower, upper = finite_or(found.lower, -jnp.inf), finite_or(found.upper, jnp.inf)
    if facts.range is None:
        return Interval(lower, upper)
    few = 8 * float(jnp.finfo(lower.dtype).eps) if outward else 0.0
    least, most = (aligned(v, lower) for v in (facts.range.lower, facts.range.upper))
    return Interval(
        jnp.maximum(lower, least - jnp.where(jnp.isinf(least), 0, few * jnp.abs(least))),
        jnp.minimum(upper, most + jnp.where(jnp.isinf(most), 0, few * jnp.abs(most))),
    )
