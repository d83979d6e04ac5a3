"""Two lines between which an activation lies on an interval: the pieces of linear bounds.

The area between a line and f is least where the line is a support of f's convex (concave) envelope at the interval's
middle. Slopes are therefore chosen among the tangent at the middle, the steepest or flattest chord from either end
(which is the tangent from that end, for an S shape), and 0, by the line's value at the middle. Any slope is sound: its
intercept is the extreme of f(x) - a x at points of a grid, at kinks and at both ends, widened by what f can do between
two of them (h^2/8 sup|f''|, or h/4 (sup f' - inf f')) and by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Activation, Facts, Interval
from actlab.activations.definition import aligned
from actlab.activations.facts import certain
from actlab.bounds.enclosure import argument_slope, between_points, grid, range_over
from actlab.bounds.rounding import slack_of_value

POINTS = 33
"""Grid points of an interval, for functions that are neither convex, concave nor piecewise linear."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lines:
    """`lower_slope x + lower_intercept <= f(x) <= upper_slope x + upper_intercept` on the interval, elementwise."""

    lower_slope: Any
    lower_intercept: Any
    upper_slope: Any
    upper_intercept: Any


class Samples(NamedTuple):
    """An activation at points of each interval, and how far f can be from them: arrays (points, *s) and (*s)."""

    x: Array
    y: Array
    slack: Array | float
    below: Any
    above: Any


def bounding_lines(f: Activation, facts: Facts, x: Interval, *, outward: bool = True) -> Lines:
    """The two lines for each interval, elementwise; differentiable in the ends.

    Exact for piecewise linear functions; the best possible for convex, concave and S-shaped ones up to the grid.

    Args:
        f: the activation.
        facts: what is known of it.
        x: arrays of ends.
        outward: cover rounding, ours and that of the executed network.
    """
    values = range_over(f, facts, x, outward=outward)
    if facts.monotone == "nondecreasing" and facts.smoothness == -1 or not has_remainder(facts):
        return _constant(values)
    at = samples(f, facts, x, outward)
    middle = 0.5 * x.lower + 0.5 * x.upper
    tangent = _bounded(
        jax.lax.stop_gradient(f.slope(middle)) if facts.gradient == "surrogate" else f.slope(middle), facts
    )
    if _bent_one_way(facts):
        lines = _of_one_bend(f, facts, x, at, middle, tangent, outward)
    else:
        from_lower = _chords(at, 0, tangent, facts)
        from_upper = _chords(at, at_upper(at), tangent, facts)
        upper = _best([tangent, from_lower[1], from_upper[0]], at, middle, outward, 1)
        lower = _best([tangent, from_lower[0], from_upper[1]], at, middle, outward, -1)
        lines = Lines(*lower, *upper)
    return _flat_where_better(lines, values, middle)


def has_remainder(facts: Facts) -> bool:
    """Whether slope or curvature, known to be bounded, limits f between two points."""
    below, _ = between_points(facts, jnp.ones(()))
    return not isinstance(below, float)


def is_piecewise_linear(facts: Facts) -> bool:
    """Whether f is known to be a line between its known kinks."""
    curvature = facts.curvature
    return curvature is not None and certain(curvature.magnitude == 0) and facts.kinks is not None


def _bent_one_way(facts: Facts) -> int:
    """1 for a convex, -1 for a concave function without a kink in its slope; 0 for any other."""
    curvature, smooth = facts.curvature, facts.smoothness is not None and facts.smoothness >= 1
    if curvature is None or not smooth or facts.gradient != "exact" or is_piecewise_linear(facts):
        return 0
    if certain(curvature.lower >= 0):
        return 1
    return -1 if certain(curvature.upper <= 0) else 0


def samples(f: Activation, facts: Facts, x: Interval, outward: bool, dense: bool = False) -> Samples:
    """The points that a line's intercept is taken from; `dense` if for lines of any slope on either side."""
    ends_only = _bent_one_way(facts) and not dense
    count = 2 if is_piecewise_linear(facts) or ends_only else POINTS
    points = grid(x, count, facts.replace(kinks=()) if ends_only else facts)
    values = f.evaluate(points)
    slack: Array | float = 0.0
    if outward:
        slack = 2 * slack_of_value(values, points, argument_slope(f, facts, points))
    if count == 2:
        return Samples(points, values, slack, 0.0, 0.0)
    below, above = between_points(facts, (x.upper - x.lower) / (count - 1) * (1 + 1e-5))
    return Samples(points, values, slack, below, above)


