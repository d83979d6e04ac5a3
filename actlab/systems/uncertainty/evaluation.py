"""The system's standard test of an activation: the nonlinearity of a small net that predicts its own uncertainty."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.data.embedded import diabetes
from actlab.data.splits import Split, random_split, stacked
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.uncertainty.gaussian import (
    Gaussian,
    bounded_gaussian,
    gaussian_of,
    usual_exponential,
    usual_softplus,
)
from actlab.systems.uncertainty.measure import LEVELS, Scores, gaussian_scores, measurements, raw_gradient
from actlab.systems.uncertainty.model import fit_gaussian, noisy_beta_nll
from actlab.training import ensemble, seed_keys

RAW = np.linspace(-120.0, 120.0, 241)
"""Raw scale outputs of the gradient curve: what an untrained or diverging last layer may put out."""

FLOOR = 1e-4
"""Added to the activation's value where it is the variance itself, of targets of unit variance."""

AS_VARIANCE = "test NLL, activation as variance"
GRADIENT = "gradient of the likelihood in the raw variance output, target one deviation off"
CALIBRATION = "how often the central interval covers"


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        hidden: widths of the net.
        steps: of Adam, whose step size falls along a cosine to 0.
        batch_size: rows of a batch.
        learning_rate: at the start.
        noise: deviation of what is added to the standardized inputs: without it every activation overfits 354 rows.
        test_fraction: of the rows.
    """

    hidden: tuple[int, ...] = (16,)
    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-2
    noise: float = 0.5
    test_fraction: float = 0.2


STANDARD = Settings()


@functools.cache
def _splits(seeds: tuple[int, ...], test_fraction: float) -> Split:
    data = diabetes()
    return stacked([random_split(data, seed, test_fraction) for seed in seeds])


def _run(activation: Any, head: Gaussian, seeds: tuple[int, ...], settings: Settings) -> Scores:
    """One net a seed, all in one program: the seed is the split and the initialization."""
    schedule = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    splits = jax.tree.map(jnp.asarray, _splits(seeds, settings.test_fraction))

    def run(key: Array, split: Split) -> Scores:
        mean, log_variance = fit_gaussian(
            key,
            activation,
            head,
            split,
            loss=noisy_beta_nll(head, 0.5, settings.noise),
            hidden=settings.hidden,
            optimizer=optax.adam(schedule),
            steps=settings.steps,
            batch_size=settings.batch_size,
        )
        return gaussian_scores(mean, log_variance, split.y_test, split.y_scale)

    return jax.tree.map(np.asarray, ensemble(run)(seed_keys(seeds), splits))


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """The activation as hidden nonlinearity under the bounded head; and as the variance itself where its range allows.

    Args:
        activation: Activation, function or name.
        seeds: each a split of the data and an initialization.
        settings: the size of the test.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    name = activation.name
    scores = _run(activation, bounded_gaussian(), seeds, settings)
    rows = measurements(name, scores, seeds)
    curves = [Curve(CALIBRATION, name, LEVELS, scores.calibration, "nominal probability", "fraction covered")]
    notes = [_coverage_note(float(np.mean(scores.coverage)), len(seeds))]
    as_variance, more_curves, note = _as_variance(activation, name, seeds, settings)
    return Evaluation((*rows, *as_variance), (*curves, *more_curves), (*notes, note))


def _as_variance(
    activation: al.Activation, name: str, seeds: tuple[int, ...], settings: Settings
) -> tuple[tuple[Measurement, ...], tuple[Curve, ...], str]:
    """The same net with tanh units whose variance is the activation of a raw output, or why that cannot be."""
    try:
        head = gaussian_of(activation, FLOOR)
    except al.FactError as error:
        return (), (), f"Not measured as a variance map: {error}"
    nll = _run(al.tanh, head, seeds, settings).nll
    gradients = _gradients(head)
    curve = Curve(GRADIENT, f"{name} + {FLOOR:g}", RAW, gradients, "raw output", "|gradient|, nats", log_y=True)
    return (Measurement(AS_VARIANCE, name, nll, "nats", "lower", seeds),), (curve,), _gradient_note(head, gradients)


