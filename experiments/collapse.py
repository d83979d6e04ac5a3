"""Collapse of graph nets with depth: the law without weights, the predicted depth with them, what deep layers tell.

The law is judged in float64 on the largest component, the predicted depth against random nets of finite width there,
and the readout on the whole graph: ridge regression on the layers of untrained nets, from the public split's labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.activations import Activation
from actlab.data.embedded_graphs import largest_component, load_graph
from actlab.data.graph import Graph
from actlab.data.sparse import Sparse
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.oversmoothing.prediction import Setting, collapse, law_errors
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.readout import MEASURES, by_depth
from actlab.systems.oversmoothing.recipe import Recipe

Found = tuple[list[Measurement], list[Claim], list[Curve]]
LAW = "the law rho_l f'(mu_l)^2, after Oono & Suzuki 2020, arXiv:1905.10947"
WIDE = "the Gaussian process of wide graph nets, Epping et al. 2024, arXiv:2406.02269"

TITLE = "Collapse with depth"


@dataclass(frozen=True)
class Config:
    """One graph.

    Attributes:
        data: "karate" and "digits" are embedded; "cora" and "citeseer" are read from the folder.
        folder: of `<data>.npz`.
        law_activations: whose law is judged.
        law_layers: at most; layers whose variance is rounding are left out.
        mean: of the field that the law starts from.
        deviation: of it.
        law_error: largest relative error of a factor that the claim allows.
        activations: whose depth of collapse is predicted, and whose layers are read out.
        random: weights, width and threshold of the random nets.
        depth_error: largest relative error of the predicted depth that the claim allows.
        depths: layers that are read out, ascending; none where empty.
        width: of those nets.
        seeds: of fields, nets and readouts.
    """

    data: Literal["karate", "digits", "cora", "citeseer"] = "digits"
    folder: str = "data"
    law_activations: tuple[str, ...] = ("tanh", "sigmoid", "softplus", "gelu", "swish", "mish", "sin", "erf")
    law_layers: Annotated[int, Field(ge=1, le=1000)] = 40
    mean: float = 0.5
    deviation: Annotated[float, Field(gt=0)] = 0.05
    law_error: Annotated[float, Field(gt=0)] = 0.01
    activations: tuple[str, ...] = ("tanh", "relu", "swish")
    random: Setting = field(default_factory=Setting)
    depth_error: Annotated[float, Field(gt=0)] = 0.2
    depths: tuple[Annotated[int, Field(ge=1)], ...] = (2, 4, 8, 16, 32, 64)
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    seeds: Annotated[int, Field(ge=1)] = 3

    def __post_init__(self) -> None:
        if list(self.depths) != sorted(set(self.depths)):
            raise ValueError(f"depths = {self.depths} must ascend")


def run(config: Config, out: Path | None, report: Callable[[str], None]) -> Found:
    """Judges the law for each activation, then the predicted depth, then reads layers out."""
    data = load_graph(config.data, config.folder)
    seeds, problem = tuple(range(config.seeds)), Problem.of(data)
    nodes, links = largest_component(data)
    graph = Graph.from_links(links, len(nodes))
    x = _rows(problem.x, nodes)
    report(f"{config.data}: {data.nodes} nodes, {len(data.links)} links; the largest component has {len(nodes)} nodes")
    parts: list[Found] = []
    for name in config.law_activations:
        parts.append(_law(al.as_activation(name), graph, config, seeds))
        report(f"law, {name}: worst factor off by {parts[-1][0][0].mean:.3f} %")
    for name in config.activations:
        parts.append(_depth(al.as_activation(name), graph, x, config, seeds))
        report(f"depth of collapse, {name}: " + ", ".join(f"{m.name} {m.mean:.2f}" for m in parts[-1][0]))
        if config.depths:
            parts.append(_readout(al.as_activation(name), problem, config, seeds, report))
    measured, claims, curves = zip(*parts, strict=True)
    return sum(measured, []), sum(claims, []), sum(curves, [])


def _rows(x: Sparse, nodes: np.ndarray) -> Sparse:
    """These rows of the features, in order."""
    rows, columns, values = (np.asarray(part) for part in (x.rows, x.columns, x.values))
    kept = np.isin(rows, nodes)
    return Sparse.of(np.searchsorted(nodes, rows[kept]), columns[kept], values[kept], (len(nodes), x.shape[1]))


def _law(activation: Activation, graph: Graph, config: Config, seeds: tuple[int, ...]) -> Found:
    errors, predicted, measured = law_errors(
        activation, graph, seeds, mean=config.mean, deviation=config.deviation, layers=config.law_layers
    )
    found = Measurement("error of the law's factor, worst layer", activation.name, 100 * errors, "%", "lower", seeds)
    statement = (
        f"{config.data}, {activation.name}: every layer's factor within {config.law_error:.1%} of rho_l f'(mu_l)^2"
    )
    claim = Claim(statement, LAW, found, at_most=100 * config.law_error)
    layers = np.flatnonzero(np.isfinite(predicted).all(0) & np.isfinite(measured).all(0))
    curves = [
        Curve(
            "Factor by which a layer changes the variance between nodes, no weights",
            f"{activation.name}, {how}",
            layers + 1,
            values[:, layers],
            "layer",
            "factor",
        )
        for how, values in (("predicted", predicted), ("measured", measured))
        if activation.name in config.activations
    ]
    return [found], [claim], curves


def _depth(activation: Activation, graph: Graph, x: Sparse, config: Config, seeds: tuple[int, ...]) -> Found:
    setting = config.random
    spread = collapse(activation, graph, x, seeds, setting)
    title = f"Variance between nodes over mean square, random nets of width {setting.width}"
    layers = np.arange(1, setting.layers + 2)
    floor = 1e-5  # float32: what lies below is rounding
    curves = [
        Curve(title, f"{activation.name}, {how}", layers, np.maximum(values, floor), "layer", "ratio", log_y=True)
        for how, values in (("predicted", spread.predicted), ("measured", spread.measured))
    ]
    predicted = np.full(len(seeds), spread.predicted_depth)
    error = Measurement("error of the predicted depth", activation.name, 100 * spread.errors, "%", "lower", seeds)
    found = [
        Measurement("depth of collapse, predicted", activation.name, predicted, "layers", "neither", seeds),
        Measurement("depth of collapse, measured", activation.name, spread.measured_depths, "layers", "neither", seeds),
        error,
    ]
    statement = (
        f"{config.data}, {activation.name}: predicted depth of collapse within {config.depth_error:.0%} of measured"
    )
    return found, [Claim(statement, WIDE, error, at_most=100 * config.depth_error)], curves


def _readout(
    activation: Activation, problem: Problem, config: Config, seeds: tuple[int, ...], report: Callable[[str], None]
) -> Found:
    measured, curves = [], []
    depths = config.depths
    for start in ("published", "critical"):
        recipe = Recipe(depth=max(depths[-1] + 1, 2), width=config.width, start=start)
        values = by_depth(problem, activation, recipe, depths, seeds)
        report(f"readout, {activation.name}, {start}: " + " ".join(f"{v:.1%}" for v in values[:, :, 0].mean(0)))
        for i, name in enumerate(MEASURES):
            factor, unit = (100.0, "%") if i == 0 else (1.0, "")
            title, who = f"{name.capitalize()} by depth, untrained nets", f"{activation.name}, {start}"
            curves.append(
                Curve(title, who, np.asarray(depths), factor * values[:, :, i], "layers", unit, log_x=True, log_y=i > 0)
            )
            for j in {0, len(depths) - 1}:
                full = f"{name}, {depths[j]} layers, {start} weights"
                better = "higher" if i == 0 else "neither"
                measured.append(Measurement(full, activation.name, factor * values[:, j, i], unit, better, seeds))
    return measured, [], curves
