"""Whether a layer can still learn: units that no longer answer, and the size of its weights.

A unit "dead" by the size of its output is a notion of rectifiers: a saturated tanh is not small, and a sine is never
still. Hence three shares, each of which can be read for any activation.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

THRESHOLD = 0.025
"""Below this share of its layer's mean a unit counts as dormant: the value of Sokar et al. 2023 for their nets."""


def dormant_share(
    features: Float[Array, "*batch inputs units"], threshold: float = THRESHOLD
) -> Float[Array, "*batch"]:
    """The share of units whose mean |output| is at most `threshold` times the layer's mean; 1 for a layer of zeros.

    Source: Sokar et al. 2023, arXiv:2302.12902, definition 3.1 (tau-dormant neurons).
    """
    return _share_below(jnp.mean(jnp.abs(features), -2), threshold)


def constant_share(
    features: Float[Array, "*batch inputs units"], threshold: float = THRESHOLD
) -> Float[Array, "*batch"]:
    """The share of units whose deviation over the inputs is at most `threshold` times the layer's mean deviation.

    Unlike `dormant_share` it does not change when constants are added to the outputs: a unit stuck at 1 counts as one
    stuck at 0 does, and a sine, whose mean output says nothing, is judged by whether it varies.
    """
    return _share_below(jnp.std(features, -2), threshold)


def flat_share(slopes: Float[Array, "*batch inputs units"], threshold: float = THRESHOLD) -> Float[Array, "*batch"]:
    """The share of units whose mean |f'| over the inputs is at most `threshold`: no gradient passes through them.

    Absolute, so that a layer saturated as a whole is seen; for an activation of another scale than 1, scale the slopes.
    """
    return jnp.mean(jnp.mean(jnp.abs(slopes), -2) <= threshold, -1, dtype=slopes.dtype)


def _share_below(scores: Array, threshold: float) -> Array:
    mean = jnp.mean(scores, -1, keepdims=True)
    return jnp.mean(scores <= threshold * mean, -1, dtype=scores.dtype)


def weight_norm(weights: Any) -> Float[Array, ""]:
    """The Euclidean norm of all floating leaves of a pytree of weights together."""
    leaves = [x for x in jax.tree.leaves(weights) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]
    return jnp.sqrt(sum((jnp.sum(jnp.square(x)) for x in leaves), jnp.zeros(())))
