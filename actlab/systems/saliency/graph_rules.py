"""Attributions that go back through a network's graph by rules of their own: DeepLift, LRP.

A `Network` (actlab.bounds.network) has the affine maps and the activations of any model made of actlab's parts, shared
activations told apart by where they are used: no rule depends on a list of known modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.bounds.graph import Affine, Elementwise, Network
from actlab.systems.saliency.attribution import SaliencyError

Rule = Callable[[int, list[Array], Array], tuple[Array, ...]]


def node_values(net: Network, x: Float[Array, "*shape"]) -> list[Array]:
    """The value of every node at one example."""
    values = [x]
    for node in net.nodes[1:]:
        operation, inputs = node.operation, [values[i] for i in node.inputs]
        if isinstance(operation, Affine):
            values.append(_affine(operation, inputs))
        elif isinstance(operation, Elementwise):
            values.append(operation.activation.evaluate(inputs[0]))
        else:
            assert operation is not None
            values.append(operation.function(inputs[0]))
    return values


def deep_lift(
    net: Network, x: Float[Array, "*shape"], row: Float[Array, " outputs"], baseline: Any = 0.0
) -> Float[Array, "*shape"]:
    """DeepLift's rescale rule for any activation: (f(z) - f(z0)) / (z - z0) in the place of the slope.

    Sums to the difference of the scores: every activation's change is passed on in proportion, exactly.

    Args:
        net: from `actlab.bounds.network`.
        x: one example.
        row: coefficients of the outputs.
        baseline: broadcast to x.

    Raises:
        SaliencyError: a maximum pool, which has no such rule.

    Source: Shrikumar, Greenside & Kundaje 2017, arXiv:1704.02685, section 3.5.1.
    """
    start = jnp.broadcast_to(jnp.asarray(baseline, net.dtype), x.shape)
    values, reference = node_values(net, x), node_values(net, start)

    def rule(k: int, inputs: list[Array], multiplier: Array) -> tuple[Array, ...]:
        operation = net.nodes[k].operation
        if isinstance(operation, Affine):
            return _pulled(operation.linear, inputs, multiplier)
        if not isinstance(operation, Elementwise):
            raise SaliencyError("deep_lift: no rescale rule for a maximum pool; use average pooling")
        z, z0 = inputs[0], reference[net.nodes[k].inputs[0]]
        apart = jnp.abs(z - z0) > 1e-6 * (1 + jnp.abs(z))
        chord = (values[k] - reference[k]) / jnp.where(apart, z - z0, 1)
        return (multiplier * jnp.where(apart, chord, operation.activation.slope(0.5 * z + 0.5 * z0)),)

    return (x - start) * _back(net, values, row, rule)


def relevance(
    net: Network, x: Float[Array, "*shape"], row: Float[Array, " outputs"], *, epsilon: Any = 1e-6, gamma: Any = 0.0
) -> Float[Array, "*shape"]:
    """Layer-wise relevance propagation: each unit's relevance goes to its inputs by their shares of its value.

    Positive weights count (1 + gamma) times. An activation passes relevance on as it is. For epsilon to 0, gamma = 0,
    activations with f(0) = 0 and no biases this is input times the DeepLift multiplier at baseline 0: for ReLU, input
    times gradient.

    Args:
        net: from `actlab.bounds.network`.
        x: one example.
        row: coefficients of the outputs: what is distributed is each output times its coefficient.
        epsilon: added to every share's denominator, in its sign; it absorbs relevance.
        gamma: extra weight of positive weights.

    Raises:
        SaliencyError: a maximum pool, which has no such rule.

    Source: Bach et al. 2015, PLoS ONE 10(7), eq. 58; Montavon et al. 2019, Explainable AI, chapter 10 (gamma).
    """
    values = node_values(net, x)

    def rule(k: int, inputs: list[Array], own: Array) -> tuple[Array, ...]:
        operation = net.nodes[k].operation
        if not isinstance(operation, Affine):
            if isinstance(operation, Elementwise):
                return (own,)
            raise SaliencyError("relevance: no rule for a maximum pool; use average pooling")

        def weighted(*v: Array) -> Array:
            # w + gamma max(w, 0), from w and |w|
            return (1 + 0.5 * gamma) * operation.linear(*v) + 0.5 * gamma * operation.absolute(*v)

        total = weighted(*inputs) + (0.0 if operation.offset is None else operation.offset)
        share = own / (total + epsilon * jnp.where(total >= 0, 1.0, -1.0))
        return tuple(v * p for v, p in zip(inputs, _pulled(weighted, inputs, share), strict=True))

    return _back(net, values, row * values[net.output], rule)


def _back(net: Network, values: list[Array], first: Array, rule: Rule) -> Array:
    """From the output to the input by a rule: (node, values of its inputs, what it has) -> what each input gets."""
    pending: dict[int, Array] = {net.output: jnp.asarray(first, net.dtype)}
    for k in reversed(range(1, net.output + 1)):
        if k not in pending:
            continue
        parts = rule(k, [values[i] for i in net.nodes[k].inputs], pending.pop(k))
        for i, part in zip(net.nodes[k].inputs, parts, strict=True):
            pending[i] = pending[i] + part if i in pending else part
    return pending.get(0, jnp.zeros_like(values[0]))


def _affine(operation: Affine, inputs: list[Array]) -> Array:
    value = operation.linear(*inputs)
    return value if operation.offset is None else value + operation.offset


def _pulled(linear: Callable[..., Array], inputs: list[Array], cotangent: Array) -> tuple[Array, ...]:
    return tuple(jax.linear_transpose(linear, *inputs)(cotangent))
