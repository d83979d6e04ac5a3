"""Linear bounds (CROWN): affine functions of the input that lie below and above each output, propagated backward.

Through an affine map coefficients are multiplied by its transpose; through an activation a nonnegative coefficient
takes the line on its own side, a negative one the other. The rounding of every step is bounded by the coefficients'
absolute values times the size of what they multiply, which the interval bounds of the nodes give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Interval
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network
from actlab.bounds.interval_propagation import affine_slack, checked_box, node_interval
from actlab.bounds.lines import Lines, bounding_lines
from actlab.bounds.rounding import finite_or, full_precision, growth, least

Intermediate = Literal["linear", "interval"]


def linear_bounds(
    net: Network,
    box: Interval,
    *,
    specification: Float[Array, "rows *output"] | None = None,
    intermediate: Intermediate = "linear",
    outward: bool = True,
) -> Interval:
    """Bounds of the output, or of linear functions of it, over a box of inputs; never wider than `interval_bounds`.

    Differentiable in the box and in the weights; `jax.vmap` over boxes; under `jax.jit` one program.

    Args:
        net: from `network`.
        box: ends of the shape of one example.
        specification: rows of coefficients of the outputs, such as `margins(label, classes)`; the outputs where None.
        intermediate: how the activations' inputs are bounded: "linear" (CROWN), or "interval" (CROWN-IBP, one backward
            pass in all).
        outward: cover rounding errors.

    Returns:
        Ends of the shape of one output, or (rows,).

    Source: Zhang et al. 2018, arXiv:1811.00866 (CROWN); Zhang et al. 2020, arXiv:1906.06316 (CROWN-IBP); any graph: Xu
    et al. 2020, arXiv:2002.12920.
    """
    with full_precision():
        nodes, lines = relaxation(net, box, intermediate=intermediate, outward=outward)
        if specification is None and not needs_backward(net, net.output):
            return nodes[net.output]
        found = backward(net, net.output, nodes, lines, specification, outward)
        return found if specification is not None else found.intersect(nodes[net.output])


def specified_interval_bounds(
    net: Network, box: Interval, specification: Float[Array, "rows *output"], *, outward: bool = True
) -> Interval:
    """`interval_bounds` of linear functions of the output, merged with the affine maps after the last activation."""
    from actlab.bounds.interval_propagation import node_intervals

    nodes = node_intervals(net, box, outward=outward)
    with full_precision():
        return backward(net, net.output, nodes, {}, specification, outward)


def relaxation(
    net: Network, box: Interval, *, intermediate: Intermediate = "linear", outward: bool = True
) -> tuple[list[Interval], dict[int, Lines]]:
    """The bounds of every node and the lines of every activation, layer by layer."""
    nodes: list[Interval] = [checked_box(net, box)]
    lines: dict[int, Lines] = {}
    bounded = {i for k in net.activations for i in net.nodes[k].inputs}
    for k, node in enumerate(net.nodes[1:], 1):
        found = node_interval(node, [nodes[i] for i in node.inputs], outward)
        if intermediate == "linear" and k in bounded and needs_backward(net, k):
            found = found.intersect(backward(net, k, nodes, lines, None, outward, found))
        nodes.append(found)
        if isinstance(node.operation, Elementwise):
            operation, x = node.operation, nodes[node.inputs[0]]
            lines[k] = bounding_lines(operation.activation, operation.facts, x, outward=outward)
    return nodes, lines


def needs_backward(net: Network, target: int) -> bool:
    """Whether more than one affine map of the input, whose image an interval holds exactly, leads to the node."""
    node = net.nodes[target]
    return isinstance(node.operation, Affine) and any(i != 0 for i in node.inputs)


@dataclass
class _Bound:
    """What backward propagation adds up: rows of constants, and of rounding errors, for the lower and upper bound."""

    constant: Array
    slack: Array


def backward(
    net: Network,
    target: int,
    nodes: Sequence[Interval],
    lines: Mapping[int, Lines],
    rows: Float[Array, "rows *s"] | None,
    outward: bool,
    value: Interval | None = None,
) -> Interval:
    """Bounds of rows of linear functions of a node (of itself where None).

    Nodes that have no lines end the propagation: there the interval is taken.

    Args:
        net: the network.
        target: the node's index.
        nodes: bounds of the nodes before the target.
        lines: by the activation's index; coefficients of shape (*s) or (rows, *s), the second where chosen row by row.
        rows: coefficients, first for the lower and upper bound alike.
        outward: cover rounding errors.
        value: interval bounds of the target, for its size; from `nodes` where None.
    """
    shape, dtype = net.nodes[target].shape, net.dtype
    size = math.prod(shape)
    first = jnp.eye(size, dtype=dtype).reshape(size, *shape) if rows is None else jnp.asarray(rows, dtype)
    sizes = list(nodes[:target]) + [value if value is not None else nodes[target]]
    total = _Bound(jnp.zeros((2, first.shape[0]), dtype), jnp.zeros((2, first.shape[0]), dtype))
    pending: dict[int, Array] = {target: jnp.stack([first, first])}
    for k in reversed(range(target + 1)):
        if k not in pending:
            continue
        coefficients, node = pending.pop(k), net.nodes[k]
        operation = node.operation
        if isinstance(operation, Affine):
            parts = _through_affine(operation, coefficients, [sizes[i] for i in node.inputs], total, outward)
        elif isinstance(operation, Maximum):
            parts = [_through_maximum(operation, coefficients, sizes[node.inputs[0]], total, outward)]
        elif k in lines and isinstance(operation, Elementwise):
            parts = [_through_lines(lines[k], coefficients, sizes[node.inputs[0]], total, outward)]
        else:
            _at_interval(coefficients, sizes[k], total, outward)
            continue
        for i, part in zip(node.inputs, parts, strict=True):
            pending[i] = pending[i] + part if i in pending else part
    lower, upper = total.constant[0] - total.slack[0], total.constant[1] + total.slack[1]
    result = (finite_or(lower, -jnp.inf), finite_or(upper, jnp.inf))
    return Interval(*(r.reshape(shape) if rows is None else r for r in result))


def _dot(coefficients: Array, vector: Array) -> Array:
    """Sums over all axes of a node, for the lower and upper rows."""
    return coefficients.reshape(*coefficients.shape[:2], -1) @ vector.reshape(-1)


def _magnitude(x: Interval) -> Array:
    return jax.lax.stop_gradient(jnp.maximum(jnp.abs(x.lower), jnp.abs(x.upper)))


def _spend(total: _Bound, coefficients: Array, error: Array) -> None:
    """Adds `|coefficients| . error` to the rounding errors."""
    few = 1 + growth(error.size, error.dtype)
    total.slack = total.slack + jax.lax.stop_gradient(_dot(jnp.abs(coefficients), error * few))


def _through_affine(
    operation: Affine, coefficients: Array, inputs: list[Interval], total: _Bound, outward: bool
) -> list[Array]:
    dtype = coefficients.dtype
    if operation.offset is not None:
        total.constant = total.constant + _dot(coefficients, operation.offset)
    if outward and (operation.terms or operation.offset is not None or operation.fan_out > 1):
        # Our own product with the transpose sums fan_out terms; each later sum of branches is one more.
        error = affine_slack(operation, inputs) * (
            1 + growth(operation.fan_out, dtype) / growth(operation.terms, dtype)
        )
        if operation.offset is not None:
            error = error + growth(operation.offset.size, dtype) * jnp.abs(operation.offset)
        _spend(total, coefficients, error)
    return list(_transposed(operation, coefficients, inputs))


def _transposed(operation: Affine, coefficients: Array, inputs: list[Interval]) -> tuple[Array, ...]:
    zeros = [jax.ShapeDtypeStruct(x.lower.shape, x.lower.dtype) for x in inputs]
    transpose = jax.linear_transpose(operation.linear, *zeros)
    flat = coefficients.reshape(-1, *coefficients.shape[2:])
    parts = jax.vmap(transpose)(flat)
    return tuple(p.reshape(*coefficients.shape[:2], *p.shape[1:]) for p in parts)


def _through_lines(lines: Lines, coefficients: Array, x: Interval, total: _Bound, outward: bool) -> Array:
    """Each bound takes the line on its side: shapes (*s) for all rows, or (2 bounds, rows, *s), chosen for each."""
    positive, negative = jnp.maximum(coefficients, 0), jnp.minimum(coefficients, 0)
    slopes, shifts = [lines.lower_slope, lines.upper_slope], [lines.lower_intercept, lines.upper_intercept]
    axes = tuple(range(2, coefficients.ndim))
    if slopes[0].ndim == coefficients.ndim:
        own, other = ([jnp.stack([v[i][0], v[1 - i][1]]) for v in (slopes, shifts)] for i in (0, 1))
    else:
        own, other = ([jnp.expand_dims(jnp.stack(v[::s]), 1) for v in (slopes, shifts)] for s in (1, -1))
    total.constant = total.constant + jnp.sum(positive * own[1] + negative * other[1], axis=axes)
    if outward:
        dtype = coefficients.dtype
        leading = tuple(range(slopes[0].ndim - x.lower.ndim))
        steep, high = (jnp.maximum(*(jnp.max(jnp.abs(w), axis=leading) for w in v)) for v in (slopes, shifts))
        error = 8 * float(jnp.finfo(dtype).eps) * steep * _magnitude(x)
        error = error + growth(high.size, dtype) * high + least(high.size, dtype, jnp.max(steep), jnp.max(_magnitude(x)))
        _spend(total, coefficients, jax.lax.stop_gradient(error))
    return positive * own[0] + negative * other[0]


def _through_maximum(operation: Maximum, coefficients: Array, x: Interval, total: _Bound, outward: bool) -> Array:
    """Above the largest lower bound's own input, below the largest upper bound."""
    down = jnp.stack([jnp.maximum(coefficients[0], 0), jnp.minimum(coefficients[1], 0)])
    up = coefficients - down
    most = operation.function(x.upper)
    total.constant = total.constant + _dot(up, most)
    _, pull = jax.vjp(operation.function, jax.lax.stop_gradient(x.lower))
    part = jax.vmap(lambda row: pull(row)[0])(down.reshape(-1, *down.shape[2:]))
    if outward:
        size = operation.function(_magnitude(x))
        factor = growth(operation.overlap, size.dtype) + growth(size.size, size.dtype)
        _spend(total, coefficients, factor * size)
    return part.reshape(*down.shape[:2], *part.shape[1:])


def _at_interval(coefficients: Array, x: Interval, total: _Bound, outward: bool) -> None:
    """The least of the first rows and the largest of the second over a box."""
    centre = 0.5 * x.lower + 0.5 * x.upper
    radius = jnp.maximum(x.upper - centre, centre - x.lower)
    if outward:
        radius = radius * (1 + 4 * float(jnp.finfo(radius.dtype).eps))
    reach = _dot(jnp.abs(coefficients), radius)
    total.constant = total.constant + _dot(coefficients, centre) + jnp.array([[-1.0], [1.0]], reach.dtype) * reach
    if outward:
        dtype = coefficients.dtype
        size = jnp.abs(centre) + radius
        error = growth(size.size, dtype) * size + least(size.size, dtype, jnp.max(size))
        _spend(total, coefficients, jax.lax.stop_gradient(error))
