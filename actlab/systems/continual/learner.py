"""A whole run over a stream of tasks: a scan over tasks of a scan over steps, one program for any number of seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from actlab.systems.continual.classifier import Batch, Classifier, opened
from actlab.systems.continual.error import ContinualError
from actlab.systems.continual.method import Method, Step
from actlab.systems.continual.model import Parameters
from actlab.systems.continual.streams import Stream


@dataclass(frozen=True)
class Schedule:
    """How each task is trained on.

    Attributes:
        steps: of the optimizer; each epoch visits the task's examples in a new order, an incomplete batch is dropped.
        batch_size: examples of a step.
        reset: the optimizer's state starts anew with each task; else it is carried over the switch.
        parts: a task is divided into so many parts of equal length, after each of which the run is observed.
        tested: whether all tasks' held-out examples are judged before the first task and after each.
    """

    steps: int
    batch_size: int
    reset: bool = False
    parts: int = 1
    tested: bool = True

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.parts) < 1 or self.steps % self.parts:
            raise ContinualError(
                f"Schedule: steps = {self.steps}, batch_size = {self.batch_size}, parts = {self.parts}: all must be "
                "positive, and the parts divide the steps"
            )


class Run(NamedTuple):
    """What a run leaves.

    Attributes:
        online: (tasks,), accuracy on each task's batches, each judged just before its step.
        accuracy: (tasks + 1, tasks), on held-out examples of every task: at the start and after each task; None where
            not tested. Of classes not met yet the net may say nothing: 0 there in class-incremental learning.
        observed: what `observe` gave, leading axes (tasks, parts); None without.
        parameters: at the end.
    """

    online: Any
    accuracy: Any
    observed: Any
    parameters: Parameters


def learn(
    key: Key[Array, ""],
    stream: Stream,
    classifier: Classifier,
    method: Method,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    observe: Callable[[Parameters, Any], Any] | None = None,
) -> Run:
    """Meets the tasks of a stream one after the other: pure, to be jitted and mapped over keys, streams and strengths.

    Args:
        key: of weights, order and the method's draws.
        stream: the tasks.
        classifier: net and heads.
        method: what is done against forgetting, or for plasticity.
        optimizer: takes the direction that the method gives.
        schedule: steps, batches.
        observe: (parameters, task) -> arrays, after each part of a task.

    Raises:
        ContinualError: heads for another number of tasks, or batches larger than a task.
    """
    _check(stream, classifier, schedule)
    of_net, of_tasks = jax.random.split(key)
    begin = classifier.network.start(of_net)

    def task(carry: Any, now: Array) -> tuple[Any, Any]:
        of_order, of_steps, of_end = jax.random.split(jax.random.fold_in(of_tasks, now), 3)
        if schedule.reset:
            carry = carry[0], optimizer.init(carry[0]), carry[2]
        order = _order(of_order, stream.length, schedule)

        def step(carry: Any, now_at: tuple[Array, Array]) -> tuple[Any, Array]:
            parameters, state, memory = carry
            number, positions = now_at
            of_gradient, of_renewal = jax.random.split(jax.random.fold_in(of_steps, number))
            batch = batch_of(stream, classifier, now, positions)
            seen = classifier.see(parameters, batch, now)
            direction = method.gradient(classifier, parameters, memory, seen, batch, now, of_gradient)
            updates, state = optimizer.update(direction, state, parameters)
            after: Any = optax.apply_updates(parameters, updates)
            renewed = method.after_step(classifier, Step(parameters, after, seen), memory, of_renewal)
            if renewed.fresh is not None:
                forget = lambda moment, fresh: jnp.where(fresh, 0, moment)  # noqa: E731
                state = optax.tree.map_params(optimizer, forget, state, renewed.fresh)
            return (renewed.parameters, state, renewed.memory), seen.accuracy

        def part(carry: Any, now_at: tuple[Array, Array]) -> tuple[Any, Any]:
            carry, accuracy = jax.lax.scan(step, carry, now_at)
            return carry, (accuracy.mean(), None if observe is None else observe(carry[0], now))

        numbers = jnp.arange(schedule.steps).reshape(schedule.parts, -1)
        carry, (online, observed) = jax.lax.scan(part, carry, (numbers, order))
        parameters, state, memory = carry

        def draw(key: Array, count: int) -> Batch:
            positions = jax.random.choice(key, stream.length, (count,), replace=count > stream.length)
            return batch_of(stream, classifier, now, positions)

        parameters, memory = method.after_task(classifier, parameters, memory, draw, now, of_end)
        tested = held_out_accuracy(parameters, stream, classifier, now) if schedule.tested else None
        return (parameters, state, memory), (online.mean(), tested, observed)

    carry = begin, optimizer.init(begin), method.start(classifier, begin)
    (parameters, _, _), (online, tested, observed) = jax.lax.scan(task, carry, jnp.arange(stream.tasks))
    if tested is not None:
        tested = jnp.concatenate([held_out_accuracy(begin, stream, classifier, 0)[None], tested])
    return Run(online, tested, observed, parameters)


def held_out_accuracy(parameters: Parameters, stream: Stream, classifier: Classifier, now: Any) -> Array:
    """Share of right answers on each task's held-out examples, shape (tasks,), while the present task is `now`."""

    def one(task: Array) -> Array:
        x, label = stream.test(task)
        logits = opened(classifier.logits(parameters, x), classifier.heads.open(task, now)[None])
        return jnp.mean(jnp.argmax(logits, -1) == classifier.heads.target(task, label))

    return jax.lax.map(one, jnp.arange(stream.tasks))


def batch_of(stream: Stream, classifier: Classifier, task: Any, positions: Array) -> Batch:
    """The task's training examples at these positions, with the outputs that stand for their classes."""
    x, label = stream.train(task, positions)
    return Batch(x, classifier.heads.target(task, label), jnp.broadcast_to(task, label.shape))


def _order(key: Array, length: int, schedule: Schedule) -> Array:
    """Positions of every batch of a task, (parts, steps / parts, batch size)."""
    per_epoch = length // schedule.batch_size
    epochs = -(-schedule.steps // per_epoch)
    orders = jax.vmap(lambda k: jax.random.permutation(k, length))(jax.random.split(key, epochs))
    whole = orders[:, : per_epoch * schedule.batch_size].reshape(-1, schedule.batch_size)[: schedule.steps]
    return whole.reshape(schedule.parts, -1, schedule.batch_size)


def _check(stream: Stream, classifier: Classifier, schedule: Schedule) -> None:
    if stream.tasks != classifier.heads.tasks:
        raise ContinualError(f"learn: the stream has {stream.tasks} tasks, the heads are for {classifier.heads.tasks}")
    ends = classifier.network.sizes[0], classifier.network.sizes[-1]
    if ends != (stream.x.shape[1], classifier.heads.outputs):
        raise ContinualError(
            f"learn: the net maps {ends[0]} inputs to {ends[1]} outputs; the stream has {stream.x.shape[1]} pixels, "
            f"the heads {classifier.heads.outputs} outputs"
        )
    if schedule.batch_size > stream.length:
        raise ContinualError(f"learn: batch_size = {schedule.batch_size} is above the {stream.length} rows of a task")
