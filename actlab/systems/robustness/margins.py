"""Margins that hold over a whole ball, in plain floating point: what certified training maximizes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

Margins = Float[Array, "batch classes"]
"""Lower bounds of logit y - logit j, one column for each class j; 0 in the column of y itself."""


def box_margins(
    kernel: Float[Array, "features classes"],
    bias: Float[Array, " classes"],
    middle: Float[Array, "batch features"],
    radius: Float[Array, "batch features"],
    y: Int[Array, " batch"],
) -> Margins:
    """The least of logit y - logit j over boxes of the last layer's inputs: exact for a given box.

    The difference is one linear function, of weights w_y - w_j: its bound is tighter than that of two logits apart.

    Source: Gowal et al. 2019, arXiv:1810.12715, section 3 (elision of the last layer).
    """
    classes = kernel.shape[1]
    differences = jnp.abs(kernel[:, :, None] - kernel[:, None, :]).reshape(kernel.shape[0], -1)
    slack = (radius @ differences).reshape(-1, classes, classes)
    own = jnp.take_along_axis(slack, y[:, None, None], axis=1)[:, 0]
    return _pairwise(middle @ kernel + bias[None, :], y) - own


def ball_margins(
    kernel: Float[Array, "features classes"],
    logits: Float[Array, "batch classes"],
    y: Int[Array, " batch"],
    radius: Any,
) -> Margins:
    """Logit y - logit j less what a change of length `radius` of the last layer's input can take: radius |w_y - w_j|.

    Source: Tsuzuku et al. 2018, arXiv:1802.04034, with the last layer pair by pair as in Leino et al. 2021 (GloRo),
    arXiv:2102.08452, section 3: never looser than sqrt(2) times the last layer's norm.
    """
    gram = kernel.T @ kernel
    squares = jnp.diag(gram)
    square = squares[:, None] + squares[None, :] - 2 * gram
    apart = ~jnp.eye(len(square), dtype=bool)
    # The square root of 0 has no derivative: the diagonal is kept away from it.
    distances = jnp.where(apart, jnp.sqrt(jnp.maximum(jnp.where(apart, square, 1.0), 1e-12)), 0.0)
    return _pairwise(logits, y) - radius * distances[y]


def worst_cross_entropy(margins: Margins, y: Int[Array, " batch"]) -> Float[Array, ""]:
    """The cross-entropy of the worst logits in the ball, averaged: that of the negative margins."""
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(-margins, y))


def least(margins: Margins, y: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """The smallest margin to another class."""
    own = jnp.arange(margins.shape[1])[None, :] == y[:, None]
    return jnp.min(jnp.where(own, jnp.inf, margins), axis=1)


def _pairwise(logits: Array, y: Array) -> Array:
    return jnp.take_along_axis(logits, y[:, None], axis=1) - logits
