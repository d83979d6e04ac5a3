"""The values, and the slopes, of an activation over an interval, from its facts."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Activation, FactError, Facts, Interval
from actlab.bounds.rounding import finite_or, slack_of_value

POINTS = 65
"""Points at which a function that is not monotone is evaluated inside each interval."""
INCREASING = ("strictly increasing", "nondecreasing")
DECREASING = ("strictly decreasing", "nonincreasing")


def range_over(f: Activation, facts: Facts, x: Interval, *, outward: bool = True) -> Interval:
    """The values of f over each interval, elementwise; exact up to rounding where f is monotone.

    Args:
        f: the activation.
        facts: what is known of it.
        x: arrays of ends, in the dtype that the network is computed in.
        outward: whether the result covers the rounding of our evaluation of f, and of the network's own.

    Raises:
        FactError: neither the order of f nor a bound of its slope or curvature is known.
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
    least, most = (
        jnp.broadcast_to(jnp.asarray(v, dtype), x.lower.shape) for v in (facts.slope.lower, facts.slope.upper)
    )
    curvature = facts.curvature
    unknown = curvature is None or bool_of(math.isinf, curvature.magnitude) is True or facts.gradient != "exact"
    if unknown or facts.kinks is None:
        return Interval(least, most)
    assert curvature is not None
    points = grid(x, POINTS, facts.replace(kinks=()))
    slopes = f.slope(points)
    bend = jnp.asarray(curvature.magnitude, dtype)
    eps = float(jnp.finfo(dtype).eps)
    slack = bend * (x.upper - x.lower) / (2 * (POINTS - 1)) * (1 + 1e-5)
    slack = slack + 8 * eps * (jnp.max(jnp.abs(slopes), axis=0) + bend * jnp.max(jnp.abs(points), axis=0))
    lower, upper = jnp.min(slopes, axis=0) - slack, jnp.max(slopes, axis=0) + slack
    if facts.smoothness is None or facts.smoothness < 1:
        for kink in facts.kinks:
            near = 8 * eps * jnp.abs(jnp.asarray(kink, dtype))
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
    dtype, found = x.lower.dtype, []
    for kink in facts.kinks or ():
        value = jnp.asarray(kink, dtype)
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
    if curvature is not None and bool_of(math.isinf, curvature.magnitude) is not True:
        bend = spacing * spacing / 8
        below = bend * jnp.maximum(jnp.asarray(curvature.upper, spacing.dtype), 0)
        above = bend * jnp.maximum(-jnp.asarray(curvature.lower, spacing.dtype), 0)
    slope = facts.slope
    if slope is not None and bool_of(math.isinf, slope.magnitude) is not True:
        reach = spacing / 4 * jnp.asarray(slope.upper - slope.lower, spacing.dtype)  # below, or above, the chord
        below, above = (reach if isinstance(v, float) else jnp.minimum(v, reach) for v in (below, above))
    return below, above


def bool_of(predicate: Any, value: Any) -> bool | None:
    """A predicate of a number; None where the value is traced or an array."""
    return None if isinstance(value, jax.Array) else predicate(value)


def argument_slope(f: Activation, facts: Facts, x: Array) -> Any:
    """The slope by which an argument's rounding acts: a bound where one is known, else that at the place."""
    bound = facts.lipschitz()
    return jnp.abs(f.slope(x)) if bool_of(math.isinf, bound) else bound


def _within_range(found: Interval, facts: Facts, outward: bool) -> Interval:
    lower, upper = finite_or(found.lower, -jnp.inf), finite_or(found.upper, jnp.inf)
    if facts.range is None:
        return Interval(lower, upper)
    dtype = lower.dtype
    few = 8 * float(jnp.finfo(dtype).eps) if outward else 0.0
    least, most = (jnp.asarray(v, dtype) for v in (facts.range.lower, facts.range.upper))
    return Interval(
        jnp.maximum(lower, least - jnp.where(jnp.isinf(least), 0, few * jnp.abs(least))),
        jnp.minimum(upper, most + jnp.where(jnp.isinf(most), 0, few * jnp.abs(most))),
    )


def check_boundable(f: Activation, facts: Facts) -> None:
    """Refuses an activation that no rule bounds.

    Raises:
        FactError: it is neither monotone nor of bounded slope, curvature or range, as far as is known.
    """
    monotone = facts.monotone in INCREASING + DECREASING
    spans = [v for v in (facts.slope, facts.curvature, facts.range) if v is not None]
    if not monotone and not any(bool_of(math.isinf, v.magnitude) is not True for v in spans):
        raise FactError(
            f"{f!r} has no known order, and neither its slope, its curvature nor its range is known to be bounded; "
            "actlab.proofs.certify(f, domain=...) proves bounds on a domain"
        )
