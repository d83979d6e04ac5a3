"""How deep a plain net can be and still learn: measured over depth and initialization, under the predicted boundary.

Each cell of a map is a few whole training runs on the embedded digits, from different seeds; its colour is the accuracy
on the minibatches of the last tenth of the steps, each before its update. A net counts as learning above three times
chance. The predictions are made of the activation and the initialization alone: the depth at which the squared gradient
norm has changed by e^6, followed layer by layer, and six depth scales of the correlation of two inputs. No test data is
involved, the question being whether a net trains; the learning rate was chosen on other seeds, for tanh and ReLU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation
from actlab.measurement import Claim, Heatmap, Line, Measurement
from actlab.signal import correlation_bound, dks, plain, tat, trainable_depth
from actlab.systems.signal.trial import Recipe, digits_rows, trial
from actlab.training import over_devices, seed_keys
from actlab.training.processes import several

CHANCE = 0.1
"""Accuracy of guessing one of ten digits."""
AGREED, GRADIENT, CORRELATION = (
    "cells predicted right",
    "the gradient (squared norms change by e⁶)",
    "the correlation (six of its depth scales)",
)
WITHIN, BEYOND = (
    "training accuracy, within the gradient's boundary",
    "training accuracy, beyond the gradient's boundary",
)
TAILORED_SOURCE = "Zhang, Botev & Martens 2022, Deep learning without shortcuts"
SOURCE = "Schoenholz et al. 2017, Deep information propagation, section 5"
Span = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]

MANY_PROCESSES = True


@dataclass(frozen=True)
class Panel:
    """One activation's map.

    Attributes:
        activation: a name, `module:function` or `file.py:function`.
        scales: the standard deviations of the weights, times sqrt(fan_in): the least and the greatest of the map.
        bias_variance: of the biases.
        transform: "tat" or "dks" tailors the activation for the greatest depth first.
    """

    activation: str
    scales: Span
    bias_variance: Annotated[float, Field(ge=0)] = 0.0
    transform: Literal["none", "tat", "dks"] = "none"


@dataclass(frozen=True)
class Config:
    """The maps and how their nets are trained.

    Attributes:
        panels: the activations.
        depths: hidden layers, ascending: the rows of the maps.
        columns: initializations between the ends of a panel's scales, evenly spaced.
        seeds: nets in each cell.
        width: of every hidden layer.
        steps: of the optimizer.
        batch_size: rows of a minibatch.
        rate: the learning rate times the depth; Adam.
        first_seed: of them.
        together: runs vmapped at once; the others follow in the same program. More suits an accelerator. Several
            processes share all runs out among their devices, whatever it is.
        agreement: the share of cells in which prediction and measurement must agree.
    """

    panels: Annotated[tuple[Panel, ...], Field(min_length=1)]
    depths: tuple[Annotated[int, Field(ge=1)], ...] = (10, 20, 30, 40, 60, 80, 100)
    columns: Annotated[int, Field(ge=2)] = 11
    seeds: Annotated[int, Field(ge=2)] = 3
    width: Annotated[int, Field(ge=1)] = 64
    steps: Annotated[int, Field(ge=1)] = 120
    batch_size: Annotated[int, Field(ge=1)] = 32
    rate: Annotated[float, Field(gt=0)] = 0.01
    first_seed: Annotated[int, Field(ge=0)] = 1000
    together: Annotated[int, Field(ge=1)] = 1
    agreement: Annotated[float, Field(ge=0, le=1)] = 0.75


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Heatmap]]:
    """Trains every cell of every map; the claims are on the prediction."""
    measured, claims, maps = [], [], []
    for panel in config.panels:
        label, activation = tailored(panel, max(config.depths))
        scales = np.linspace(*panel.scales, config.columns)
        accuracies = np.stack([_row(activation, panel, scales, d, config, report) for d in config.depths], axis=1)
        found = _measurements(label, accuracies, _predictions(activation, panel, scales), config)
        measured += found.values()
        claims += _claims(label, found, config)
        maps.append(_map(label, activation, panel, scales, accuracies, config))
        report(f"{label}: " + ", ".join(f"{m.name} {m.mean:.3g}" for m in found.values()))
    return measured, claims + _tailored_claims(measured, config), maps


def tailored(panel: Panel, depth: int) -> tuple[str, Activation]:
    """The panel's title and its activation, transformed if it is to be."""
    activation = al.resolve(panel.activation)
    if panel.transform == "none":
        return activation.name, activation
    transform = {"tat": tat, "dks": dks}[panel.transform]
    return f"{activation.name}, {panel.transform.upper()}", transform(activation, plain(depth)).activation


def _row(
    activation: Activation,
    panel: Panel,
    scales: np.ndarray,
    depth: int,
    config: Config,
    report: Callable[[str], None],
) -> np.ndarray:
    """Accuracies at one depth, shape (seeds, columns): all runs in one program, over the devices of all processes."""
    recipe = Recipe(config.width, config.steps, config.batch_size, config.rate / depth)
    data = digits_rows()

    def one(key: jax.Array, variance: jax.Array, data: dict[str, jax.Array]) -> jax.Array:
        return trial(key, activation, variance, panel.bias_variance, data, depth=depth, recipe=recipe).accuracy

    @jax.jit
    def in_turn(keys: jax.Array, variances: jax.Array, data: dict[str, jax.Array]) -> jax.Array:
        return jax.lax.map(lambda pair: one(pair[0], pair[1], data), (keys, variances), batch_size=config.together)

    all_runs = over_devices(one, (0, 0, None)) if several() else in_turn
    # The same seed gives every initialization the same draws, scaled.
    keys = jnp.repeat(seed_keys(range(config.first_seed, config.first_seed + config.seeds)), len(scales))
    variances = jnp.tile(jnp.asarray(scales**2, jnp.float32), config.seeds)
    accuracies = np.asarray(all_runs(keys, variances, data), np.float64).reshape(config.seeds, len(scales))
    report(f"{panel.activation}, {depth} layers: accuracy " + " ".join(f"{v:.2f}" for v in accuracies.mean(0)))
    return accuracies


