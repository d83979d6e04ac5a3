"""Attention by a fixed gate beside softmax, sigmoid, ReLU and entmax: equal nets, steps and sequences, over seeds.

Each attention is one compiled program over the seeds; the gate's is one over its temperatures as well. The gate's
temperature is the one of the lowest mean loss on validation sequences; all numbers are of test sequences, which nothing
was chosen by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from actlab.data.text import load_text
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.attention import Gate, gate
from actlab.systems.attention.mixers import WEIGHTS
from actlab.systems.attention.model import Batch, Judged, Recipe, Task, judge, train
from actlab.systems.attention.passages import Passages
from actlab.systems.attention.recall import Recall
from actlab.training import over_devices, seed_keys

VALIDATED, TESTED = 20_000, 30_000
"""Seeds of the recall sequences to choose and to judge by; training draws from keys of its own."""

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """One task.

    Attributes:
        task: "recall" is drawn afresh; "characters" are those of a text, read from the folder.
        folder: of `<text>.npz`.
        text: its name.
        recall: the task of that name.
        length: of a passage of characters.
        activation: of the gate.
        threshold: of the gate.
        continuous: whether the gate's weights vanish at the threshold.
        scale: what weights are divided by: the visible keys ("length"), or their sum ("sum").
        temperatures: where the gate's training starts, ascending.
        trained: whether the temperature is trained.
        attentions: to compare with.
        recipe: of nets and training.
        judged: sequences of validation, and of the test.
        seeds: how many.
        behind: how far the gate may be behind softmax: points of accuracy in recall, bits per character.
    """

    task: Literal["recall", "characters"] = "recall"
    folder: str = "data"
    text: str = "tinyshakespeare"
    recall: Recall = field(default_factory=lambda: Recall(length=64, pairs=8, vocabulary=64, fill="blank"))
    length: Annotated[int, Field(ge=2)] = 64
    activation: str = "gelu"
    threshold: float = 0.5
    continuous: bool = False
    scale: Literal["length", "sum"] = "length"
    temperatures: tuple[Annotated[float, Field(gt=0)], ...] = (0.25, 0.5, 1.0, 2.0)
    trained: bool = False
    attentions: tuple[Literal["softmax", "sigmoid", "relu", "entmax-1.5"], ...] = tuple(WEIGHTS)  # pyright: ignore[reportAssignmentType]
    recipe: Recipe = field(default_factory=Recipe)
    judged: Annotated[int, Field(ge=1)] = 256
    seeds: Annotated[int, Field(ge=1)] = 5
    behind: Annotated[float, Field(ge=0)] = 1.0


@dataclass(frozen=True)
class Sequences:
    """What to learn from, to choose by, and to judge by."""

    task: Task
    val: Batch
    test: Batch


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains every attention; the claim is the gate's distance from softmax."""
    data, seeds = _sequences(config), tuple(range(config.seeds))
    opened = gate(config.activation, threshold=config.threshold, continuous=config.continuous)
    report(f"{len(config.temperatures)} temperatures x {len(seeds)} seeds of the {config.activation} gate")
    gated = _gated(opened, config, data, seeds)
    for i, temperature in enumerate(config.temperatures):
        report(f"  T = {temperature:g}: {_described(_at(gated[1], i), config)}")
    best = int(np.argmin(gated[0].loss.mean(axis=1)))
    name = f"{config.activation} gate"
    report(f"  T = {config.temperatures[best]:g} has the lowest validation loss")
    found = {name: _at(gated[1], best)}
    for attention in config.attentions:
        found[attention] = _trained(attention, config, data, seeds)
        report(f"{attention}: {_described(found[attention], config)}")
    measured = [m for who, judged in found.items() for m in _measurements(who, judged, config, seeds)]
    return measured, _claims(measured, name, config), _curves(gated[1], found, name, config)


def _sequences(config: Config) -> Sequences:
    if config.task == "recall":
        val, test = (config.recall.draw(jax.random.key(s), config.judged) for s in (VALIDATED, TESTED))
        return Sequences(config.recall, val, test)
    text = load_text(config.folder, config.text)
    train_part, val, test = (
        Passages(jnp.asarray(part), config.length, len(text.alphabet)) for part in (text.train, text.val, text.test)
    )
    return Sequences(train_part, val.spread(config.judged), test.spread(config.judged))


