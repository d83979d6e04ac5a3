"""The standard test of an activation on graphs: does it collapse as predicted, and what do deep layers still tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import actlab.activations as al
from actlab.activations import Activation
from actlab.data.embedded_graphs import digits_graph, karate_club, largest_component
from actlab.data.graph import Graph
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.oversmoothing.prediction import Setting, collapse, law_errors
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.readout import MEASURES, by_depth
from actlab.systems.oversmoothing.recipe import Recipe

SPREAD = "Variance between the karate club's members over mean square, random nets of width 256"
FACTOR = "Factor by which a layer changes the variance between digits"


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        digits: nodes of the graph of digits.
        law_layers: that the law is judged over.
        random: the random nets on the karate club.
        depths: layers whose states are read out, ascending.
        width: of those nets.
    """

    digits: int = 500
    law_layers: int = 16
    random: Setting = field(default_factory=Setting)
    depths: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    width: int = 64


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Measures the law of collapse, the predicted collapse depth, and what the layers of deep nets tell of the labels.

    Args:
        activation: an Activation, a function or a name.
        seeds: of fields and weights.
        settings: the size of the test.

    Raises:
        FactError: the slope is unbounded or unknown.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    al.require(activation, because="a graph net's collapse is predicted from its slopes", bounded_slope=True)
    data = digits_graph(count=settings.digits)
    nodes, links = largest_component(data)
    parts = (
        _depth(activation, seeds, settings.random),
        _law(activation, Graph.from_links(links, len(nodes)), seeds, settings),
        _by_depth(activation, Problem.of(data), seeds, settings),
    )
    return Evaluation(
        measurements=tuple(m for part in parts for m in part[0]),
        curves=tuple(c for part in parts for c in part[1]),
        notes=tuple(n for part in parts for n in part[2]),
    )


Part = tuple[list[Measurement], list[Curve], list[str]]


def _law(activation: Activation, graph: Graph, seeds: tuple[int, ...], settings: Settings) -> Part:
    errors, predicted, measured = law_errors(
        activation, graph, seeds, mean=0.5, deviation=0.01, layers=settings.law_layers
    )
    if not np.isfinite(errors).all():
        return (
            [],
            [],
            [f"The law cannot be judged: {activation.name} is flat at the mean, so one layer ends all variance."],
        )
    layers = np.flatnonzero(np.isfinite(predicted).all(0) & np.isfinite(measured).all(0))
    curves = [
        Curve(FACTOR, f"{activation.name}, {how}", layers + 1, values[:, layers], "layer", "factor")
        for how, values in (("predicted", predicted), ("measured", measured))
    ]
    note = (
        f"Without weights a layer multiplies the variance between nodes by rho_l f'(mu_l)^2, to {errors.max():.2%} "
        f"over {len(layers)} layers (digits, deviation 0.01 around 0.5)."
    )
    name = "error of the law's factor, worst layer"
    return [Measurement(name, activation.name, 100 * errors, "%", "lower", seeds)], curves, [note]


def _depth(activation: Activation, seeds: tuple[int, ...], setting: Setting) -> Part:
    data = karate_club()
    problem = Problem.of(data)
    spread = collapse(activation, problem.graph, problem.x, seeds, setting)
    x = np.arange(setting.layers + 1) + 1
    floor = 1e-5  # float32: what lies below is rounding
    curves = [
        Curve(SPREAD, f"{activation.name}, {how}", x, np.maximum(values, floor), "layer", "ratio", log_y=True)
        for how, values in (("predicted", spread.predicted), ("measured", spread.measured))
    ]
    weights = f"weight variance {setting.weight_variance:g} / width, bias variance {setting.bias_variance:g}"
    if not (np.isfinite(spread.predicted_depth) and np.isfinite(spread.measured_depths).all()):
        predicted = "collapse" if np.isfinite(spread.predicted_depth) else "none"
        return (
            [],
            curves,
            [f"Not every random net collapses within {setting.layers} layers ({weights}); predicted: {predicted}."],
        )
    depths = (np.full(len(seeds), spread.predicted_depth), spread.measured_depths)
    measurements = [
        Measurement(f"depth of collapse, {how}", activation.name, values, "layers", "neither", seeds)
        for how, values in zip(("predicted", "measured"), depths, strict=True)
    ]
    measurements.append(
        Measurement("error of the predicted depth", activation.name, 100 * spread.errors, "%", "lower", seeds)
    )
    return (
        measurements,
        curves,
        [f"Collapsed: variance between nodes below {setting.threshold:.0%} of the mean square; {weights}."],
    )


def _by_depth(activation: Activation, problem: Problem, seeds: tuple[int, ...], settings: Settings) -> Part:
    measurements, curves = [], []
    depths = settings.depths
    for start in ("critical", "published"):
        recipe = Recipe(depth=depths[-1] + 1, width=settings.width, start=start)
        values = by_depth(problem, activation, recipe, depths, seeds)
        for i, name in enumerate(MEASURES):
            percent, unit = (100.0, "%") if i == 0 else (1.0, "")
            title = f"{name}, {depths[-1]} layers, {start} weights"
            better = "higher" if i == 0 else "neither"
            measurements.append(Measurement(title, activation.name, percent * values[:, -1, i], unit, better, seeds))
            curves.append(
                Curve(
                    f"{name.capitalize()} by depth, untrained nets on digits",
                    f"{activation.name}, {start}",
                    np.asarray(depths),
                    percent * values[:, :, i],
                    "layers",
                    unit,
                    log_x=True,
                    log_y=i > 0,
                )
            )
    note = (
        "Nets are untrained: a ridge regression reads each layer, from ten labels a class, states scaled as a whole. "
        "Critical weights are set from the activation's moments and the graph; published ones are Glorot's."
    )
    return measurements, curves, [note]


SYSTEM = System(
    name="oversmoothing",
    title="Graphs: nodes that become alike",
    question="At which depth do a graph's nodes become alike, is it as predicted, and what do deep layers still tell?",
    data="scikit-learn's digits, each linked to its 8 nearest (first 500); Zachary's karate club (Zachary 1977)",
    evaluate=evaluate,
)
