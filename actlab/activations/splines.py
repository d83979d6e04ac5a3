"""Splines on a uniform grid: activations of any shape, with facts that are exact for every value of their coefficients.

With n coefficients and a radius r the nodes are n points from -r to r, h = 2r/(n - 1) apart. Beyond them the function
goes on along its tangent, so that it is continuous and of bounded slope everywhere; where the last (first) two
coefficients are equal it is constant there. A spline for each channel is a `jax.vmap` over a stack of coefficients.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE, VECTOR
from actlab.activations.facts import SMOOTH, Facts, Monotone, certain
from actlab.activations.interval import ZERO, Interval, namespace, plain

RELU = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0])


def _spacing(count: int, radius: Any) -> Any:
    if count < 3:
        raise ValueError(f"a spline of {count} coefficients; it needs at least 3")
    return radius * (2 / (count - 1))


def _locate(x: Array, count: int, radius: Array | float) -> tuple[Array, Array]:
    """The piece that x is in, and how far x is from its node: piece 0 is left of node 0, piece k right of node k-1."""
    h, middle = _spacing(count, radius), (count - 1) / 2
    guess = jnp.ceil(jnp.clip(jax.lax.stop_gradient(x / h), -middle - 2, middle + 2) + middle)
    after = (x > h * (guess - middle)).astype(x.dtype)  # the division rounds: compare with the nodes themselves
    before = (x <= h * (guess - 1 - middle)).astype(x.dtype)
    piece = jnp.clip(guess + after - before, 0, count)
    return piece.astype(jnp.int32), x - h * (jnp.maximum(piece - 1, 0) - middle)


def _evaluate(table: tuple[Array, ...], order: int, x: Array, radius: Array | float) -> Array:
    """The derivative of that order of a piecewise polynomial; table[k] holds each piece's coefficient of offset^k."""
    piece, offset = _locate(x, table[0].shape[0] - 1, radius)
    total = jnp.zeros_like(x)
    for power in reversed(range(order, len(table))):
        total = total * offset + math.perm(power, order) * table[power][piece]
    return total


def _steps(coefficients: Any, h: Any) -> tuple[Any, Any]:
    """The slopes between neighbouring coefficients, and these continued by one at both ends."""
    xp = namespace(coefficients)
    slopes = xp.diff(coefficients) / h
    return slopes, xp.concatenate([slopes[..., :1], slopes, slopes[..., -1:]], -1)


def _linear_table(coefficients: Array, radius: Array | float) -> tuple[Array, ...]:
    values = jnp.asarray(coefficients)
    _, slopes = _steps(values, _spacing(values.shape[0], radius))
    return jnp.concatenate([values[:1], values]), slopes


def _at_nodes(coefficients: Any, h: Any) -> tuple[Any, Any, Any]:
    """Value, slope and curvature of the cubic spline at its nodes."""
    _, slopes = _steps(coefficients, h)
    before, after = slopes[..., :-1], slopes[..., 1:]
    curvature = (after - before) / h
    return coefficients + curvature * (h * h / 6), 0.5 * before + 0.5 * after, curvature


def _cubic_table(coefficients: Array, radius: Array | float) -> tuple[Array, ...]:
    coefficients = jnp.asarray(coefficients)
    h = _spacing(coefficients.shape[0], radius)
    value, slope, curvature = _at_nodes(coefficients, h)
    third = jnp.diff(curvature) / h
    line = jnp.zeros_like(value[:1])
    return (
        jnp.concatenate([value[:1], value]),
        jnp.concatenate([slope[:1], slope]),
        jnp.concatenate([line, 0.5 * curvature]),
        jnp.concatenate([line, third / 6, line]),
    )


def _nodes(count: int, radius: Any) -> tuple[Any, ...]:
    h = _spacing(count, radius)
    return tuple(h * (k - (count - 1) / 2) for k in range(count))


def _order(slopes: Any) -> Monotone:
    """From the slopes between neighbouring coefficients, whose signs those of the function's slope follow."""
    if certain(slopes >= 0):
        return "strictly increasing" if certain(slopes > 0) else "nondecreasing"
    if certain(slopes <= 0):
        return "strictly decreasing" if certain(slopes < 0) else "nonincreasing"
    return "unknown"


def _ends(slopes: Any, least: Any, largest: Any) -> Interval:
    """The range: unbounded on the side to which a line at either end leads."""
    xp = namespace(slopes, least)
    left, right = slopes[..., 0], slopes[..., -1]
    lower = xp.where((left > 0) | (right < 0), -math.inf, least)
    return Interval(plain(lower), plain(xp.where((left < 0) | (right > 0), math.inf, largest)))


