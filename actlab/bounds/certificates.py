"""Certified radii (l2) around a point: by Lipschitz constants, and for smooth networks by a bound of the Hessian."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from actlab.activations import FactError, Interval
from actlab.activations.definition import aligned
from actlab.bounds.enclosure import known_unbounded
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network
from actlab.bounds.linear_propagation import specified_interval_bounds
from actlab.bounds.lipschitz import node_lipschitz
from actlab.bounds.region import jacobian_bounds
from actlab.bounds.rounding import full_precision, growth

Rows = Float[Array, "rows classes"]


def margins(label: Int[ArrayLike, ""] | int, classes: int, dtype: ArrayLike | type = jnp.float32) -> Rows:
    """The specification whose rows are `output[label] - output[other]`, one for every other class.

    Args:
        label: the class, which may be traced.
        classes: how many there are.
        dtype: of the network.

    Returns:
        Shape (classes - 1, classes).
    """
    others = jnp.arange(classes - 1)
    others = others + (others >= label)
    eye = jnp.eye(classes, dtype=dtype)  # pyright: ignore[reportArgumentType]
    return eye[label][None] - eye[others]


def lipschitz_radius(net: Network, x: Float[Array, "*s"], specification: Rows) -> Float[Array, ""]:
    """A radius around x (l2) within which every row of the specification stays positive; 0 where one is not at x.

    Each row's margin over its own constant: the last affine maps are taken together with the row, so that a pair of
    classes is divided by the norm of the difference of their weights, not by sqrt(2) times that of all.

    Source: Tsuzuku, Sato & Sugiyama 2018, arXiv:1802.04034, section 4; Leino, Wang & Fredrikson 2021, arXiv:2102.08452.
    """
    with full_precision():
        constants = row_lipschitz(net, specification)
        margin = specified_interval_bounds(net, Interval(x, x), specification).lower
    few = 1 - 4 * float(jnp.finfo(net.dtype).eps)
    return jnp.min(jnp.where(margin > 0, margin / constants, 0)) * few


def row_lipschitz(net: Network, specification: Rows) -> Float[Array, " rows"]:
    """Of each row of linear functions of the output, an upper bound of its Lipschitz constant (l2)."""
    constants = node_lipschitz(net)
    total = jnp.zeros(specification.shape[0], net.dtype)
    pending = {net.output: (specification, jnp.abs(specification))}
    for k in reversed(range(net.output + 1)):
        if k not in pending:
            continue
        rows, sizes = pending.pop(k)
        node = net.nodes[k]
        if not isinstance(node.operation, Affine):
            flat = jnp.abs(rows.reshape(rows.shape[0], -1)) + sizes.reshape(rows.shape[0], -1) * growth(1, net.dtype)
            norm = jnp.sqrt(jnp.sum(jnp.square(flat), axis=1)) * (1 + growth(flat.shape[1], net.dtype))
            total = total + norm * constants[k]
            continue
        error = growth(node.operation.fan_out + node.operation.terms, net.dtype)
        inputs = [net.nodes[i].shape for i in node.inputs]
        for i, part, size in zip(
            node.inputs,
            _pulled(node.operation.linear, rows, inputs, net),
            _pulled(node.operation.absolute, sizes, inputs, net),
            strict=True,
        ):
            # The second is at least the first's absolute value; its share of rounding is charged where rows end.
            size = size * (1 + error * jnp.asarray(1.0, net.dtype))
            before = pending.get(i, (jnp.zeros_like(part), jnp.zeros_like(size)))
            pending[i] = (before[0] + part, before[1] + size * (1 + error / growth(1, net.dtype)))
    return total


def _pulled(function: object, rows: Array, shapes: list[tuple[int, ...]], net: Network) -> tuple[Array, ...]:
    zeros = [jax.ShapeDtypeStruct(s, net.dtype) for s in shapes]
    return jax.vmap(jax.linear_transpose(function, *zeros))(rows)  # pyright: ignore[reportArgumentType]


def hessian_bound(net: Network, specification: Rows) -> Float[Array, " rows"]:
    """For each row of linear functions of the output, a bound of the norm of its Hessian, at every input.

    The Hessian is a sum over activations f(h_j) of (derivative of the row by f(h_j)) f''(h_j) grad h_j grad h_j^T; the
    first factor is bounded entry by entry, the sum over a layer by its largest entry times the layer's Lipschitz
    constant squared.

    Raises:
        FactError: an activation whose slope has a kink, or whose slope or curvature is not known to be bounded; a
            maximum pool.

    Source: Singla & Feizi 2020, arXiv:2006.00731, theorem 4, for any graph.
    """
    constants = node_lipschitz(net)
    total = jnp.zeros(specification.shape[0], net.dtype)
    pending = {net.output: jnp.abs(specification)}
    depth = 1 + growth(sum(n.operation.terms + n.operation.fan_out for n in _affine(net)), net.dtype)
    with full_precision():
        for k in reversed(range(1, net.output + 1)):
            if k not in pending:
                continue
            rows, node = pending.pop(k), net.nodes[k]
            operation = node.operation
            if isinstance(operation, Elementwise):
                slope, bend = (aligned(v, rows) for v in _smooth(operation))
                flat = (rows * bend).reshape(rows.shape[0], -1)
                total = total + jnp.max(flat, axis=1) * jnp.square(constants[node.inputs[0]])
                parts: tuple[Array, ...] = (rows * slope,)
            elif isinstance(operation, Maximum):
                raise FactError("hessian_bound: a maximum pool has a kink; average pooling is smooth")
            else:
                assert isinstance(operation, Affine)
                parts = _pulled(operation.absolute, rows, [net.nodes[i].shape for i in node.inputs], net)
            for i, part in zip(node.inputs, parts, strict=True):
                pending[i] = pending[i] + part if i in pending else part
    return total * depth * (1 + 16 * len(net.nodes) * float(jnp.finfo(net.dtype).eps))


def _affine(net: Network) -> list:
    return [n for n in net.nodes if isinstance(n.operation, Affine)]


def _smooth(operation: Elementwise) -> tuple[Any, Any]:
    """The largest absolute slope and curvature, where the slope has no kink and both are bounded."""
    facts, f, curvature = operation.facts, operation.activation, operation.facts.curvature
    smooth = facts.smoothness is not None and facts.smoothness >= 1
    if not smooth or curvature is None or known_unbounded(curvature.magnitude) or known_unbounded(facts.lipschitz()):
        has = f"smoothness {facts.smoothness}, slope in {facts.slope}, curvature in {facts.curvature}"
        raise FactError(
            f"a bound of the Hessian needs a continuous, bounded slope of bounded curvature, but {f!r} has {has}. "
            "What would do: softplus, tanh, swish"
        )
    return facts.lipschitz(), curvature.magnitude


def curvature_radius(net: Network, x: Float[Array, "*s"], specification: Rows) -> Float[Array, ""]:
    """A radius around x (l2) within which every row of the specification stays positive, by gradient and Hessian.

    With margin m, gradient norm g at x and Hessian bound K, m - g r - K r^2 / 2 is positive up to
    r = 2 m / (g + sqrt(g^2 + 2 K m)). All rows count, not the runner-up class alone.

    Raises:
        FactError: as `hessian_bound`.

    Source: Singla & Feizi 2020, arXiv:2006.00731, section 4, against all classes.
    """
    bend = hessian_bound(net, specification)
    point = Interval(x, x)
    margin = specified_interval_bounds(net, point, specification).lower
    positive = jnp.maximum(margin, 0)
    entries = jacobian_bounds(net, point, intermediate="interval")
    lower, upper = (v.reshape(v.shape[0], -1).T for v in (entries.lower, entries.upper))
    centre, radius = 0.5 * lower + 0.5 * upper, 0.5 * (upper - lower)
    rows = specification.reshape(specification.shape[0], -1)
    few = 1 + growth(sum(centre.shape), net.dtype)
    with full_precision():
        off = jnp.abs(rows) @ (radius + (few - 1) * (jnp.abs(centre) + radius))
        size = jnp.abs(rows @ centre) + off
    gradient = jnp.sqrt(jnp.sum(jnp.square(size), axis=1)) * few
    reach = 2 * positive / (gradient + jnp.sqrt(jnp.square(gradient) + 2 * bend * positive))
    return jnp.min(jnp.where(margin > 0, reach, 0)) * (1 - 16 * float(jnp.finfo(net.dtype).eps))
