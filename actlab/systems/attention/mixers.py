"""Attention functions to compare with the gate, each causal and dense: softmax, sigmoid, ReLU and entmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import actlab.activations as al


def softmax(scores: Float[Array, "*batch queries keys"], visible: Array) -> Float[Array, "*batch queries keys"]:
    """Vaswani et al. 2017, eq. 1."""
    return jax.nn.softmax(jnp.where(visible, scores, -jnp.inf), axis=-1)


def sigmoid(scores: Float[Array, "*batch queries keys"], visible: Array) -> Float[Array, "*batch queries keys"]:
    """The sigmoid of s - log n, n the length: Ramapuram et al. 2024, arXiv:2409.04431, eq. 3."""
    return jnp.where(visible, jax.nn.sigmoid(scores - math.log(scores.shape[-1])), 0.0)


def relu(scores: Float[Array, "*batch queries keys"], visible: Array) -> Float[Array, "*batch queries keys"]:
    """The positive part of s over n, the number of visible keys: Wortsman et al. 2023, arXiv:2309.08586."""
    count = jnp.maximum(jnp.sum(visible, axis=-1, keepdims=True), 1)
    return jnp.where(visible, jax.nn.relu(scores), 0.0) / count


def entmax(scores: Float[Array, "*batch queries keys"], visible: Array) -> Float[Array, "*batch queries keys"]:
    """1.5-entmax: Peters, Niculae & Martins 2019, arXiv:1905.05702; sparse, with a threshold for each row."""
    return al.entmax(1.5)(jnp.where(visible, scores, -1e9))


WEIGHTS: dict[str, Callable[[Array, Array], Array]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "relu": relu,
    "entmax-1.5": entmax,
}


@dataclass(frozen=True)
class CausalMixer:
    """The (q, k, v) -> out of a name in `WEIGHTS`, with equal numbers of heads and groups or grouped queries."""

    name: str

    def weights(self, q: Array, k: Array) -> Float[Array, "batch heads queries keys"]:
        """What each query takes of each key's value."""
        return WEIGHTS[self.name](scaled_scores(q, k), causal(q.shape[1])[None, None])

    def __call__(self, q: Array, k: Array, v: Array) -> Float[Array, "batch queries heads e"]:
        """Mixes the values."""
        return jnp.einsum("bhij,bjhe->bihe", self.weights(q, k), jnp.repeat(v, q.shape[2] // v.shape[2], axis=2))


def scaled_scores(
    q: Float[Array, "batch queries heads d"], k: Float[Array, "batch keys groups d"]
) -> Float[Array, "batch heads queries keys"]:
    """q_i . k_j / sqrt(d) of every pair; all in memory at once."""
    scores = jnp.einsum("bihd,bjhd->bhij", q, jnp.repeat(k, q.shape[2] // k.shape[2], axis=2))
    return scores / math.sqrt(q.shape[-1])


def causal(length: int) -> Array:
    """Which keys each query sees, bool of shape (length, length)."""
    return jnp.tril(jnp.ones((length, length), bool))