def _hull(values: Any) -> Interval:
    """The least and largest along the last axis."""
    xp = namespace(values)
    return Interval(plain(xp.min(values, axis=-1)), plain(xp.max(values, axis=-1)))


def _widened(interval: Interval, values: Any, roundings: int) -> Interval:
    """By so many rounding errors of the largest of the values that were combined; 0 stays 0."""
    xp = namespace(values)
    slack = roundings * xp.finfo(values.dtype).eps * xp.max(xp.abs(values), axis=-1)
    lower, upper = (xp.asarray(v) for v in (interval.lower, interval.upper))
    return Interval(plain(lower - xp.where(lower == 0, 0, slack)), plain(upper + xp.where(upper == 0, 0, slack)))


def _parts(coefficients: Any, radius: Any) -> tuple[Any, Any, tuple[Any, ...], bool]:
    """What both kinds of facts need: spacing, slopes between neighbours, nodes, and whether all is a line."""
    count, nodes = coefficients.shape[-1], _nodes(coefficients.shape[-1], radius)
    if coefficients.ndim > 1:  # a stack of splines
        radius = namespace(radius).reshape(radius, (-1, 1))
    h = _spacing(count, radius)
    straight = certain(namespace(coefficients).diff(coefficients, 2) == 0)
    return h, _steps(coefficients, h)[0], nodes, straight


def _linear_facts(coefficients: Any, radius: Any) -> Facts:
    _, slopes, nodes, straight = _parts(coefficients, radius)
    order = _order(slopes)
    if order == "unknown" and certain((slopes.min(-1) < 0) & (slopes.max(-1) > 0)):
        order = "none"
    invertible = order == "strictly increasing" and coefficients.ndim == 1
    return Facts(
        range=_ends(slopes, coefficients.min(-1), coefficients.max(-1)),
        slope=_hull(slopes).rounded(4),
        curvature=ZERO,
        kinks=() if straight else nodes[1:-1],
        smoothness=SMOOTH if straight else 0,
        monotone=order,
        inverse=functools.partial(_linear_inverse, coefficients, radius) if invertible else None,
    )


def _linear_inverse(values: Any, radius: Any, y: Any) -> Array:
    y = jnp.asarray(y)
    values, nodes = (jnp.asarray(v, y.dtype) for v in (values, jnp.stack(_nodes(values.shape[0], radius))))
    k = jnp.clip(jnp.searchsorted(values, y) - 1, 0, values.shape[0] - 2)
    return nodes[k] + (y - values[k]) * ((nodes[k + 1] - nodes[k]) / (values[k + 1] - values[k]))


def _pieces(x: Array, values: Array, radius: Array | float, piece: Callable[..., Array]) -> Array:
    """A line on each side of the grid and `piece(k, t)` between nodes k and k + 1, t in [0, 1]: the ideal formulas."""
    last = values.shape[0] - 1
    u = (x + radius) * (last / (2 * jnp.asarray(radius)))
    result = values[last] + (values[last] - values[last - 1]) * (u - last)
    for k in reversed(range(last)):
        result = jnp.where(u < k + 1, piece(k, u - k), result)
    return result


def _linear_ideal(x: Array, coefficients: Any, radius: Array | float) -> Array:
    c = jnp.asarray(coefficients)
    return _pieces(x, c, radius, lambda k, t: c[k] + (c[k + 1] - c[k]) * t)


def _cubic_ideal(x: Array, coefficients: Any, radius: Array | float) -> Array:
    c = jnp.asarray(coefficients)
    c = jnp.concatenate([2 * c[:1] - c[1:2], c, 2 * c[-1:] - c[-2:-1]])

    def piece(k: int, t: Array) -> Array:
        a, b, d, e = (c[k + i] for i in range(4))  # B-splines: each weight is one of their four pieces, times 6
        s, t2, t3 = 1 - t, t * t, t * t * t
        return (a * (s * s * s) + b * (3 * t3 - 6 * t2 + 4) + d * (3 * t2 + 3 * t + 1 - 3 * t3) + e * t3) / 6

    inside = _pieces(x, c[1:-1], radius, piece)
    u = (x + radius) * ((c.shape[0] - 3) / (2 * jnp.asarray(radius)))
    return jnp.where(u < 0, c[1] + (c[2] - c[1]) * u, inside)


