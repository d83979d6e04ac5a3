"""Are the maps of ReLU nets sparse, and those of Swish nets dense: per unit and per pixel, at the same accuracy.

Protocol: nets of each activation are trained alike and taken where their held-out accuracy is that of the claim, at the
first check within .3 points, else at the nearest; maps are slopes of the predicted class's logit by the
pixels, on held-out images. The same images serve to match accuracies and to measure maps: nothing else is chosen by
them. Differences are paired over seeds, which share kernels' random numbers and batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Key
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation
from actlab.measurement import Better, Claim, Curve, Figure, Heatmap, Measurement
from actlab.systems.saliency import class_score, complexity, gini, gradient, zero_fraction
from actlab.systems.saliency.contest import CLASSES, unit_slopes
from actlab.systems.saliency.model import Recipe, untrained
from actlab.training import advance, begin, over_devices, seed_keys
from experiments.classifiers import accuracy, cross_entropy
from experiments.labelled_images import Set, rows_of

NEAR = 0.01
"""Below this share of the largest a slope counts as nearly 0."""
WITHIN = 0.003
"""Accuracies closer than this to the claim's are taken as equal to it."""
SOURCE = "said of ReLU and Swish in many places, measured in none that we know; the bounds are ours"
ROWS: tuple[tuple[str, str, str, Better], ...] = (
    ("accuracy", "accuracy", "%", "neither"),
    ("steps to that accuracy", "steps", "", "lower"),
    ("units: slopes of exactly 0", "zero_units", "%", "neither"),
    ("units: slopes below 1 % of the largest", "near_units", "%", "neither"),
    ("pixels: slopes of exactly 0", "zero_pixels", "%", "neither"),
    ("pixels: slopes below 1 % of the map's largest", "near_pixels", "%", "neither"),
    ("pixels: Gini index of the map", "gini", "", "neither"),
    ("pixels: entropy of the map", "complexity", "nats", "neither"),
)

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        set: "digits" (embedded), or "mnist", "fashion-mnist" from the user's folder.
        data: that folder; not used for the digits.
        activations: compared; relu and swish must be among them.
        betas: of softplus, from soft to nearly ReLU.
        hidden: widths of the hidden layers.
        accuracy: at which maps are compared.
        seeds: how many.
        steps: of the optimizer, at most.
        every: steps between two checks of the accuracy.
        batch_size: rows of a batch.
        learning_rate: Adam's.
        explained: held-out images, on which accuracy is checked and of which maps are measured.
        shown: images whose maps are drawn.
        gini_at_least: by how much the index of ReLU's maps is claimed to exceed that of Swish's.
        points_at_least: by how many points the share of exact zeros of ReLU is claimed to exceed that of Swish.
    """

    set: Set = "digits"
    data: str = ""
    activations: tuple[str, ...] = ("relu", "leaky_relu", "gelu", "swish")
    betas: tuple[Annotated[float, Field(gt=0)], ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    accuracy: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seeds: Annotated[int, Field(ge=2)] = 5
    steps: Annotated[int, Field(ge=1)] = 800
    every: Annotated[int, Field(ge=1)] = 5
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    explained: Annotated[int, Field(ge=1)] = 359
    shown: Annotated[int, Field(ge=0)] = 2
    gini_at_least: float = 0.05
    points_at_least: float = 10.0

    def __post_init__(self) -> None:
        if not {"relu", "swish"} <= set(self.activations):
            raise ValueError(f"activations = {self.activations} must contain relu and swish, which the claim compares")


class Maps(NamedTuple):
    """Of one net: means over images, and the maps of the first ones."""

    accuracy: Any
    steps: Any
    zero_units: Any
    near_units: Any
    zero_pixels: Any
    near_pixels: Any
    gini: Any
    complexity: Any
    drawn: Any


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Trains and measures nets of every activation; claims per unit, per pixel, and of the accuracies.

    Raises:
        ConfigError: a set that is read from files, and no folder.
        DataError: its files are missing or damaged.
    """
    train, test = rows_of(config.set, config.data)
    test = {name: values[: config.explained] for name, values in test.items()}
    keys = seed_keys(range(config.seeds))
    found: dict[str, Maps] = {}
    for f in [al.resolve(name) for name in config.activations]:
        found[f.name] = _program(config)(keys, f, train, test)
        report(_line(f.name, found[f.name]))
    program = _program(config)  # one for all values of beta, a traced leaf
    for beta in config.betas:
        label = f"softplus, beta {beta:g}"
        found[label] = program(keys, al.softplus.bind(beta=jnp.float32(beta)), train, test)
        report(_line(label, found[label]))
    seeds = tuple(range(config.seeds))
    measured = {
        name: {who: _measurement(name, who, maps, of, unit, better, seeds) for who, maps in found.items()}
        for name, of, unit, better in ROWS
    }
    table = [m for group in measured.values() for m in group.values()]
    return table, _claims(measured, config), [*_panels(found, test["x"], config), *_curves(found, config)]


def _program(config: Config) -> Callable[[Key[Array, " seeds"], Activation, dict, dict], Maps]:
    """(keys, activation, training rows, held-out rows) -> what is measured of one net a key."""

    def one(key: Array, f: Activation, train: dict, test: dict) -> Maps:
        model, steps = _matched(key, f, train, test, config)
        return _maps(model, f, test, config.shown)._replace(steps=steps)

    return over_devices(one, (0, None, None, None))


