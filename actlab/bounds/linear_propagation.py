"""Linear bounds (CROWN): affine functions of the input that lie below and above each output, propagated backward.

Through an affine map coefficients are multiplied by its transpose; through an activation a nonnegative coefficient
takes the line on its own side, a negative one the other. The rounding of every step is bounded by the coefficients'
absolute values times the size of what they multiply, which the interval bounds of the nodes give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Interval
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network
from actlab.bounds.interval_propagation import affine_slack, checked_box, node_interval, node_intervals
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
            made = bounding_lines(operation.activation, operation.facts, x, outward=outward)
            lines[k] = _kept(made)
    return nodes, lines


def _kept(lines: Lines) -> Lines:
    """The same lines, in memory: XLA would fuse their computation into every row of coefficients, and repeat it there.

    A product with the identity is exact and is not fused (an optimization barrier is dropped before fusion).
    """
    leaves, treedef = jax.tree.flatten(lines)
    together = jnp.stack(leaves, axis=-1) @ jnp.eye(len(leaves), dtype=leaves[0].dtype)
    return jax.tree.unflatten(treedef, [together[..., i] for i in range(len(leaves))])


def needs_backward(net: Network, target: int) -> bool:
    """Whether going backward can narrow the node's interval; that of an affine map of the input alone is exact."""
    node = net.nodes[target]
    return isinstance(node.operation, Affine) and any(i != 0 for i in node.inputs)


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
    sizes = [*nodes[:target], value if value is not None else nodes[target]]
    first = jnp.eye(math.prod(shape), dtype=dtype).reshape(-1, *shape) if rows is None else jnp.asarray(rows, dtype)
    errors = rounding_errors(net, target, sizes) if outward else []
    total = jnp.zeros((2, first.shape[0]), dtype)
    if outward:
        mine = errors[target].reshape(1, -1) if rows is None else _dot(jnp.abs(first)[None], errors[target])
        total = jnp.concatenate([-mine, mine]) * (1 + growth(math.prod(shape), dtype))
    pending: dict[int, Array] = {target: jnp.stack([first, first])}
    for k in reversed(range(target + 1)):
        if k not in pending:
            continue
        coefficients, node = pending.pop(k), net.nodes[k]
        operation = node.operation
        if isinstance(operation, Affine):
            inputs = [sizes[i] for i in node.inputs]
            offset = jnp.zeros(node.shape, dtype) if operation.offset is None else operation.offset
            whole = rows is None and k == target
            added = offset.reshape(1, -1) if whole else _dot(coefficients, offset)
            parts = _transposed(operation, coefficients, inputs)
        elif isinstance(operation, Maximum):
            added, *parts = _through_maximum(operation, coefficients, sizes[node.inputs[0]])
        elif k in lines and isinstance(operation, Elementwise):
            read = node.inputs[0]
            added, *parts = _through_lines(lines[k], coefficients, sizes[read], errors[read] if outward else None)
        else:
            total = total + _at_interval(coefficients, sizes[k], outward)
            continue
        total = total + added
        for i, part in zip(node.inputs, parts, strict=True):
            pending[i] = pending[i] + part if i in pending else part
    result = (finite_or(total[0], -jnp.inf), finite_or(total[1], jnp.inf))
    return Interval(*(r.reshape(shape) if rows is None else r for r in result))


def _dot(coefficients: Array, vector: Array) -> Array:
    """Sums over all axes of a node, for the lower and upper rows."""
    return coefficients.reshape(*coefficients.shape[:2], -1) @ vector.reshape(-1)


def _outward(size: Array, reach: Array) -> Array:
    """`|coefficients| . reach`, taken from the lower rows and added to the upper ones."""
    return _dot(size, reach) * jnp.asarray([[-1.0], [1.0]], size.dtype)


def _magnitude(x: Interval) -> Array:
    return jax.lax.stop_gradient(x.magnitude)


def rounding_errors(net: Network, target: int, sizes: Sequence[Interval]) -> list[Array]:
    """For each node up to the target, what rounding adds to it since the last activations before it.

    Charged where the node is read: an activation multiplies it by its lines' slope, rows by their coefficients.
    """
    found: list[Array] = [jnp.zeros_like(sizes[0].lower)]
    for k, node in enumerate(net.nodes[1 : target + 1], 1):
        operation, inputs = node.operation, [sizes[i] for i in node.inputs]
        before = [found[i] for i in node.inputs]
        if isinstance(operation, Affine):
            error = operation.absolute(*before) * (1 + growth(operation.terms, net.dtype)) + _own_error(
                operation, inputs
            )
        elif isinstance(operation, Maximum):
            size = operation.function(_magnitude(inputs[0]))
            factor = growth(operation.overlap, net.dtype) + 2 * growth(size.size, net.dtype)
            error = operation.function(before[0]) + factor * size
        else:
            error = jnp.zeros_like(sizes[k].lower)
        found.append(jax.lax.stop_gradient(error))
    return found


