"""Weights that hold propagation at criticality for the activation, the weights and the graph together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Key

from actlab.activations import Activation
from actlab.data.sparse import Sparse
from actlab.nets.graph import GraphConvolution, GraphNet
from actlab.signal.quadrature import trapezoid

DEVIATION = 0.05
"""Of the preactivations around the centre: small enough for the net to start nearly linear."""
CENTRES = np.concatenate([[0.0], np.linspace(-2.5, 2.5, 21)])
POINTS, REACH = 801, 8.0


@dataclass(frozen=True)
class Pairing:
    """How pairs of channels at centre + a and centre - a pass a signal a through an activation.

    Attributes:
        centre: the bias of every channel.
        slope: sqrt(E[o(a)^2] / E[a^2]), o(a) = (f(centre + a) - f(centre - a)) / 2, a ~ N(0, deviation^2).
        deviation: of a.
    """

    centre: Any
    slope: Any
    deviation: float


def pairing(activation: Activation, deviation: float = DEVIATION) -> Pairing:
    """The centre and its slope: 0 where the odd part of f carries at least a third of what the best centre's does.

    Args:
        activation: f.
        deviation: of the signal a.

    Raises:
        ValueError: f is constant where it is looked at, so that no weights pass a signal; under jit its slope is 0.
    """
    t, weights = trapezoid(POINTS, REACH)
    signal, centres = deviation * t[None], jnp.asarray(CENTRES, t.dtype)
    odd = (activation(centres[:, None] + signal) - activation(centres[:, None] - signal)) / 2
    slopes = jnp.sqrt(jnp.square(odd) @ weights) / deviation
    best = jnp.argmax(slopes)
    if not isinstance(best, Tracer) and not slopes[best] > 1e-6:
        raise ValueError(f"{activation.name} is constant near 0: no weights pass a signal through it")
    chosen = jnp.where(slopes[0] > slopes[best] / 3, 0, best)
    return Pairing(centres[chosen], slopes[chosen], deviation)


def graph_factors(operator: Sparse, field: Float[Array, "nodes channels"], depth: int) -> Float[Array, " depth"]:
    """rho_l = |P^l z|^2 / |P^(l - 1) z|^2 for l = 1 .. depth: what the graph alone does to a field's power."""

    def step(z: Array, _: Any) -> tuple[Array, Array]:
        y = operator @ z
        rho = jnp.sum(jnp.square(y)) / jnp.sum(jnp.square(z))
        return y / jnp.sqrt(rho), rho

    return jax.lax.scan(step, field, length=depth)[1]


def orthogonal(key: Key[Array, ""], count: int, size: int) -> Float[Array, "count size size"]:
    """Random orthogonal matrices."""
    q, r = jnp.linalg.qr(jax.random.normal(key, (count, size, size)))
    return q * jnp.sign(jnp.diagonal(r, axis1=1, axis2=2))[:, None]


def set_critical(key: Key[Array, ""], net: GraphNet, operator: Sparse, x: Any, deviation: float = DEVIATION) -> None:
    """Sets the weights of a plain deep GCN such that a signal passes all layers at constant power.

    Channels come in pairs c + a, c - a, whose difference passes the odd part of f around c alone: the even part, which
    drives all nodes to one state, cancels (for ReLU exactly: relu(a) - relu(-a) = a). On a the weights are orthogonal,
    scaled by 1 / (slope sqrt(rho_l)): the slope from the activation's Gaussian moments, rho_l from the graph and the
    features. So gain^2 x slope^2 x rho_l = 1 at every layer: the factor by which power between nodes changes.

    Args:
        key: of the random weights.
        net: a plain `GraphNet` of kind "gcn" with an even width; its parameters are replaced.
        operator: that it will be run with.
        x: the features, dense or `Sparse`.
        deviation: of a.

    Raises:
        ValueError: another kind of net, an odd width, or an activation that is constant near 0.

    Source: the criticality condition of arXiv:2406.02269; pairs as in Balduzzi et al. 2017, arXiv:1702.08591, section 4
    (looks-linear), here for any activation and centre.
    """
    first, hidden, last = net.first, net.hidden, net.last
    if not (isinstance(first, GraphConvolution) and isinstance(last, GraphConvolution)) or net.residual or net.norm:
        raise ValueError('a critical start is for a plain net of kind "gcn", without residual and norm')
    inputs, width = first.kernel[...].shape
    if width % 2:
        raise ValueError(f"a critical start pairs channels: width = {width} must be even")
    pair, half = pairing(net.nonlinearity.activation, deviation), width // 2
    first_key, hidden_key, last_key = jax.random.split(key, 3)
    depth = 0 if hidden is None else hidden.kernel[...].shape[0]
    projection = jax.random.normal(first_key, (inputs, half))
    projection = _without(_collapsed_direction(operator, x, inputs, depth), projection)
    field = operator @ (x @ projection)
    projection = projection * (deviation / jnp.sqrt(jnp.mean(jnp.square(field))))
    first.kernel[...] = jnp.concatenate([projection, -projection], 1)
    first.bias[...] = jnp.broadcast_to(pair.centre, (width,))
    if hidden is not None:
        gains = 1.0 / (pair.slope * jnp.sqrt(graph_factors(operator, field, depth)))
        rotation = gains[:, None, None] / 2 * orthogonal(hidden_key, depth, half)
        across = jnp.concatenate([rotation, -rotation], 2)
        hidden.kernel[...] = jnp.concatenate([across, -across], 1)
        hidden.bias[...] = jnp.broadcast_to(pair.centre, (depth, width))
    outputs = last.kernel[...].shape[1]
    readout = jax.random.normal(last_key, (half, outputs)) / (2 * pair.slope * deviation * math.sqrt(half))
    last.kernel[...] = jnp.concatenate([readout, -readout], 0)
    last.bias[...] = jnp.zeros(outputs)


def _collapsed_direction(operator: Sparse, x: Any, inputs: int, depth: int) -> Float[Array, " inputs"]:
    """The features' mean with the weights that `depth` layers of the graph make of a constant."""
    state = jnp.ones((operator.shape[0], 1))
    for_all = jax.lax.fori_loop(0, depth + 2, lambda _, z: operator @ z, state)
    return jax.grad(lambda w: jnp.sum(for_all * (x @ w)))(jnp.zeros((inputs, 1)))[:, 0]


def _without(direction: Float[Array, " inputs"], kernel: Float[Array, "inputs half"]) -> Float[Array, "inputs half"]:
    unit = direction / jnp.maximum(jnp.linalg.norm(direction), 1e-30)
    return kernel - unit[:, None] * (unit @ kernel)[None]
