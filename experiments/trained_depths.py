"""Graph nets of growing depth, trained from published and from critical weights: what they know, how alike nodes are.

Accuracy on the test nodes and, of the states that leave the last hidden layer of the same trained nets, Dirichlet
energy, effective rank and distance to rank one: the four together, since each alone can miss the drop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

import actlab.activations as al
from actlab.data.embedded_graphs import load_graph
from actlab.measurement import Claim, Curve, Measurement
from actlab.nets.graph import operator_for
from actlab.signal import effective_rank
from actlab.systems.oversmoothing.measure import dirichlet_energy, rank_one_distance
from actlab.systems.oversmoothing.model import Mapping, Trained, train
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.recipe import Recipe, Start
from actlab.training import seed_keys

MEASURES = ("test accuracy", "Dirichlet energy", "effective rank", "distance to rank one")

MANY_PROCESSES = True

TITLE = "Graph nets by depth"


@dataclass(frozen=True)
class Config:
    """One graph, one activation.

    Attributes:
        data: "karate" and "digits" are embedded; "cora" and "citeseer" are read from the folder.
        folder: of `<data>.npz`.
        activation: of the nets.
        recipe: of all nets but for depth and start.
        depths: ascending.
        starts: of the weights.
        seeds: how many.
        mapping: see `actlab.systems.oversmoothing.train`.
        ahead: points of accuracy that the claim says critical weights are ahead of published ones at the last depth.
    """

    data: Literal["karate", "digits", "cora", "citeseer"] = "digits"
    folder: str = "data"
    activation: str = "relu"
    recipe: Recipe = field(default_factory=Recipe)
    depths: tuple[Annotated[int, Field(ge=2)], ...] = (2, 4, 8, 16, 32, 64)
    starts: tuple[Start, ...] = ("published", "critical")
    seeds: Annotated[int, Field(ge=1)] = 3
    mapping: Mapping = "map"
    ahead: float = 10.0

    def __post_init__(self) -> None:
        if list(self.depths) != sorted(set(self.depths)):
            raise ValueError(f"depths = {self.depths} must ascend")


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains each depth from each start; one compiled program each, over the seeds."""
    problem = Problem.of(load_graph(config.data, config.folder))
    seeds = tuple(range(config.seeds))
    found: dict[str, np.ndarray] = {
        start: _by_depth(problem, start, seeds, config, out and out / "trained" / start, report)
        for start in config.starts
    }
    measured, curves = [], []
    for start, values in found.items():
        for i, name in enumerate(MEASURES):
            scale, unit, better = (100.0, "%", "higher") if i == 0 else (1.0, "", "neither")
            measured += [
                Measurement(f"{name}, {depth} layers", f"{start} start", scale * values[:, j, i], unit, better, seeds)
                for j, depth in enumerate(config.depths)
            ]
            title = f"{config.data}, trained {config.activation} {config.recipe.kind}: {name} by depth"
            x = np.asarray(config.depths)
            curves.append(
                Curve(title, f"{start} start", x, scale * values[:, :, i], "layers", unit, log_x=True, log_y=i > 0)
            )
    return measured, _claims(found, config, seeds), curves


def _by_depth(
    problem: Problem,
    start: Start,
    seeds: tuple[int, ...],
    config: Config,
    folder: Path | None,
    report: Callable[[str], None],
) -> np.ndarray:
    """Shape (seeds, depths, measures)."""
    keys, values = seed_keys(seeds), []
    for depth in config.depths:
        recipe = replace(config.recipe, depth=depth, start=start)
        kept = folder and folder / str(depth)
        trained = train(problem, al.as_activation(config.activation), recipe, keys, mapping=config.mapping, folder=kept)
        values.append(np.asarray(_measured(problem, recipe, trained), np.float64))
        mean = values[-1].mean(axis=0)
        report(f"{start}, {depth} layers: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(MEASURES, mean, strict=True)))
    return np.stack(values, axis=1)


def _measured(problem: Problem, recipe: Recipe, trained: Trained) -> Array:
    operator = operator_for(recipe.kind, problem.graph, recipe.loop)

    @jax.jit
    def measured(problem: Problem, operator: Any, test: Array, params: Any, rest: Any) -> Array:
        def one(this: Any) -> Array:
            test, params, rest = this
            h = trained.member(params, rest).states(operator, problem.x)[-1]
            alike = (dirichlet_energy(h, problem.graph), effective_rank(h), rank_one_distance(h))
            return jnp.stack([test, *alike])

        return jax.lax.map(one, (test, params, rest))

    return measured(problem, operator, trained.test, trained.params, trained.rest)


def _claims(found: dict[str, np.ndarray], config: Config, seeds: tuple[int, ...]) -> list[Claim]:
    if len(found) < 2:
        return []
    ahead = 100 * (found["critical"][:, -1, 0] - found["published"][:, -1, 0])
    depth = config.depths[-1]
    name = f"test accuracy, {depth} layers, critical minus published start"
    gap = Measurement(name, config.activation, ahead, "%", "higher", seeds)
    statement = (
        f"{config.data}, {depth} layers: critical weights at least {config.ahead:g} points ahead of published ones"
    )
    source = "the critical start of actlab.systems.oversmoothing.set_critical"
    return [Claim(statement, source, gap, at_least=config.ahead)]
