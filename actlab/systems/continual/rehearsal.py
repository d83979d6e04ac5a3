"""Methods that keep examples of earlier tasks: replay, and averaged gradient episodic memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.systems.continual.classifier import Batch, Classifier, dot
from actlab.systems.continual.method import Method
from actlab.systems.continual.model import Parameters


class Kept(NamedTuple):
    """Examples of every task, filled task by task.

    Attributes:
        x: (tasks, examples, inputs).
        target: (tasks, examples).
    """

    x: Any
    target: Any


def replay(examples: int, batch_size: int) -> Method:
    """Experience replay: the gradient of task t (from 0) and that of kept examples of earlier ones, 1 to t.

    Args:
        examples: kept of each task, at random.
        batch_size: of the kept examples at each step, from all earlier tasks alike.

    Source: Rolnick et al. 2019, arXiv:1811.11682; the mixture as in van de Ven et al. 2022, Nature Machine
    Intelligence 4.
    """

    def gradient(
        classifier: Classifier, now_at: Parameters, memory: Kept, seen: Any, batch: Any, now: Any, key: Array
    ) -> Parameters:
        old = classifier.see(now_at, _drawn(memory, batch_size, now, key), now).gradient
        share = 1 / (1 + now)
        return jax.tree.map(lambda g, o: share * g + (1 - share) * o, seen.gradient, old)

    return Method("replay", _nothing_kept(examples), gradient, after_task=_keep(examples))


def a_gem(examples: int, batch_size: int) -> Method:
    """A-GEM: where a step would raise the loss on kept examples, its component that does so is taken out.

    Args:
        examples: kept of each task, at random.
        batch_size: of the kept examples at each step, from all earlier tasks alike.

    Source: Chaudhry et al. 2019, arXiv:1812.00420, eq. 11.
    """

    def gradient(
        classifier: Classifier, now_at: Parameters, memory: Kept, seen: Any, batch: Any, now: Any, key: Array
    ) -> Parameters:
        old = classifier.see(now_at, _drawn(memory, batch_size, now, key), now).gradient
        allowed = without_conflict(seen.gradient, old)
        return jax.tree.map(lambda g, a: jnp.where(now > 0, a, g), seen.gradient, allowed)

    return Method("a_gem", _nothing_kept(examples), gradient, after_task=_keep(examples))


def without_conflict(gradient: Parameters, reference: Parameters) -> Parameters:
    """The vector nearest to `gradient` whose inner product with `reference` is not negative."""
    inner, size = dot(gradient, reference), dot(reference, reference)
    factor = jnp.where(inner < 0, inner / jnp.where(size > 0, size, 1), 0)
    return jax.tree.map(lambda g, r: g - factor * r, gradient, reference)


def _nothing_kept(examples: int) -> Any:
    def start(classifier: Classifier, parameters: Parameters) -> Kept:
        shape = classifier.heads.tasks, examples
        return Kept(jnp.zeros((*shape, classifier.network.sizes[0])), jnp.zeros(shape, jnp.int32))

    return start


def _keep(examples: int) -> Any:
    def after_task(
        classifier: Classifier, parameters: Parameters, memory: Kept, draw: Any, now: Any, key: Array
    ) -> tuple[Parameters, Kept]:
        batch = draw(key, examples)
        return parameters, Kept(memory.x.at[now].set(batch.x), memory.target.at[now].set(batch.target))

    return after_task


def _drawn(memory: Kept, count: int, now: Any, key: Array) -> Batch:
    """Of earlier tasks; of nothing, all zeros, while there is none."""
    of_task, of_example = jax.random.split(key)
    task = jax.random.randint(of_task, (count,), 0, jnp.maximum(1, now))
    example = jax.random.randint(of_example, (count,), 0, memory.target.shape[1])
    return Batch(memory.x[task, example], memory.target[task, example], task)