def _matched(key: Array, f: Activation, train: dict, test: dict, config: Config) -> tuple[Any, Array]:
    """The net where it first comes within .3 points of the accuracy, else nearest to it; and its steps."""
    of_net, of_fit = jax.random.split(key)
    recipe = Recipe(hidden=config.hidden)
    graphdef, state = nnx.split(untrained(of_net, train["x"].shape[1], f, recipe, CLASSES))
    optimizer = optax.adam(config.learning_rate)
    start = begin(state, of_fit, optimizer=optimizer)

    def stretch(carry: Any, _: Any) -> tuple[Any, None]:
        current, kept, steps, least = carry
        after, _ = advance(
            graphdef,
            current,
            train,
            loss=cross_entropy,
            optimizer=optimizer,
            steps=config.every,
            batch_size=config.batch_size,
        )
        right = accuracy(nnx.merge(graphdef, after.params, after.rest), test)
        off = jnp.maximum(jnp.abs(right - config.accuracy) - WITHIN, 0)
        better = off < least
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), after.params, kept)
        return (after, kept, jnp.where(better, after.step, steps), jnp.where(better, off, least)), None

    first = (start, start.params, start.step, jnp.asarray(jnp.inf))
    (end, kept, steps, _), _ = jax.lax.scan(stretch, first, length=config.steps // config.every)
    return nnx.merge(graphdef, kept, end.rest), steps


def _maps(model: Any, f: Activation, test: dict, shown: int) -> Maps:
    x = test["x"]
    predicted = jnp.argmax(model(x), -1)
    maps = gradient(class_score(model, predicted), x)
    slopes = [jnp.abs(s) for s in unit_slopes(model, f, x)]
    sizes = jnp.abs(maps)
    near = sizes < NEAR * jnp.max(sizes, axis=1, keepdims=True)
    return Maps(
        accuracy=jnp.mean(predicted == test["y"]),
        steps=jnp.zeros(()),
        zero_units=jnp.mean(jnp.stack([jnp.mean(s == 0) for s in slopes])),
        near_units=jnp.mean(jnp.stack([jnp.mean(s < NEAR * jnp.max(s)) for s in slopes])),
        zero_pixels=jnp.mean(zero_fraction(maps)),
        near_pixels=jnp.mean(near),
        gini=jnp.nanmean(gini(maps)),
        complexity=jnp.nanmean(complexity(maps)),
        drawn=maps[:shown],
    )


def _line(who: str, maps: Maps) -> str:
    mean = {of: float(np.mean(getattr(maps, of))) for _, of, _, _ in ROWS}
    return (
        f"{who:18s} {100 * mean['accuracy']:5.2f} % after {mean['steps']:4.0f} steps; zeros: units "
        f"{100 * mean['zero_units']:5.2f} %, pixels {100 * mean['zero_pixels']:5.3f} %; Gini {mean['gini']:.3f}"
    )


def _measurement(
    name: str, who: str, maps: Maps, of: str, unit: str, better: Better, seeds: tuple[int, ...]
) -> Measurement:
    values = np.asarray(getattr(maps, of), np.float64) * (100 if unit == "%" else 1)
    return Measurement(name, who, values, unit, better, seeds)


def _claims(measured: dict[str, dict[str, Measurement]], config: Config) -> list[Claim]:
    def apart(name: str) -> Measurement:
        return measured[name]["relu"].minus(measured[name]["swish"])

    points, index = config.points_at_least, config.gini_at_least
    accuracies = measured["accuracy"]
    off = np.max([np.abs(m.values - 100 * config.accuracy) for m in accuracies.values()], axis=0)
    worst = Measurement("largest distance from that accuracy", "all", off, "points", "lower", accuracies["relu"].seeds)
    return [
        Claim(
            f"units: ReLU's slopes are 0 at least {points:g} points more often than Swish's",
            SOURCE,
            apart("units: slopes of exactly 0"),
            at_least=points,
        ),
        Claim(
            f"pixels: ReLU's maps are 0 at least {points:g} points more often than Swish's",
            SOURCE,
            apart("pixels: slopes of exactly 0"),
            at_least=points,
        ),
        Claim(
            f"pixels: the Gini index of ReLU's maps exceeds that of Swish's by at least {index:g}",
            SOURCE,
            apart("pixels: Gini index of the map"),
            at_least=index,
        ),
        Claim(
            f"all nets are compared within .5 points of {100 * config.accuracy:g} % accuracy",
            SOURCE,
            worst,
            at_most=0.5,
        ),
    ]


def _panels(found: dict[str, Maps], x: Float[Array, "images pixels"], config: Config) -> list[Figure]:
    """The first seed's maps side by side, each on its own scale: their pattern is compared, not their size."""
    side = round(x.shape[1] ** 0.5)
    figures: list[Figure] = []
    for i in range(config.shown):
        name = f"Slopes of the class's score by the pixels, image {i + 1}"
        image = np.asarray(x[i], np.float64).reshape(side, side)
        figures.append(Heatmap(name, "image", image, colours="grey", own_scale=True))
        for who, maps in found.items():
            values = np.asarray(maps.drawn[0, i], np.float64).reshape(side, side)
            figures.append(Heatmap(name, who, values, colours="diverging", own_scale=True))
    return figures


def _curves(found: dict[str, Maps], config: Config) -> list[Figure]:
    if len(config.betas) < 2:
        return []
    betas = np.asarray(config.betas)
    name, labels = "Gini index of the maps, softplus from soft to nearly ReLU", ("beta of softplus", "Gini index")
    by_beta = np.stack([np.asarray(found[f"softplus, beta {beta:g}"].gini) for beta in betas], axis=1)
    curves: list[Figure] = [Curve(name, "softplus", betas, by_beta, *labels, log_x=True)]
    for f in [al.resolve(name).name for name in config.activations]:
        level = np.repeat(np.asarray(found[f].gini)[:, None], len(betas), axis=1)
        curves.append(Curve(name, f, betas, level, *labels, log_x=True))
    return curves
