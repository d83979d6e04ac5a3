"""Integrated gradients without error, for networks whose activations are lines between kinks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Facts
from actlab.bounds.graph import Elementwise, Network
from actlab.bounds.lines import is_piecewise_linear
from actlab.systems.saliency.attribution import SaliencyError
from actlab.systems.saliency.graph_rules import node_values

POINTS = 64
"""Evaluated at once: the number of cuts depends on the data, what is compiled does not."""


def exact_integrated_gradients(
    net: Network, x: Float[Array, "*shape"], row: Float[Array, " outputs"], baseline: Any = 0.0
) -> Float[np.ndarray, "*shape"]:
    """Integrated gradients without error for piecewise linear activations: the line is cut where a unit meets a kink.

    Between two cuts the network is a line and its gradient one vector. Layer by layer every unit's value is a line
    between the cuts so far, so that the next cuts are where it crosses a kink: none is missed. Runs on the host, since
    the number of cuts depends on the data; two programs are compiled once for each `Network` object, whatever example,
    row and baseline: keep the object. In float64 the sum of the result is the difference of the scores to about 1e-14
    of them.

    Args:
        net: from `actlab.bounds.network`; in float64 for exactness.
        x: one example.
        row: coefficients of the outputs, such as one class's unit vector.
        baseline: broadcast to x.

    Raises:
        FactError: an activation that is not continuous and piecewise linear with known kinks.
        SaliencyError: a maximum pool, whose pieces depend on pairs of inputs.
    """
    kinks = [_kinks(net.nodes[k].operation) for k in net.activations]
    start = np.broadcast_to(np.asarray(baseline, net.dtype), np.shape(x))
    change = np.asarray(x, net.dtype) - start
    cuts = np.array([0.0, 1.0], net.dtype)
    for k, at in enumerate(kinks):
        values = _by_parts(cuts, lambda t, k=k: preactivations(net, start, change, t)[k])
        found = [cuts]
        for kink in at:
            below, above = values[:-1] - kink, values[1:] - kink
            piece, unit = np.nonzero(below * above < 0)
            b, a = below[piece, unit], above[piece, unit]
            found.append(cuts[piece] + (cuts[piece + 1] - cuts[piece]) * (b / (b - a)))
        cuts = np.unique(np.concatenate(found))
    middles, lengths = 0.5 * cuts[:-1] + 0.5 * cuts[1:], np.diff(cuts)
    coefficients: Any = np.asarray(row, net.dtype)
    return change * np.tensordot(
        lengths, _by_parts(middles, lambda t: _gradients(net, coefficients, start, change, t)), 1
    )


def is_cut_exactly(facts: Facts) -> bool:
    """Whether an activation is continuous and a line between known kinks, at which a path can be cut."""
    return is_piecewise_linear(facts) and facts.smoothness is not None and facts.smoothness >= 0


@functools.partial(jax.jit, static_argnums=0)
def preactivations(net: Network, start: Array, change: Array, t: Float[Array, " points"]) -> list[Array]:
    """What each activation is given at these points of the line, each (points, units)."""

    def one(t: Array) -> list[Array]:
        values = node_values(net, start + t * change)
        return [values[net.nodes[k].inputs[0]].reshape(-1) for k in net.activations]

    return jax.vmap(one)(t)


@functools.partial(jax.jit, static_argnums=0)
def _gradients(net: Network, row: Array, start: Array, change: Array, t: Float[Array, " points"]) -> Array:
    """Of the row's combination of outputs at these points of the line, (points, *shape)."""

    def score(x: Array) -> Array:
        return jnp.vdot(row, node_values(net, x)[net.output])

    return jax.vmap(lambda t: jax.grad(score)(start + t * change))(t)


def _by_parts(points: np.ndarray, function: Callable[[np.ndarray], Array]) -> np.ndarray:
    """The function of all points, always so many at once, the last ones repeated."""
    size = -len(points) % POINTS
    padded = np.concatenate([points, np.full(size, points[-1], points.dtype)]).reshape(-1, POINTS)
    return np.concatenate([np.asarray(function(part)) for part in padded])[: len(points)]


def _kinks(operation: Any) -> tuple[float, ...]:
    if not isinstance(operation, Elementwise):
        raise SaliencyError(
            "exact_integrated_gradients: a maximum pool has pieces of its own; use average pooling or strides, or "
            "integrated_gradients"
        )
    facts = operation.facts
    if facts.kinks is None or not is_cut_exactly(facts):
        raise al.FactError(
            f"exact_integrated_gradients needs continuous piecewise linear activations with known kinks, and "
            f"{operation.activation.name} is not known to be one. What would do: integrated_gradients, whose error "
            "falls exponentially with its nodes for smooth activations"
        )
    return tuple(float(k) for k in facts.kinks)
