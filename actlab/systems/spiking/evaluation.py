"""The standard test of an activation as a surrogate: spiking nets trained with its slope on classes of spike times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.activations import Activation
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.spiking.contest import Outcome, Task, contest, control
from actlab.systems.spiking.laws import critical_beta, gaussian_moments, largest_factor, limit_moments
from actlab.systems.spiking.lif import LIF, carried_slope
from actlab.systems.spiking.model import Recipe
from actlab.systems.spiking.potentials import potentials
from actlab.systems.spiking.reading import surrogate_of
from actlab.systems.spiking.surrogates import Surrogate, surrogate
from actlab.training import ensemble

HEADLINE = "accuracy, detached reset, at the worst beta"
CURVE = "Accuracy on spike times against the surrogate's slope"
MEANS = "Mean surrogate gradient over Gaussian potentials, times their deviation"
DENSITY = 0.3989422804014327
"""Of the standard normal distribution at its mean."""


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        task: Randman in small.
        betas: slopes, ascending; h has the peak beta/4.
        times: steps over which the gradient's growth is followed.
    """

    task: Task = field(
        default_factory=lambda: Task(
            classes=5,
            units=40,
            samples=150,
            times=50,
            recipe=Recipe(hidden=(64,), steps=150, batch_size=32, learning_rate=1e-2),
        )
    )
    betas: tuple[float, ...] = (1.0, 10.0, 100.0)
    times: int = 100


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Trains nets with the activation's slope as the surrogate, at every beta, with and without the reset's gradient.

    Args:
        activation: an Activation, a function or a name.
        seeds: of data, kernels and batches; all nets in one compiled program.
        settings: the size of the test.

    Raises:
        FactError: the activation makes no surrogate: it is not known to be monotone with bounded range and slope.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    h = surrogate_of(activation, settings.betas[0])

    def neuron(beta: Any, share: Any) -> LIF:
        return LIF(surrogate=replace(h, beta=beta), reset_gradient=share)

    betas, shares = jnp.asarray(settings.betas, jnp.float32), jnp.asarray([0.0, 1.0])
    found = ensemble(contest(neuron, betas, shares, settings.task))(_keys(seeds))
    growth = _growth(h, seeds, settings)
    return Evaluation.of(
        _measurements(activation, h, found, growth, seeds, settings),
        _curves(activation, h, found, growth, settings),
        _notes(activation, h, found, settings),
    )


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """The same nets on the same counts of spikes at random times: what rates alone tell."""
    seeds = tuple(int(s) for s in seeds)
    neuron = LIF(surrogate=surrogate("sigmoid", 10.0))
    found = ensemble(control(neuron, settings.task))(_keys(seeds))
    chance = 100 * np.asarray(found.accuracy, np.float64)
    return Evaluation((Measurement(HEADLINE, "rates only (no spike times)", chance, "%", "higher", seeds),))


def _keys(seeds: Sequence[int]) -> Any:
    return jnp.stack([jax.random.fold_in(jax.random.key(11), s) for s in seeds])


def _growth(h: Surrogate, seeds: tuple[int, ...], settings: Settings) -> np.ndarray:
    """Log10 of the largest |du_t/du_0| of 1,000 neurons under noise, attached, steepest beta: shape (seeds, times)."""
    neuron = _attached(replace(h, beta=settings.betas[-1]), settings)

    def one(key: Any) -> Any:
        u = potentials(neuron, 0.1 + 0.3 * jax.random.normal(key, (settings.times, 1000)))
        factors = jnp.abs(carried_slope(neuron, u))
        return jnp.max(jnp.cumsum(jnp.log10(jnp.maximum(factors, 1e-30)), 0), 1)

    return np.asarray(ensemble(one)(_keys(seeds)), np.float64)


