"""Attributions that go back through a network's graph by rules of their own: exact paths, DeepLift, LRP.

A `Network` (actlab.bounds.network) has the affine maps and the activations of any model made of actlab's parts, shared
activations told apart by where they are used: no rule depends on a list of known modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.bounds.graph import Affine, Elementwise, Network
from actlab.bounds.lines import is_piecewise_linear
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


def exact_integrated_gradients(
    net: Network, x: Float[Array, "*shape"], row: Float[Array, " outputs"], baseline: Any = 0.0
) -> Float[np.ndarray, "*shape"]:
    """Integrated gradients without error for piecewise linear activations: the line is cut where a unit meets a kink.

    Between two cuts the network is a line and its gradient one vector. Layer by layer every unit's value is a line
    between the cuts so far, so that the next cuts are where it crosses a kink: none is missed. Runs on the host, since
    the number of cuts depends on the data; gradients of all pieces in one program. In float64 the sum of the result is
    the difference of the scores to about 1e-14 of them.

    Args:
        net: from `actlab.bounds.network`; in float64 for exactness.
        x: one example.
        row: coefficients of the outputs, such as one class's unit vector.
        baseline: broadcast to x.

    Raises:
        FactError: an activation that is not continuous and piecewise linear with known kinks.
        SaliencyError: a maximum pool, whose pieces depend on pairs of inputs.
    """
    start = np.broadcast_to(np.asarray(baseline, net.dtype), np.shape(x))
    change = np.asarray(x, net.dtype) - start

    @jax.jit
    def along(t: Array) -> list[Array]:
        return jax.vmap(lambda t: node_values(net, start + t * change))(t)

    cuts = np.array([0.0, 1.0], net.dtype)
    for k in net.activations:
        operation = net.nodes[k].operation
        if not isinstance(operation, Elementwise):
            raise SaliencyError(
                "exact_integrated_gradients: a maximum pool has pieces of its own; use average pooling or strides, or "
                "integrated_gradients"
            )
        kinks = _kinks(operation)
        values = np.asarray(along(_padded(cuts))[net.nodes[k].inputs[0]])[: len(cuts)].reshape(len(cuts), -1)
        found = [cuts]
        for kink in kinks:
            below, above = values[:-1] - kink, values[1:] - kink
            piece, unit = np.nonzero(below * above < 0)
            b, a = below[piece, unit], above[piece, unit]
            found.append(cuts[piece] + (cuts[piece + 1] - cuts[piece]) * (b / (b - a)))
        cuts = np.unique(np.concatenate(found))

    @jax.jit
    def slopes(t: Array) -> Array:
        return jax.vmap(jax.grad(lambda v: jnp.vdot(row, node_values(net, v)[net.output])))(
            start[None] + t.reshape(-1, *(1,) * start.ndim) * change[None]
        )

    middles, lengths = 0.5 * cuts[:-1] + 0.5 * cuts[1:], np.diff(cuts)
    gradients = np.asarray(slopes(_padded(middles)))[: len(middles)]
    return change * np.tensordot(lengths, gradients, 1)


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

    With gamma positive weights count (1 + gamma) times. An activation passes relevance on as it is. For epsilon to 0,
    gamma = 0, activations with f(0) = 0 and no biases this is input times the DeepLift multiplier at baseline 0: for
    ReLU, input times gradient.

    Args:
        net: from `actlab.bounds.network`.
        x: one example.
        row: coefficients of the outputs: what is distributed is each output times its coefficient.
        epsilon: added to every share's denominator, in its sign; it absorbs relevance.
        gamma: extra weight of positive weights.

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


def _kinks(operation: Elementwise) -> tuple[float, ...]:
    facts = operation.facts
    if not is_piecewise_linear(facts) or facts.kinks is None or facts.smoothness is None or facts.smoothness < 0:
        raise al.FactError(
            f"exact_integrated_gradients needs continuous piecewise linear activations with known kinks, and "
            f"{operation.activation.name} is not known to be one. What would do: integrated_gradients, whose error "
            "falls exponentially with its nodes for smooth activations"
        )
    return tuple(float(k) for k in facts.kinks)


def _padded(points: np.ndarray) -> np.ndarray:
    """Repeated at the end to a power of two, so that few shapes are compiled."""
    size = 1 << max(3, (len(points) - 1).bit_length())
    return np.concatenate([points, np.full(size - len(points), points[-1], points.dtype)])
