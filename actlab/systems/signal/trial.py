"""One short training run of a deep plain net on the digits: does it learn at all?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from actlab.data.embedded import digits
from actlab.systems.signal.model import PlainNet, parts
from actlab.training import fit

CLASSES = 10


@dataclass(frozen=True)
class Recipe:
    """How every net is trained.

    Attributes:
        width: of every hidden layer.
        steps: of the optimizer.
        batch_size: rows of a minibatch.
        learning_rate: of Adam.
    """

    width: int = 100
    steps: int = 150
    batch_size: int = 32
    learning_rate: float = 1e-3


class Trial(NamedTuple):
    """The mean over the last tenth of a run's minibatches, before each step's update.

    Attributes:
        accuracy: in [0, 1]; a net whose outputs are not finite guesses.
        loss: cross-entropy in nats.
    """

    accuracy: Array
    loss: Array


def digits_rows() -> dict[str, Array]:
    """The digits, centred and scaled so that the mean square over all pixels is 1: inputs `x` and classes `y`."""
    data = digits()
    x = (data.X - data.X.mean()) / data.X.std()
    return {"x": jnp.asarray(x, jnp.float32), "y": jnp.asarray(data.y)}


def trial(
    key: Key[Array, ""],
    activation: Any,
    weight_variance: Any,
    bias_variance: Any,
    data: dict[str, Array],
    *,
    depth: int,
    recipe: Recipe,
) -> Trial:
    """Draws a net of `depth` hidden layers and trains it: pure, to be mapped over key, parameters and variances."""
    k_net, k_fit = jax.random.split(key)
    inputs = data["x"].shape[1]
    net = PlainNet(inputs, recipe.width, depth, CLASSES, activation, weight_variance, bias_variance, key=k_net)
    graphdef, state = parts(net)
    fitted = fit(
        graphdef,
        state,
        data,
        k_fit,
        loss=_cross_entropy,
        optimizer=optax.adam(recipe.learning_rate),
        steps=recipe.steps,
        batch_size=recipe.batch_size,
    )
    last = max(recipe.steps // 10, 1)
    return Trial(*(jnp.mean(fitted.metrics[name][-last:]) for name in ("accuracy", "loss")))


def _cross_entropy(model: Any, batch: dict[str, Array], key: Array) -> tuple[Array, dict[str, Array]]:
    del key
    logits = model(batch["x"])
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()
    return loss, {"accuracy": jnp.mean(jnp.argmax(logits, -1) == batch["y"])}