def _gated(opened: Gate, config: Config, data: Sequences, seeds: tuple[int, ...]) -> tuple[Judged, Judged]:
    """On validation and test sequences, leaves of shape (temperatures, seeds)."""
    options = {"scale": config.scale, "trained": config.trained}

    def one(key: Array, temperature: Array) -> tuple[Judged, Judged]:
        model = train(key, opened.at(temperature), data.task, config.recipe, **options).model()
        return judge(model, data.val), judge(model, data.test)

    of_seed = over_devices(jax.vmap(one, (None, 0)), (0, None))
    found = of_seed(seed_keys(seeds), jnp.asarray(config.temperatures))
    return jax.tree.map(lambda leaf: np.asarray(leaf).swapaxes(0, 1), found)


def _trained(attention: str, config: Config, data: Sequences, seeds: tuple[int, ...]) -> Judged:
    """On test sequences, leaves of shape (seeds,)."""

    def one(key: Array) -> Judged:
        return judge(train(key, attention, data.task, config.recipe).model(), data.test)

    return jax.tree.map(np.asarray, over_devices(one)(seed_keys(seeds)))


def _at(judged: Judged, i: int) -> Judged:
    return jax.tree.map(lambda v: v[i], judged)


def _quality(judged: Judged, config: Config) -> tuple[str, np.ndarray, str, Literal["higher", "lower"]]:
    """What decides: accuracy in recall, bits per character of text."""
    if config.task == "recall":
        return "test accuracy", 100 * np.asarray(judged.accuracy, np.float64), "%", "higher"
    return "test bits per character", np.asarray(judged.loss, np.float64) / math.log(2), "bits", "lower"


def _described(judged: Judged, config: Config) -> str:
    name, values, unit, _ = _quality(judged, config)
    spread = values.std(ddof=min(1, len(values) - 1))
    return f"{name} {values.mean():.3f} +- {spread:.3f} {unit}, {100 * judged.density.mean():.1f} % of the pairs kept"


def _measurements(who: str, judged: Judged, config: Config, seeds: tuple[int, ...]) -> list[Measurement]:
    name, values, unit, better = _quality(judged, config)
    kept = 100 * np.asarray(judged.density, np.float64)
    return [
        Measurement(name, who, values, unit, better, seeds),
        Measurement("pairs kept", who, kept, "%", "lower", seeds),
    ]


def _claims(measured: list[Measurement], name: str, config: Config) -> list[Claim]:
    by_name = {(m.activation, m.name): m for m in measured}
    if "softmax" not in config.attentions:
        return []
    quality = measured[0].name
    gap = by_name[name, quality].minus(by_name["softmax", quality])
    source = "bar set beforehand; softmax attention: Vaswani et al. 2017"
    if config.task == "recall":
        statement = f"recall: the {name} is at most {config.behind:g} points of accuracy behind softmax"
        return [Claim(statement, source, gap, at_least=-config.behind)]
    statement = f"characters: the {name} is at most {config.behind:g} bits per character behind softmax"
    return [Claim(statement, source, gap, at_most=config.behind)]


def _curves(gated: Judged, found: dict[str, Judged], name: str, config: Config) -> list[Curve]:
    x = np.asarray(config.temperatures)
    label, values, unit, _ = _quality(gated, config)
    parts: list[tuple[str, Any, str, Callable[[Judged], np.ndarray]]] = [
        (label, values, unit, lambda j: _quality(j, config)[1]),
        ("pairs kept", 100 * gated.density, "%", lambda j: 100 * j.density),
    ]
    curves = []
    for label, values, unit, of in parts:
        title = f"{config.task}: {label} by the gate's temperature"
        curves.append(Curve(title, name, x, np.asarray(values).T, "temperature", unit, log_x=True))
        for who, judged in found.items():
            if who != name:
                level = np.repeat(np.asarray(of(judged))[:, None], len(x), axis=1)
                curves.append(Curve(title, who, x, level, "temperature", unit, log_x=True))
    return curves