@activation(
    family="splines",
    slope=lambda x, coefficients, radius: _evaluate(_linear_table(coefficients, radius), 1, x, radius),
    domains={"coefficients": VECTOR, "radius": POSITIVE},
    facts=_linear_facts,
    ideal=_linear_ideal,
    source="Bohra et al. 2020, Learning activation functions in deep (spline) neural networks, section II",
)
def linear_spline(x: Array, coefficients: Float[ArrayLike, " n"] = RELU, radius: Array | float = 3.0) -> Array:
    """The continuous, piecewise linear function with the values `coefficients` at the nodes; the default is ReLU.

    Every slope lies between the least and the largest of the differences of neighbouring values, divided by h.
    """
    value = _evaluate(_linear_table(jnp.asarray(coefficients), radius), 0, x, radius)
    return _between_neighbours(value, jnp.asarray(coefficients), x, radius)


def _between_neighbours(value: Array, values: Array, x: Array, radius: Array | float) -> Array:
    """Inside the grid the value lies between those at the two nodes, in floats too; no derivative of its own."""
    piece, _ = _locate(x, values.shape[0], radius)
    a, b = values[jnp.maximum(piece - 1, 0)], values[jnp.minimum(piece, values.shape[0] - 1)]
    inside = (piece > 0) & (piece < values.shape[0])
    kept = jnp.where(inside, jnp.clip(value, jnp.minimum(a, b), jnp.maximum(a, b)), value)
    return value + jax.lax.stop_gradient(kept - value)


def _cubic_slopes(slope: Any, curvature: Any, h: Any) -> Any:
    """The slopes at the nodes, and where the curvature crosses 0 between two of them."""
    xp = namespace(slope)
    k, after = curvature[..., :-1], curvature[..., 1:]
    crosses = k * after < 0
    turn = slope[..., :-1] + xp.where(crosses, 0.5 * h * k * (k / xp.where(crosses, k - after, 1)), 0)
    return xp.concatenate([slope, turn], -1)


def _cubic_values(value: Any, slope: Any, curvature: Any, h: Any) -> Any:
    """The values at the nodes, and at the points between two of them where the slope is 0."""
    xp = namespace(value)
    p, m, k = value[..., :-1], slope[..., :-1], curvature[..., :-1]
    a = (curvature[..., 1:] - k) / (2 * h)  # slope m + k u + a u^2
    q = -0.5 * (k + xp.where(k < 0, -1, 1) * xp.sqrt(xp.maximum(k * k - 4 * a * m, 0)))
    roots = (q / xp.where(a == 0, 1, a), m / xp.where(q == 0, 1, q))
    turns = [xp.clip(u, 0, h) for u in roots]  # a value at any other point in the piece does no harm
    return xp.concatenate([value, *(p + u * (m + u * (k / 2 + u * (a / 3))) for u in turns)], -1)


def _cubic_facts(coefficients: Any, radius: Any) -> Facts:
    h, slopes, nodes, straight = _parts(coefficients, radius)
    value, slope, curvature = _at_nodes(coefficients, h)
    extremes = _hull(_cubic_values(value, slope, curvature, h))
    image = _widened(extremes, coefficients, 64).intersect(_hull(coefficients))
    order = _order(slopes)
    if order == "unknown" and certain((slope.min(-1) < 0) & (slope.max(-1) > 0)):
        order = "none"
    return Facts(
        range=_ends(slopes, image.lower, image.upper),
        slope=_widened(_hull(_cubic_slopes(slope, curvature, h)), slopes, 32).intersect(_hull(slopes).rounded(4)),
        curvature=_widened(_hull(curvature), slopes / h, 16),
        kinks=() if straight else nodes,
        smoothness=SMOOTH if straight else 2,
        monotone=order,
    )


@activation(
    family="splines",
    slope=lambda x, coefficients, radius: _evaluate(_cubic_table(coefficients, radius), 1, x, radius),
    curvature=lambda x, coefficients, radius: _evaluate(_cubic_table(coefficients, radius), 2, x, radius),
    domains={"coefficients": VECTOR, "radius": POSITIVE},
    facts=_cubic_facts,
    ideal=_cubic_ideal,
    source="Liu et al. 2024, arXiv:2404.19756, section 2.2 (KAN, order k = 3); Unser 1999, IEEE SPM 16(6), eq. 3",
)
def cubic_spline(x: Array, coefficients: Float[ArrayLike, " n"] = RELU, radius: Array | float = 3.0) -> Array:
    """The sum of coefficients[i] B((x - node i)/h), B the cubic B-spline: twice continuously differentiable.

    The coefficients are those of a natural spline: continued linearly beyond both ends, so that the function is a line
    outside the grid where a KAN's falls to 0. A KAN's edge is `sum(affine(swish, scale=w), cubic_spline.bind(...))`.
    Values lie between the coefficients, slopes between their differences over h, curvatures between their second
    differences over h^2; the facts are sharper, the exact extremes. The default is ReLU with its corner rounded off.
    """
    return _evaluate(_cubic_table(jnp.asarray(coefficients), radius), 0, x, radius)