def _gradients(head: Gaussian) -> Float[np.ndarray, " points"]:
    return np.asarray(jax.jit(lambda raw: raw_gradient(head, raw, 1.0))(jnp.asarray(RAW, jnp.float32)))


@functools.cache
def _gradient_curves() -> tuple[Curve, ...]:
    """The bounded head beside the two usual ones, at a residual of one standard deviation of the targets."""
    heads = {
        "bounded head": bounded_gaussian(),
        "softplus head": usual_softplus(floor=0.0),
        "exponential head": usual_exponential(),
    }
    return tuple(
        Curve(GRADIENT, name, RAW, _gradients(head), "raw output", "|gradient|, nats", log_y=True)
        for name, head in heads.items()
    )


def _coverage_note(coverage: float, seeds: int) -> str:
    """What the coverage says, in words."""
    verdict = "about as often as it says"
    if coverage < 0.87:
        verdict = "less often than it says: it is overconfident"
    elif coverage > 0.93:
        verdict = "more often than it says: it is underconfident"
    return f"The net's 90 % interval covers {100 * coverage:.0f} % of the test targets over {seeds} splits, {verdict}."


def _gradient_note(head: Gaussian, gradients: np.ndarray) -> str:
    """Whether the activation, as a variance, keeps the gradient finite, measured and by its facts."""
    _, bound = head.gradient_bound(1.0)
    finite = np.isfinite(gradients)
    if finite.all():
        promised = f"its facts promise at most {bound:.3g}" if np.isfinite(bound) else "its facts promise no bound"
        return (
            f"As a variance (floor {FLOOR:g}) its gradient reaches {gradients.max():.3g} nats on the grid; {promised}."
        )
    first = RAW[np.argmin(np.where(finite, np.inf, np.abs(RAW)))]
    return f"As a variance (floor {FLOOR:g}) its gradient is not finite, first at the raw output {first:g}."


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Predictions without an activation: the training mean and deviation, and scikit-learn's Bayesian ridge."""
    from sklearn.linear_model import BayesianRidge

    seeds = tuple(int(s) for s in seeds)
    splits, marginal, ridge = _splits(seeds, settings.test_fraction), [], []
    for i in range(len(seeds)):
        split = jax.tree.map(lambda leaf, i=i: leaf[i], splits)
        m = split.y_test.shape
        marginal.append(_scores(split, np.zeros(m), np.ones(m)))
        ridge.append(_scores(split, *BayesianRidge().fit(split.x, split.y).predict(split.x_test, return_std=True)))
    found = {"training mean and deviation": marginal, "Bayesian ridge": ridge}
    scores = {name: jax.tree.map(lambda *leaves: np.stack(leaves), *runs) for name, runs in found.items()}
    curves = tuple(
        Curve(CALIBRATION, name, LEVELS, s.calibration, "nominal probability", "fraction covered")
        for name, s in scores.items()
    )
    rows = tuple(row for name, s in scores.items() for row in measurements(name, s, seeds))
    return Evaluation(rows, (*curves, *_gradient_curves()))


def _scores(split: Split, mean: np.ndarray, deviation: np.ndarray) -> Scores:
    predicted = jnp.asarray(mean, jnp.float32), jnp.asarray(2.0 * np.log(deviation), jnp.float32)
    return gaussian_scores(*predicted, jnp.asarray(split.y_test), jnp.asarray(split.y_scale))


SYSTEM = System(
    name="uncertainty",
    title="Uncertainty",
    question="Does a small net that predicts its own uncertainty say truthfully how wrong it may be?",
    data="diabetes (scikit-learn; Efron et al. 2004): 442 rows, 10 inputs; a fifth held out, another fifth each seed",
    evaluate=evaluate,
    references=references,
)
