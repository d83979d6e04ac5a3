"""A graph net as a recipe asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
from flax import nnx

from actlab.nets.graph import GraphNet, operator_for
from actlab.nets.graph.net import Kind
from actlab.nets.graph.normalization import PairNorm
from actlab.systems.oversmoothing.criticality import set_critical
from actlab.systems.oversmoothing.problem import Problem

Start = Literal["published", "critical"]


@dataclass(frozen=True)
class Recipe:
    """How a graph net is built and trained.

    Attributes:
        kind: of the layers.
        depth: how many.
        width: channels.
        residual: hidden layers add their input.
        norm: PairNorm of the hidden layers.
        start: of the weights: "published" (Glorot's), or "critical" (see `set_critical`; for "gcn" alone).
        rate: of dropout, before every layer.
        inner_rate: of dropout before the hidden layers, if another.
        learning_rate: Adam's.
        inner_learning_rate: of the hidden layers, if another.
        decay: of the hidden layers' weights, in the loss.
        decay_first: of the first layer's.
        decay_last: of the last layer's.
        drop_links: DropEdge's rate.
        loop: weight of a node's link to itself (of "gcn" and "gcnii"): the larger, the less a layer smooths.
        epochs: at most.
        patience: epochs without a lower validation loss before the end.
        alpha: of "gcnii".
        theta: lambda of "gcnii".
    """

    kind: Kind = "gcn"
    depth: int = 2
    width: int = 16
    residual: bool = False
    norm: PairNorm | None = None
    start: Start = "published"
    rate: float = 0.5
    inner_rate: float | None = None
    learning_rate: float = 0.01
    inner_learning_rate: float | None = None
    decay: float = 5e-4
    decay_first: float = 5e-4
    decay_last: float = 0.0
    drop_links: float = 0.0
    loop: float = 1.0
    epochs: int = 200
    patience: int = 200
    alpha: float = 0.1
    theta: float = 0.5


def build(problem: Problem, activation: Any, recipe: Recipe, key: Any) -> GraphNet:
    """The net before training.

    Raises:
        ValueError: a critical start of another net than a plain "gcn".
    """
    options: dict[str, Any] = {"alpha": recipe.alpha, "decay": recipe.theta} if recipe.kind == "gcnii" else {}
    net_key, start_key = jax.random.split(key)
    net = GraphNet(
        problem.features,
        recipe.width,
        problem.classes,
        recipe.depth,
        activation,
        rngs=nnx.Rngs(params=net_key),
        kind=recipe.kind,
        residual=recipe.residual,
        norm=recipe.norm,
        rate=recipe.rate,
        inner_rate=recipe.inner_rate,
        **options,
    )
    if recipe.start == "critical":
        set_critical(start_key, net, operator_for(recipe.kind, problem.graph, recipe.loop), problem.x)
    return net
