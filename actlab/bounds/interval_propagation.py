"""Interval bound propagation: each node's values from those of the nodes before it.

An affine map takes [c - r, c + r] to W c + b +- |W| r; an activation takes an interval to its range over it. Widened by
proved bounds of every rounding, ours and those of the network as it is executed in the same dtype.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Interval
from actlab.bounds.enclosure import range_over
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network, Node
from actlab.bounds.rounding import finite_or, full_precision, growth, least


def interval_bounds(net: Network, box: Interval, *, outward: bool = True) -> Interval:
    """Bounds of the network's output over a box of inputs.

    Differentiable in the box and in the weights; `jax.vmap` over boxes; under `jax.jit` one program.

    Args:
        net: from `network`.
        box: ends of the shape of one example.
        outward: cover rounding errors; False leaves them out (for a training loss, not for a certificate).

    Returns:
        Ends of the shape of one output.

    Source: Gowal et al. 2018, arXiv:1810.12715, eqs. 6 and 7.
    """
    return node_intervals(net, box, outward=outward)[net.output]


def node_intervals(net: Network, box: Interval, *, outward: bool = True) -> list[Interval]:
    """The bounds of every node, in order."""
    found = [checked_box(net, box)]
    with full_precision():
        for node in net.nodes[1:]:
            found.append(node_interval(node, [found[i] for i in node.inputs], outward))
    return found


def checked_box(net: Network, box: Interval) -> Interval:
    """The box in the dtype of the network.

    Raises:
        ValueError: ends of another shape than the network's input.
        TypeError: ends of another dtype.
    """
    ends = [jnp.asarray(v) for v in (box.lower, box.upper)]
    for name, end in zip(("lower", "upper"), ends, strict=True):
        if end.shape != net.input_shape:
            raise ValueError(
                f"box.{name} has shape {end.shape}; one example of this network has {net.input_shape} "
                "(for many boxes: jax.vmap)"
            )
        if end.dtype != net.dtype:
            raise TypeError(f"box.{name} is {end.dtype}, the network was traced in {net.dtype}; convert one of them")
    return Interval(*ends)


def node_interval(node: Node, inputs: list[Interval], outward: bool) -> Interval:
    """The bounds of one node from those of its inputs."""
    operation = node.operation
    if isinstance(operation, Elementwise):
        return range_over(operation.activation, operation.facts, inputs[0], outward=outward)
    if isinstance(operation, Maximum):
        return Interval(operation.function(inputs[0].lower), operation.function(inputs[0].upper))
    assert isinstance(operation, Affine)
    return affine_interval(operation, inputs, outward)


def affine_interval(operation: Affine, inputs: list[Interval], outward: bool) -> Interval:
    """The image of a box under an affine map."""
    if operation.monotone:
        lower, upper = (operation.linear(*ends) for ends in zip(*((x.lower, x.upper) for x in inputs), strict=True))
    else:
        centres, radii = zip(*map(centred, inputs), strict=True)
        middle, reach = operation.linear(*centres), operation.absolute(*radii)
        lower, upper = middle - reach, middle + reach
    if operation.offset is not None:
        lower, upper = lower + operation.offset, upper + operation.offset
    if outward and (operation.terms or operation.offset is not None):
        slack = affine_slack(operation, inputs)
        lower, upper = lower - slack, upper + slack
    return Interval(finite_or(lower, -jnp.inf), finite_or(upper, jnp.inf))


def centred(x: Interval) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
    """Centre and radius of an interval; together they cover it."""
    centre = 0.5 * x.lower + 0.5 * x.upper
    few = 1 + 4 * float(jnp.finfo(centre.dtype).eps)
    return centre, few * jnp.maximum(x.upper - centre, centre - x.lower)


def affine_slack(operation: Affine, inputs: list[Interval]) -> Float[Array, "*s"]:
    """What rounding can do to an affine map of these inputs, in our bounds and in the executed network together."""
    sizes = [jax.lax.stop_gradient(x.magnitude) for x in inputs]
    size = operation.absolute(*sizes)
    if operation.offset is not None:
        size = size + jnp.abs(operation.offset)
    floor = least(operation.terms, size.dtype, operation.largest, *map(jnp.max, sizes))
    return jax.lax.stop_gradient(growth(operation.terms, size.dtype) * size + floor)
