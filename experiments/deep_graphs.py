"""Graph nets trained on the labels of a few nodes: accuracy at a depth, seeds in one compiled program.

Where grids are given, each combination is trained on tuning seeds, the one with the best mean accuracy on the
validation nodes is taken, and the test nodes are looked at for it alone, on other seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.data.embedded_graphs import load_graph
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.oversmoothing.model import Mapping, Trained, train
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.recipe import Recipe
from actlab.training import seed_keys

TUNING = 10_000
"""The first of the tuning seeds; the reported ones are below."""

MANY_PROCESSES = True

TITLE = "Deep graph nets"


@dataclass(frozen=True)
class Config:
    """One net on one graph.

    Attributes:
        data: "karate" and "digits" are embedded; "cora" and "citeseer" are read from the folder.
        folder: of `<data>.npz`.
        activation: of the net.
        recipe: of net and training.
        learning_rates: to choose from on the validation nodes; the recipe's where empty.
        inner_learning_rates: likewise, of the hidden layers.
        decays: likewise, of the weights of the first and hidden layers.
        rates: likewise, of dropout.
        loops: likewise, weights of a node's link to itself.
        tuning_seeds: of each choice.
        seeds: that are reported, from 0.
        mapping: "vmap": all seeds at each step; "map": in turn, in one program as well, faster for deep nets on a CPU;
            "devices": seeds over all devices, as several processes always do.
        accuracy: mean test accuracy in percent that the claim promises; none where 0.
        source: of that number.
    """

    data: Literal["karate", "digits", "cora", "citeseer"] = "digits"
    folder: str = "data"
    activation: str = "relu"
    recipe: Recipe = field(default_factory=Recipe)
    learning_rates: tuple[Annotated[float, Field(gt=0)], ...] = ()
    inner_learning_rates: tuple[Annotated[float, Field(ge=0)], ...] = ()
    decays: tuple[Annotated[float, Field(ge=0)], ...] = ()
    rates: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = ()
    loops: tuple[Annotated[float, Field(gt=0)], ...] = ()
    tuning_seeds: Annotated[int, Field(ge=1)] = 2
    seeds: Annotated[int, Field(ge=1, le=1000)] = 10
    mapping: Mapping = "vmap"
    accuracy: Annotated[float, Field(ge=0, le=100)] = 0.0
    source: str = "set beforehand"


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Chooses a recipe on validation nodes where there is a choice, trains it, and decides the claim."""
    problem = Problem.of(load_graph(config.data, config.folder))
    recipe = _chosen(problem, config, out, report)
    seeds = tuple(range(config.seeds))
    trained = _train(problem, config, recipe, seeds, out and out / "reported", report)
    name = f"{recipe.kind}, {recipe.depth} layers, {recipe.start} start"
    test, val = (100 * np.asarray(a, np.float64) for a in (trained.test, trained.val))
    report(f"{name}: test accuracy {test.mean():.2f} +- {test.std(ddof=min(1, len(seeds) - 1)):.2f} %, {recipe}")
    accuracy = Measurement(f"test accuracy, {name}", config.activation, test, "%", "higher", seeds)
    measured = [
        accuracy,
        Measurement(f"validation accuracy, {name}", config.activation, val, "%", "higher", seeds),
        Measurement("epochs", config.activation, np.asarray(trained.epochs, np.float64), "", "neither", seeds),
    ]
    statement = f"{config.data}: {name}: test accuracy at least {config.accuracy:g} %"
    claims = [Claim(statement, config.source, accuracy, at_least=config.accuracy)] if config.accuracy else []
    return measured, claims, []


def _train(
    problem: Problem,
    config: Config,
    recipe: Recipe,
    seeds: tuple[int, ...],
    folder: Path | None,
    report: Callable[[str], None],
) -> Trained:
    keys, activation = seed_keys(seeds), al.as_activation(config.activation)
    return train(problem, activation, recipe, keys, mapping=config.mapping, report=report, folder=folder)


def _chosen(problem: Problem, config: Config, out: Path | None, report: Callable[[str], None]) -> Recipe:
    base = config.recipe
    grid = itertools.product(
        config.learning_rates or (base.learning_rate,),
        config.inner_learning_rates or (base.inner_learning_rate,),
        config.decays or (None,),
        config.rates or (base.rate,),
        config.loops or (base.loop,),
    )
    recipes = []
    for learning_rate, inner, decay, rate, loop in grid:
        recipe = replace(base, learning_rate=learning_rate, inner_learning_rate=inner, rate=rate, loop=loop)
        recipes.append(recipe if decay is None else replace(recipe, decay=decay, decay_first=decay))
    if len(recipes) == 1:
        return recipes[0]
    seeds = tuple(range(TUNING, TUNING + config.tuning_seeds))
    means = []
    for i, recipe in enumerate(recipes):
        trained = _train(problem, config, recipe, seeds, out and out / "tuning" / str(i), lambda text: None)
        means.append(float(np.mean(np.asarray(trained.val))))
        hidden = "" if recipe.inner_learning_rate is None else f" (hidden layers {recipe.inner_learning_rate:g})"
        described = f"learning rate {recipe.learning_rate:g}{hidden}, decay {recipe.decay:g}, dropout {recipe.rate:g}"
        report(f"{described}, self-loops {recipe.loop:g}: validation accuracy {means[-1]:.2%}")
    return recipes[int(np.argmax(means))]
