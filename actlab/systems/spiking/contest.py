"""Accuracy on Randman over slopes of the surrogate and ways through the reset, many nets in one program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from actlab.systems.spiking.encoding import shuffled_in_time
from actlab.systems.spiking.lif import LIF
from actlab.systems.spiking.model import Recipe, accuracy, train_classifier
from actlab.systems.spiking.randman import randman, split


@dataclass(frozen=True)
class Task:
    """Randman and the nets on it; the defaults are the paper's problem.

    Recipe and decay were set by test accuracy on one other draw of the problem, at beta = 10 and detached: there they
    are tuned.

    Attributes:
        classes: manifolds.
        units: inputs.
        samples: of each class.
        times: steps of a trial.
        decay: of the neurons' potential.
        test_share: of the samples.
        recipe: of the training.
    """

    classes: int = 10
    units: int = 100
    samples: int = 1000
    times: int = 100
    decay: float = 0.95
    test_share: float = 0.2
    recipe: Recipe = field(default_factory=lambda: Recipe(steps=300, learning_rate=1e-2))


class Outcome(NamedTuple):
    """What one net reached.

    Attributes:
        accuracy: on the test samples; a net whose outputs are not finite guesses.
        loss: of the last tenth of the training steps, nats.
        rate: spikes of a unit of the first hidden layer in a step, over the same steps.
    """

    accuracy: Array
    loss: Array
    rate: Array


def draw(key: Key[Array, ""], task: Task) -> tuple[dict[str, Array], dict[str, Array]]:
    """Training and test samples."""
    data = randman(key, classes=task.classes, units=task.units, samples=task.samples, steps=task.times)
    parts = split(data, task.classes, task.test_share)
    train, test = ({"times": p.times, "y": p.labels} for p in parts)
    return train, test


def without_times(key: Key[Array, ""], data: dict[str, Array], task: Task) -> dict[str, Array]:
    """The control: the same spikes at random times, of which only the counts are left; and all counts are 1."""
    return {**data, "times": shuffled_in_time(key, data["times"], task.times)}


def trial(key: Key[Array, ""], train: Any, test: Any, neuron: LIF, task: Task) -> Outcome:
    """Trains one net of the neuron with the task's decay: pure, to be vmapped over everything but the task."""
    neuron = replace(neuron, decay=task.decay)
    fitted = train_classifier(key, train, neuron, task.recipe, times=task.times, classes=task.classes)
    last = max(task.recipe.steps // 10, 1)
    return Outcome(
        accuracy(fitted, test, task.times),
        jnp.mean(fitted.metrics["loss"][-last:]),
        jnp.mean(fitted.metrics["rate"][-last:]),
    )


def contest(
    neurons: Callable[[Array, Array], LIF], betas: Any, shares: Any, task: Task
) -> Callable[[Key[Array, ""]], Outcome]:
    """A pure function of a seed's key, to map over seeds: one net for each beta and share of the reset's gradient.

    The key is for data, kernels and batches: all nets of a seed learn the same data from the same kernels.

    Args:
        neurons: (beta, share) -> the neuron.
        betas: shape (betas,).
        shares: of the reset's gradient: 0 detached, 1 attached.
        task: problem and recipe.

    Returns:
        A function of a key to an `Outcome` with leaves of shape (betas, shares).
    """
    betas, shares = jnp.asarray(betas), jnp.asarray(shares)

    def one_seed(key: Array) -> Outcome:
        of_data, of_net = jax.random.split(key)
        train, test = draw(of_data, task)

        def one(beta: Array, share: Array) -> Outcome:
            return trial(of_net, train, test, neurons(beta, share), task)

        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(betas, shares)

    return one_seed


def control(neuron: LIF, task: Task) -> Callable[[Key[Array, ""]], Outcome]:
    """The same on data without spike times, one net: chance, or the task is not about time."""

    def one_seed(key: Array) -> Outcome:
        of_data, of_net = jax.random.split(key)
        parts = draw(of_data, task)
        shuffles = jax.random.split(jax.random.fold_in(key, 1))
        train, test = (without_times(k, part, task) for k, part in zip(shuffles, parts, strict=True))
        return trial(of_net, train, test, neuron, task)

    return one_seed