def intercept(at: Samples, slope: Float[Array, "*s"], side: int, outward: bool) -> Float[Array, "*s"]:
    """The sound intercept of a line of this slope above f (side 1), or below it (side -1)."""
    rest = at.y - slope[None] * at.x
    if outward:
        eps = float(jnp.finfo(at.y.dtype).eps)
        rounding = 4 * eps * jnp.maximum(jnp.abs(at.x[0]), jnp.abs(at.x[at_upper(at)])) * jnp.abs(slope)
        rounding = rounding + 2 * eps * most(jnp.abs(at.y))
    else:
        rounding = 0.0
    rounding = jax.lax.stop_gradient(rounding)
    if side > 0:
        return most(rest + at.slack) + at.above + rounding
    return -most(at.slack - rest) - at.below - rounding


@jax.custom_jvp
def most(values: Float[Array, "points *s"]) -> Float[Array, "*s"]:
    """The maximum over the points by halving: XLA walks a leading axis in strides on a CPU, three times as slow.

    The gradient goes to the points that attain it, in equal parts; through the halving it would be a long program.
    """
    while len(values) > 1:
        half = len(values) // 2
        values = jnp.concatenate([jnp.maximum(values[:half], values[half : 2 * half]), values[2 * half :]])
    return values[0]


@most.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (values,), (moved,) = primals, tangents
    best = most(values)
    attained = jnp.asarray(values == best[None], values.dtype)
    return best, jnp.sum(moved * attained, axis=0) / jnp.sum(attained, axis=0)


def at_upper(at: Samples) -> int:
    """The place of the upper end among the points."""
    return 1 if isinstance(at.below, float) else POINTS - 1


def _bounded(slope: Array, facts: Facts) -> Array:
    """A slope inside its known bounds, and finite."""
    slope = jnp.where(jnp.isfinite(slope), slope, 0)
    if facts.slope is None:
        return slope
    big = float(jnp.finfo(slope.dtype).max) / 4
    ends = (jnp.clip(aligned(v, slope), -big, big) for v in (facts.slope.lower, facts.slope.upper))
    return jnp.clip(slope, *ends)


def _chords(at: Samples, end: int, tangent: Array, facts: Facts) -> tuple[Array, Array]:
    """The least and largest slope of a chord from one end to any other point."""
    run = at.x - at.x[end][None]
    apart = jnp.abs(run) > 0
    slopes = (at.y - at.y[end][None]) / jnp.where(apart, run, 1)
    flattest = -most(jnp.where(apart, -slopes, -jnp.inf))
    steepest = most(jnp.where(apart, slopes, -jnp.inf))
    return tuple(_bounded(jnp.where(jnp.isfinite(v), v, tangent), facts) for v in (flattest, steepest))  # pyright: ignore


def _best(slopes: list[Array], at: Samples, middle: Array, outward: bool, side: int) -> tuple[Array, Array]:
    """Of the lines of these slopes, the one nearest to f at the middle."""
    best, chosen = slopes[0], intercept(at, slopes[0], side, outward)
    for slope in slopes[1:]:
        other = intercept(at, slope, side, outward)
        better = side * (slope * middle + other) < side * (best * middle + chosen)
        best, chosen = jnp.where(better, slope, best), jnp.where(better, other, chosen)
    return best, chosen


def _of_one_bend(
    f: Activation, facts: Facts, x: Interval, at: Samples, middle: Array, tangent: Array, outward: bool
) -> Lines:
    """For a convex function the chord above and the tangent at the middle below; the other way for a concave one."""
    width = x.upper - x.lower
    chord = _bounded(jnp.where(width > 0, (at.y[1] - at.y[0]) / jnp.where(width > 0, width, 1), tangent), facts)
    side = _bent_one_way(facts)
    value = f.evaluate(middle)
    rest = value - tangent * middle
    if outward:
        eps = float(jnp.finfo(value.dtype).eps)
        assert facts.curvature is not None
        error = 8 * eps * (jnp.abs(tangent) + jnp.abs(middle) * aligned(facts.curvature.magnitude, middle))
        slack = 2 * slack_of_value(value, middle, argument_slope(f, facts, middle)) + error * width
        slack = slack + 4 * eps * (jnp.abs(tangent * middle) + jnp.abs(value))
        rest = rest - side * jax.lax.stop_gradient(slack)
    touching, spanning = (tangent, rest), (chord, intercept(at, chord, side, outward))
    return Lines(*touching, *spanning) if side > 0 else Lines(*spanning, *touching)


def _constant(values: Interval) -> Lines:
    zero = jnp.zeros_like(values.lower)
    return Lines(zero, values.lower, zero, values.upper)


def _flat_where_better(lines: Lines, values: Interval, middle: Array) -> Lines:
    """A line replaced by the constant where that is nearer at the middle, or where the line is not finite."""
    below = lines.lower_slope * middle + lines.lower_intercept
    above = lines.upper_slope * middle + lines.upper_intercept
    low, high = ~(below >= values.lower), ~(above <= values.upper)
    return Lines(
        jnp.where(low, 0, lines.lower_slope),
        jnp.where(low, values.lower, lines.lower_intercept),
        jnp.where(high, 0, lines.upper_slope),
        jnp.where(high, values.upper, lines.upper_intercept),
    )
