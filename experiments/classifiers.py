"""Loss and accuracy of a net that classifies rows {"x", "y"}."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import Array


def cross_entropy(model: Any, batch: dict, key: Array) -> Array:
    """The mean over the batch in nats, as `actlab.training` takes a loss; nothing is drawn with the key."""
    del key
    return optax.softmax_cross_entropy_with_integer_labels(model(batch["x"]), batch["y"]).mean()


def accuracy(model: Any, rows: dict) -> Array:
    """The share of the rows that the net classifies right."""
    return jnp.mean(jnp.argmax(model(rows["x"]), -1) == rows["y"])
