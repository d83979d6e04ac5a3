"""Random graph nets of finite width: what the prediction for infinitely wide ones is measured against."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.activations import Activation
from actlab.data.sparse import Sparse


def first_preactivations(operator: Sparse, x: Float[Array, "nodes features"]) -> Float[Array, "nodes features"]:
    """P X scaled such that a random first layer of variance 1 / features has preactivations of mean square 1."""
    px = operator @ x
    return px * (math.sqrt(px.shape[1]) / jnp.sqrt(jnp.mean(jnp.sum(jnp.square(px), 1))))


def simulated_spread(
    key: Key[Array, ""],
    activation: Activation,
    operator: Sparse,
    px: Float[Array, "nodes features"],
    weights: Float[Array, " nodes"],
    *,
    width: int,
    weight_variance: float,
    bias_variance: float,
    depth: int,
) -> Float[Array, " layers"]:
    """Variance between nodes over mean square of the preactivations of one random net, layer by layer.

    Args:
        key: of weights and biases.
        activation: f.
        operator: P.
        px: of the first layer, see `first_preactivations`.
        weights: of the nodes' mean, summing to 1.
        width: channels.
        weight_variance: sigma_w^2, over the width that of a weight.
        bias_variance: sigma_b^2.
        depth: layers after the first.
    """
    first, later = jax.random.split(key)

    def spread(z: Array) -> Array:
        mean = weights @ z
        between = jnp.mean(weights @ jnp.square(z - mean[None]))
        return between / (between + jnp.mean(jnp.square(mean)))

    def layer(z: Array, key: Any) -> tuple[Array, Array]:
        weight_key, bias_key = jax.random.split(key)
        w = math.sqrt(weight_variance / width) * jax.random.normal(weight_key, (width, width))
        b = math.sqrt(bias_variance) * jax.random.normal(bias_key, (1, width))
        z = (operator @ activation(z)) @ w + b
        return z, spread(z)

    start = px @ jax.random.normal(first, (px.shape[1], width)) / math.sqrt(px.shape[1])
    _, later_spreads = jax.lax.scan(layer, start, jax.random.split(later, depth))
    return jnp.concatenate([spread(start)[None], later_spreads])