def _measurements(
    activation: Activation,
    h: Surrogate,
    found: Outcome,
    growth: np.ndarray,
    seeds: tuple[int, ...],
    settings: Settings,
) -> list[Measurement]:
    name, ones = activation.name, np.ones(len(seeds))
    right = 100 * np.asarray(found.accuracy, np.float64)
    steep = settings.betas[-1]
    steepest = replace(h, beta=steep)
    moments, limits = gaussian_moments(steepest), limit_moments(steepest.shape_facts, DENSITY)
    bound = float(largest_factor(_attached(steepest, settings)))
    constants = {
        f"mean gradient over its limit area x density, beta = {steep:g}": moments.mean / limits.mean,
        "second moment over its limit": moments.second / limits.second,
        "beta at which an attached reset can amplify": float(critical_beta(_attached(h, settings))),
        "bound of a step's growth, attached, steepest, log10": np.log10(bound),
    }
    return [
        Measurement(HEADLINE, name, right[:, :, 0].min(1), "%", "higher", seeds),
        Measurement(f"accuracy, attached reset, beta = {steep:g}", name, right[:, -1, 1], "%", "higher", seeds),
        Measurement(
            f"accuracy, attached reset, beta = {settings.betas[0]:g}", name, right[:, 0, 1], "%", "higher", seeds
        ),
        Measurement(
            f"growth of the gradient over {settings.times} steps, attached, steepest, log10",
            name,
            growth[:, -1],
            "",
            "lower",
            seeds,
        ),
        Measurement(
            "spikes of a hidden unit in a step", name, np.asarray(found.rate, np.float64)[:, 0, 0], "", "neither", seeds
        ),
        *(Measurement(what, name, value * ones, "", "neither", seeds) for what, value in constants.items()),
    ]


def _attached(h: Surrogate, settings: Settings) -> LIF:
    return LIF(surrogate=h, reset_gradient=1.0, decay=settings.task.decay)


def _curves(
    activation: Activation, h: Surrogate, found: Outcome, growth: np.ndarray, settings: Settings
) -> list[Curve]:
    right = 100 * np.asarray(found.accuracy, np.float64)
    x = np.asarray(settings.betas)
    slopes = np.geomspace(settings.betas[0], settings.betas[-1], 13)
    means = np.asarray([gaussian_moments(replace(h, beta=float(b))).mean for b in slopes])
    steps = np.arange(1, settings.times + 1)
    name = activation.name
    return [
        *(
            Curve(f"{CURVE}, {how} reset", name, x, right[:, :, i], "beta", "accuracy, %", log_x=True)
            for i, how in enumerate(("detached", "attached"))
        ),
        Curve(MEANS, name, slopes, means[None], "beta", "E h", log_x=True),
        Curve("Growth of the gradient through an attached reset", name, steps, growth, "step", "log10 |du_t/du_0|"),
    ]


def _notes(activation: Activation, h: Surrogate, found: Outcome, settings: Settings) -> tuple[str, ...]:
    right = 100 * np.asarray(found.accuracy, np.float64).mean(0)
    critical = float(critical_beta(_attached(h, settings)))
    facts = h.shape_facts
    tail = "faster than every power" if np.isinf(facts.tail) else f"as |x|^-{facts.tail:.3g}"
    taken = (
        "is a surrogate and is used as it is"
        if activation.family == "surrogates"
        else "is read as the probability of a spike; its slope, scaled to area 1 and peak beta/4, is the surrogate"
    )
    return (
        f"{activation.name} {taken}. Its tail falls {tail}.",
        "The mean of a unit-area surrogate does not grow with beta: it tends to the density of potentials at the "
        "threshold. What grows is its peak and its second moment.",
        f"Through an attached reset gradients cannot grow below beta = {critical:.3g}; at beta = "
        f"{settings.betas[-1]:g} the nets reach {right[-1, 1]:.0f} % with it and {right[-1, 0]:.0f} % without.",
    )


SYSTEM = System(
    name="spiking",
    title="Spiking networks: surrogate gradients",
    question="With this activation's slope in place of a spike's derivative, do spiking nets learn, and at what slope?",
    data="Randman (Zenke & Vogels 2021), drawn afresh: five classes of spike times; every unit spikes once",
    evaluate=evaluate,
    references=references,
)
