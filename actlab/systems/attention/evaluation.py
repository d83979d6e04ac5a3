"""The standard test of an activation as attention's gate: does it recall, how many pairs does it keep, is it exact."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation, FactError
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.attention.gate import Gate, gate
from actlab.systems.attention.mixers import WEIGHTS
from actlab.systems.attention.model import Judged, Recipe, judge, skipping, train
from actlab.systems.attention.recall import Drawn, Recall
from actlab.training import seed_keys

ACCURACY, LOSS, KEPT = "recall accuracy", "recall loss", "pairs kept"


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        task: what is recalled.
        recipe: of net and training.
        rows: sequences to learn from, met in random order.
        temperatures: where the gate's training starts, ascending.
        judged: sequences that the trained nets are judged on.
        block: of the comparison of skipping with none.
        mixers: the kinds of attention beside the gate.
    """

    task: Recall = field(default_factory=lambda: Recall(length=32, pairs=4, vocabulary=32, fill="blank"))
    recipe: Recipe = field(default_factory=lambda: Recipe(batch=16))
    rows: int = 4096
    temperatures: tuple[float, ...] = (0.5, 1.0, 2.0)
    judged: int = 256
    block: int = 8
    mixers: tuple[str, ...] = tuple(WEIGHTS)


STANDARD = Settings()
TAUGHT, TESTED = 10_000, 10_001
"""Seeds of the sequences to learn from, and of those that nets are judged on, the same for all."""


class Skipped(NamedTuple):
    """Of one trained net.

    Attributes:
        share: of the visible blocks, those proved empty.
        changed: how many numbers of the output differ in any bit from those without skipping.
    """

    share: Array
    changed: Array


def halfway_gate(activation: Activation) -> Gate:
    """The gate that opens halfway between f(0) and f(1): one rule, with a crossing in (0, 1) where f increases there.

    Raises:
        FactError: what it keeps is not a half-line of scores.
    """
    low, high = (float(activation(jnp.float32(x))) for x in (0.0, 1.0))
    try:
        return gate(activation, threshold=(low + high) / 2)
    except ValueError as error:
        raise FactError(f"{activation.name} is no gate: {error}") from error


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Trains transformers whose attention is the activation's gate, for each temperature and seed in one program.

    Args:
        activation: an Activation, a function or a name.
        seeds: of weights and training sequences.
        settings: the size of the test.

    Raises:
        FactError: what the activation keeps is not a half-line of scores.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    opened = halfway_gate(activation)
    taught, tested = _sequences(settings)

    def one(temperature: Array, key: Array) -> tuple[Judged, Skipped]:
        fitted = train(key, opened.at(temperature), taught, settings.recipe)
        return judge(fitted.model(), tested), Skipped(*skipping(fitted.model(), tested[0][:4], settings.block))

    both = jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))
    judged, skipped = jax.tree.map(np.asarray, both(jnp.asarray(settings.temperatures), seed_keys(seeds)))
    middle = len(settings.temperatures) // 2
    measured = _measurements(activation.name, jax.tree.map(lambda v: v[middle], judged), seeds)
    share, changed = 100 * skipped.share[middle], skipped.changed.sum(axis=0)
    measured += [
        Measurement("visible blocks proved empty", activation.name, share, "%", "higher", seeds),
        Measurement("outputs that skipping changes", activation.name, changed, "", "lower", seeds),
    ]
    curves = tuple(
        Curve(
            f"{name} by the temperature at which training starts",
            activation.name,
            np.asarray(settings.temperatures),
            scale * values.T,
            "temperature",
            unit,
            log_x=True,
        )
        for name, scale, values, unit in _columns(judged)
    )
    note = (
        f"The gate keeps f(T s) > {opened.threshold:.4g}, halfway between f(0) and f(1): scores s above "
        f"{opened.crossing:.4g} / T. T is trained; the table is of nets that start at "
        f"T = {settings.temperatures[middle]:g} and end at {judged.temperature[middle].mean():.2g} on average."
    )
    return Evaluation(tuple(measured), curves, (note,))


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Softmax, sigmoid, ReLU and entmax attention in the same net, trained as long on the same sequences."""
    seeds, measured = tuple(int(s) for s in seeds), []
    taught, tested = _sequences(settings)
    for name in settings.mixers:

        def one(key: Array, name: str = name) -> Judged:
            return judge(train(key, name, taught, settings.recipe).model(), tested)

        measured += _measurements(f"{name} attention", jax.jit(jax.vmap(one))(seed_keys(seeds)), seeds)
    return Evaluation(tuple(measured))


@functools.cache
def _sequences(settings: Settings) -> tuple[Drawn, tuple[Array, Array, Array]]:
    """To learn from, and to judge by."""
    tested = Drawn.of(settings.task, jax.random.key(TESTED), settings.judged)
    taught = Drawn.of(settings.task, jax.random.key(TAUGHT), settings.rows)
    return taught, (tested.tokens, tested.targets, tested.counted)


def _columns(judged: Judged) -> list[tuple[str, float, Any, str]]:
    return [
        (ACCURACY, 100.0, judged.accuracy, "%"),
        (LOSS, 1.0, judged.loss, "nats"),
        (KEPT, 100.0, judged.density, "%"),
    ]


def _measurements(who: str, judged: Judged, seeds: tuple[int, ...]) -> list[Measurement]:
    return [
        Measurement(
            name,
            who,
            scale * np.asarray(values, np.float64),
            unit,
            "higher" if name == ACCURACY else "lower",
            seeds,
        )
        for name, scale, values, unit in _columns(judged)
    ]


SYSTEM = System(
    name="attention",
    title="Attention: a gate in softmax's place",
    question="As attention's gate, does this activation recall what was said, and how few pairs does it keep?",
    data="multi-query associative recall (Arora et al. 2023), 4 pairs in 32 tokens, drawn at random",
    evaluate=evaluate,
    references=references,
)
