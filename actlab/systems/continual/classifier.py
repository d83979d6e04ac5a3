"""What a method sees of a run: a net, its heads, and the loss and gradient of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.continual.heads import Heads
from actlab.systems.continual.model import Network, Parameters

CLOSED = -1e9
"""Logit of an output that does not count: its probability is exactly 0 in float32, and so is its gradient."""


class Batch(NamedTuple):
    """Examples of one or several tasks.

    Attributes:
        x: (rows, inputs).
        target: (rows,), the output that stands for each one's class.
        task: (rows,), the task that each is from.
    """

    x: Any
    target: Any
    task: Any


class Seen(NamedTuple):
    """What one evaluation of a batch gave, before any step on it.

    Attributes:
        loss: mean cross-entropy in nats.
        accuracy: share of right answers.
        gradient: of the loss, a tree like the parameters.
        hidden: values of the hidden layers, (rows, width) each.
    """

    loss: Any
    accuracy: Any
    gradient: Any
    hidden: Any


@dataclass(frozen=True)
class Classifier:
    """A net and its heads.

    Attributes:
        network: its last size is `heads.outputs`.
        heads: which outputs count when.
    """

    network: Network
    heads: Heads

    def logits(self, parameters: Parameters, x: Float[Array, "rows inputs"]) -> Float[Array, "rows outputs"]:
        """Of all outputs."""
        return self.network(parameters, x)[0]

    def see(self, parameters: Parameters, batch: Batch, now: Any) -> Seen:
        """Loss, accuracy and gradient of a batch while the present task is `now`."""

        def loss(parameters: Parameters) -> tuple[Array, tuple[Array, Any]]:
            logits, hidden = self.network(parameters, batch.x)
            logits = opened(logits, self.heads.open(batch.task, now))
            right = jnp.argmax(logits, -1) == batch.target
            return cross_entropy(logits, batch.target).mean(), (right.mean(), hidden)

        (value, (accuracy, hidden)), gradient = jax.value_and_grad(loss, has_aux=True)(parameters)
        return Seen(value, accuracy, gradient, hidden)


def opened(logits: Float[Array, "*rows outputs"], mask: Any) -> Float[Array, "*rows outputs"]:
    """The logits with those that do not count closed."""
    return jnp.where(mask, logits, CLOSED)


def cross_entropy(logits: Float[Array, "rows outputs"], target: Any) -> Float[Array, " rows"]:
    """In nats, of each row."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], -1)[:, 0]


def dot(a: Any, b: Any) -> Array:
    """Inner product of two trees."""
    return sum(map(jnp.vdot, jax.tree.leaves(a), jax.tree.leaves(b)), start=jnp.zeros(()))