def _own_error(operation: Affine, inputs: list[Interval]) -> Array:
    """Of the layer as executed, of our product with its transpose (fan_out terms), and of the offset's."""
    dtype = inputs[0].lower.dtype
    if not (operation.terms or operation.offset is not None or operation.fan_out > 1):
        return jnp.zeros((), dtype)
    error = affine_slack(operation, inputs) * (1 + growth(operation.fan_out, dtype) / growth(operation.terms, dtype))
    if operation.offset is not None:
        error = error + growth(operation.offset.size, dtype) * jnp.abs(operation.offset)
    return error * (1 + growth(error.size, dtype))


def _transposed(operation: Affine, coefficients: Array, inputs: list[Interval]) -> list[Array]:
    zeros = [jax.ShapeDtypeStruct(x.lower.shape, x.lower.dtype) for x in inputs]
    transpose = jax.linear_transpose(operation.linear, *zeros)
    flat = coefficients.reshape(-1, *coefficients.shape[2:])
    return [p.reshape(*coefficients.shape[:2], *p.shape[1:]) for p in jax.vmap(transpose)(flat)]


def _through_lines(lines: Lines, coefficients: Array, x: Interval, error: Array | None) -> tuple[Array, Array]:
    """Constants and coefficients; the lines have shapes (*s), or (2 bounds, rows, *s), chosen for each.

    With the two lines as middle -+ half, `max(A, 0) lower + min(A, 0) upper` is `A middle - |A| half`.
    """
    slope, half_slope = _halves(lines.lower_slope, lines.upper_slope)
    shift, half_shift = _halves(lines.lower_intercept, lines.upper_intercept)
    if error is not None:
        dtype, count = coefficients.dtype, x.lower.size
        steep = jnp.maximum(jnp.abs(lines.lower_slope), jnp.abs(lines.upper_slope))
        high = jnp.maximum(jnp.abs(lines.lower_intercept), jnp.abs(lines.upper_intercept))
        size, error = (v.reshape(*[1] * (steep.ndim - x.lower.ndim), *x.lower.shape) for v in (_magnitude(x), error))
        moved = steep * (16 * float(jnp.finfo(dtype).eps) * size + error) + growth(count, dtype) * high
        moved = moved + least(count, dtype, jnp.max(steep), jnp.max(size))
        half_shift = half_shift + jax.lax.stop_gradient(moved * (1 + growth(count, dtype)))
    size = jnp.abs(coefficients)
    side = jnp.asarray([-1.0, 1.0], coefficients.dtype).reshape(2, *[1] * (coefficients.ndim - 1))
    if slope.ndim == coefficients.ndim:
        constants = jnp.sum(coefficients * shift + side * size * half_shift, axis=tuple(range(2, coefficients.ndim)))
        return constants, coefficients * slope + side * size * half_slope
    constants = _dot(coefficients, shift) + _outward(size, half_shift)
    return constants, coefficients * slope[None, None] + size * (side * half_slope[None, None])


def _halves(lower: Array, upper: Array) -> tuple[Array, Array]:
    return 0.5 * lower + 0.5 * upper, 0.5 * upper - 0.5 * lower


def _through_maximum(operation: Maximum, coefficients: Array, x: Interval) -> tuple[Array, Array]:
    """Above the largest lower bound's own input, below the largest upper bound."""
    down = jnp.stack([jnp.maximum(coefficients[0], 0), jnp.minimum(coefficients[1], 0)])
    constants = _dot(coefficients - down, operation.function(x.upper))
    _, pull = jax.vjp(operation.function, jax.lax.stop_gradient(x.lower))
    part = jax.vmap(lambda row: pull(row)[0])(down.reshape(-1, *down.shape[2:]))
    return constants, part.reshape(*down.shape[:2], *part.shape[1:])


def _at_interval(coefficients: Array, x: Interval, outward: bool) -> Array:
    """The least of the lower rows and the largest of the upper ones over a box."""
    centre = 0.5 * x.lower + 0.5 * x.upper
    radius = jnp.maximum(x.upper - centre, centre - x.lower)
    if outward:
        dtype = coefficients.dtype
        radius = radius * (1 + 4 * float(jnp.finfo(radius.dtype).eps))
        size = jnp.abs(centre) + radius
        error = growth(size.size, dtype) * size + least(size.size, dtype, jnp.max(size))
        radius = radius + jax.lax.stop_gradient(error * (1 + growth(size.size, dtype)))
    return _dot(coefficients, centre) + _outward(jnp.abs(coefficients), radius)
