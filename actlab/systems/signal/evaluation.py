"""The standard test of signal propagation: what theory says of the activation, and whether deep plain nets agree."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

import actlab.activations as al
from actlab.activations import Activation, FactError
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.signal import (
    CriticalPoint,
    NoCriticalPointError,
    QuadratureError,
    critical_point,
    gain,
    gradient_growth,
    gradient_path,
    trainable_depth,
)
from actlab.signal.trainability import DEEPEST
from actlab.systems.signal.trial import Recipe, digits_rows, trial
from actlab.training import seed_keys

CURVE = "Squared gradient norm on its way back through a random net"
BIAS_VARIANCE = 0.05
"""Of the critical initialization, where the activation has a stable one with it."""


@dataclass(frozen=True, eq=False)
class Settings:
    """The size of the test.

    Attributes:
        width: of the random nets whose gradients are measured.
        layers: of those nets.
        depth: hidden layers of the net that is trained.
        recipe: of its training.
    """

    width: int = 400
    layers: int = 30
    depth: int = 40
    recipe: Recipe = field(default_factory=lambda: Recipe(width=64, steps=120, learning_rate=2.5e-4))


STANDARD = Settings()


@dataclass(frozen=True)
class Initialization:
    """Variances of weights (times fan_in) and biases, and of the first preactivations for inputs of mean square 1."""

    weight_variance: float
    bias_variance: float = 0.0

    @property
    def start(self) -> float:
        """The variance of the first preactivations."""
        return self.weight_variance + self.bias_variance


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """The activation's gain, criticality, trainable depth and gradient factor, and a deep plain net trained twice.

    Args:
        activation: an Activation, a function or a name.
        seeds: of random nets and of training.
        settings: the size of the test.

    Raises:
        FactError: the activation jumps, its gradients are surrogates, or its slope is 0 almost everywhere: no gradient
            to speak of.
    """
    f, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    al.require(f, exact_gradient=True, because="signal propagation is about the true derivative")
    if f.facts.smoothness is not None and f.facts.smoothness < 0:
        raise FactError(f"{f.name} jumps, so its gradient has no second moment; use a continuous activation")
    by_gain = Initialization(gain(f) ** 2)
    predicted = gradient_path(f, by_gain.weight_variance, 0.0, start=by_gain.start, depth=settings.layers).growth
    if not np.all(np.isfinite(predicted)):
        raise FactError(
            f"{f.name}: no gradient gets through; its slope is 0 almost everywhere, or its variance leaves float64"
        )
    point, critical_note = recommended(f)
    logs = _by_layer(f, by_gain, seeds, settings)
    accuracies = {"gain initialization": _trained(f, by_gain, seeds, settings)}
    if point is not None:
        critical = Initialization(point.weight_variance, point.bias_variance)
        same = critical.bias_variance == 0 and math.isclose(critical.weight_variance, by_gain.weight_variance)
        by_point = accuracies["gain initialization"] if same else _trained(f, critical, seeds, settings)
        accuracies["critical initialization"] = by_point
    measured = [
        *_training(f, accuracies, seeds, settings),
        *_theory(f, by_gain, point, predicted, logs, seeds, settings),
    ]
    notes = (_depth_note(f, by_gain, settings), critical_note)
    return Evaluation(tuple(measured), _curves(f, predicted, logs), notes)


def recommended(f: Activation) -> tuple[CriticalPoint | None, str]:
    """The critical initialization to use, None where there is no stable or marginal one; and a note."""
    said = []
    for bias_variance in (BIAS_VARIANCE, 0.0):
        try:
            point = critical_point(f, bias_variance)
        except (NoCriticalPointError, QuadratureError) as error:
            said.append(str(error))
            continue
        said.append(str(point))
        if point.stability != "unstable":
            return point, f"{said[-1]}."
    return None, f"No critical initialization to rely on: {'; '.join(said)}."


def _by_layer(f: Activation, start: Initialization, seeds: tuple[int, ...], settings: Settings) -> np.ndarray:
    """Log factors of the squared gradient norm, shape (seeds, layers)."""
    measure = functools.partial(gradient_growth, width=settings.width, depth=settings.layers, nets=1)
    one = lambda key: measure(key, f, start.weight_variance, start.bias_variance, start=start.start)  # noqa: E731
    return np.asarray(jax.jit(lambda k: jax.lax.map(one, k))(seed_keys(seeds)).by_layer, np.float64)[:, 0]


def _trained(f: Activation, start: Initialization, seeds: tuple[int, ...], settings: Settings) -> np.ndarray:
    """Training accuracies in per cent, shape (seeds,); one program for all seeds."""
    data = digits_rows()
    run = functools.partial(trial, depth=settings.depth, recipe=settings.recipe)
    one = lambda key: run(key, f, start.weight_variance, start.bias_variance, data).accuracy  # noqa: E731
    return 100 * np.asarray(jax.jit(lambda k: jax.lax.map(one, k))(seed_keys(seeds)), np.float64)


def _training(
    f: Activation, accuracies: dict[str, np.ndarray], seeds: tuple[int, ...], settings: Settings
) -> list[Measurement]:
    return [
        Measurement(f"training accuracy, {settings.depth} layers, {how}", f.name, values, "%", "higher", seeds)
        for how, values in accuracies.items()
    ]


def _theory(
    f: Activation,
    start: Initialization,
    point: CriticalPoint | None,
    predicted: np.ndarray,
    logs: np.ndarray,
    seeds: tuple[int, ...],
    settings: Settings,
) -> list[Measurement]:
    factor = logs.mean(axis=1)
    missed = np.abs(factor - predicted[-1] / settings.layers)
    depth = min(float(trainable_depth(f, start.weight_variance)), float(DEEPEST))
    fixed = {
        "log factor of squared gradients per layer, predicted": predicted[-1] / settings.layers,
        "gain": math.sqrt(start.weight_variance),
    }
    if point is not None:
        fixed["critical weight variance"] = point.weight_variance
    return [
        Measurement(
            f"trainable depth at the gain, predicted (at most {DEEPEST})",
            f.name,
            np.full(len(seeds), depth),
            "layers",
            "higher",
            seeds,
        ),
        Measurement("log factor of squared gradients per layer, measured", f.name, factor, "", "neither", seeds),
        Measurement("measured less predicted, absolute", f.name, missed, "", "lower", seeds),
        *(Measurement(name, f.name, np.full(len(seeds), v), "", "neither", seeds) for name, v in fixed.items()),
    ]


def _curves(f: Activation, predicted: np.ndarray, logs: np.ndarray) -> tuple[Curve, ...]:
    """From the output, where the norm is 1, back to the first layer."""
    layers = np.arange(logs.shape[1] + 1)
    steps = np.diff(np.concatenate([[0.0], predicted]))
    both = {f.name: logs, f"{f.name}, predicted": np.stack([steps, steps])}
    return tuple(
        Curve(CURVE, who, layers, np.exp(_from_above(v)), "layers from the output", "squared norm", log_y=True)
        for who, v in both.items()
    )


def _from_above(logs: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(logs), 1)), np.cumsum(logs[:, ::-1], axis=1)], axis=1)


def _depth_note(f: Activation, start: Initialization, settings: Settings) -> str:
    depth = float(trainable_depth(f, start.weight_variance))
    deep = f"after {depth:.3g} layers" if math.isfinite(depth) else f"nowhere within {DEEPEST} layers"
    return (
        f"Initialized by its gain, weights of variance {start.weight_variance:.4g} over fan-in and no biases, its "
        f"squared gradients should change by e^6 {deep}; nets of {settings.depth} are trained, without skip "
        "connections or normalization."
    )


SYSTEM = System(
    name="signal",
    title="Signal propagation: deep plain nets",
    question="How deep can a plain net of this activation be before gradients vanish or explode?",
    data="handwritten digits (Alpaydin & Kaynak 1998), embedded in scikit-learn; random nets of width 400",
    evaluate=evaluate,
)