def agreement(accuracies: np.ndarray, predicted: np.ndarray, depths: tuple[int, ...]) -> np.ndarray:
    """The share of cells that learned where they should and did not where they should not, shape (seeds,).

    Args:
        accuracies: shape (seeds, depths, columns).
        predicted: trainable depth of each column.
        depths: of the rows.
    """
    return np.mean(learned(accuracies) == inside(predicted, depths)[None], axis=(1, 2))


def learned(accuracies: np.ndarray) -> np.ndarray:
    """More than three times chance."""
    return accuracies > 3 * CHANCE


def inside(predicted: np.ndarray, depths: tuple[int, ...]) -> np.ndarray:
    """Which cells should train, shape (depths, columns)."""
    return np.asarray(depths)[:, None] <= np.asarray(predicted)[None, :]


def _predictions(activation: Activation, panel: Panel, scales: np.ndarray) -> dict[str, np.ndarray]:
    """Trainable depths at each scale: by the gradient, and by the correlation where every variance settles."""
    found = {GRADIENT: np.asarray(trainable_depth(activation, scales**2, panel.bias_variance))}
    correlation = _by_correlation(activation, panel, scales)
    return found if correlation is None else found | {CORRELATION: correlation}


def _by_correlation(activation: Activation, panel: Panel, scales: np.ndarray) -> np.ndarray | None:
    depths = np.array([correlation_bound(activation, v, panel.bias_variance) for v in scales**2])
    return None if np.isnan(depths).any() else depths


def _measurements(
    label: str, accuracies: np.ndarray, predictions: dict[str, np.ndarray], config: Config
) -> dict[str, Measurement]:
    """By name; those on cells of which there are none are left out."""
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    share = learned(accuracies).mean((1, 2))
    found = {
        f"{AGREED}, {rule}": 100 * agreement(accuracies, depths, config.depths) for rule, depths in predictions.items()
    }
    found["cells that the better constant answer gets right"] = 100 * np.maximum(share, 1 - share)
    cells = inside(predictions[GRADIENT], config.depths)
    for name, where in ((WITHIN, cells), (BEYOND, ~cells)):
        if where.any():
            found[name] = 100 * accuracies[:, where].mean(axis=1)
    found[_deepest(config)] = 100 * accuracies[:, -1].max(axis=1)
    higher = {WITHIN, _deepest(config), *(f"{AGREED}, {rule}" for rule in predictions)}
    return {
        name: Measurement(name, label, values, "%", "higher" if name in higher else "neither", seeds)
        for name, values in found.items()
    }


def _deepest(config: Config) -> str:
    return f"training accuracy, {config.depths[-1]} layers, best scale"


def _claims(label: str, found: dict[str, Measurement], config: Config) -> list[Claim]:
    """That the gradient's boundary tells the cells apart, and that accuracy falls across it."""
    agreed = found[f"{AGREED}, {GRADIENT}"]
    statement = f"{label}: the gradient's boundary tells nets that learn from others in {config.agreement:.0%} of cells"
    claims = [Claim(statement, SOURCE, agreed, at_least=100 * config.agreement)]
    if WITHIN in found and BEYOND in found:
        gap = found[WITHIN].values - found[BEYOND].values
        measured = Measurement("accuracy within less that beyond the boundary", label, gap, "%", "higher", agreed.seeds)
        claims.append(Claim(f"{label}: nets within the boundary learn more", SOURCE, measured, at_least=20.0))
    return claims


def _tailored_claims(measured: list[Measurement], config: Config) -> list[Claim]:
    """That a transformed activation learns more at the greatest depth than the same one plain, where both are there."""
    deepest = {m.activation: m for m in measured if m.name == _deepest(config)}
    claims = []
    for label, found in deepest.items():
        name, _, transform = label.partition(", ")
        if transform and name in deepest:
            gain = Measurement(
                f"{_deepest(config)}, less {name}'s",
                label,
                found.values - deepest[name].values,
                "%",
                "higher",
                found.seeds,
            )
            statement = f"{label}: learns more than plain {name} in {config.depths[-1]} layers, each at its best scale"
            claims.append(Claim(statement, TAILORED_SOURCE, gain, at_least=0.0))
    return claims


def _map(
    label: str, activation: Activation, panel: Panel, scales: np.ndarray, accuracies: np.ndarray, config: Config
) -> Heatmap:
    fine = np.linspace(*_outer(scales), 161)
    lines = [Line(f"predicted by {GRADIENT}", fine, trainable_depth(activation, fine**2, panel.bias_variance))]
    coarse = fine[::10]
    correlation = _by_correlation(activation, panel, coarse)
    if correlation is not None:
        lines.append(Line(f"predicted by {CORRELATION}", coarse, correlation))
    return Heatmap(
        "Which plain nets learn the digits",
        label,
        100 * accuracies.mean(0),
        scales,
        np.asarray(config.depths, np.float64),
        "standard deviation of the weights · √fan-in",
        "depth, layers",
        "training accuracy, %",
        lines=tuple(lines),
        limits=(0.0, 100.0),
    )


def _outer(scales: np.ndarray) -> tuple[float, float]:
    """The borders of the outermost cells."""
    half = (scales[1] - scales[0]) / 2
    return float(scales[0] - half), float(scales[-1] + half)
