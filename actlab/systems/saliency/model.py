"""Nets of the digits whose maps are measured: whole trainings as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import optax
from flax import nnx
from jaxtyping import Array, Key

from actlab.nets import MLP
from actlab.training import Fitted, fit


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    Attributes:
        hidden: widths of the hidden layers.
        steps: of Adam.
        batch_size: rows of a batch.
        learning_rate: at the start, falling as a cosine.
    """

    hidden: tuple[int, ...] = (64, 64)
    steps: int = 600
    batch_size: int = 64
    learning_rate: float = 3e-3


def untrained(key: Key[Array, ""], inputs: int, activation: Any, recipe: Recipe, classes: int) -> MLP:
    """The net that `classifier` of the same key starts from."""
    return MLP((inputs, *recipe.hidden, classes), activation, rngs=nnx.Rngs(params=jax.random.split(key)[0]))


def classifier(key: Key[Array, ""], data: dict[str, Array], activation: Any, recipe: Recipe, classes: int) -> Fitted:
    """Trains a net on {"x": (rows, inputs), "y": (rows,)}: pure, to be jitted and vmapped over keys."""
    graphdef, state = nnx.split(untrained(key, data["x"].shape[1], activation, recipe, classes))

    def loss(model: Any, batch: dict[str, Array], key: Array) -> Array:
        del key
        return optax.softmax_cross_entropy_with_integer_labels(model(batch["x"]), batch["y"]).mean()

    optimizer = optax.adam(optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps))
    return fit(
        graphdef,
        state,
        data,
        jax.random.split(key)[1],
        loss=loss,
        optimizer=optimizer,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
    )
