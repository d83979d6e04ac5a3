"""How a graph net is built and trained, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from actlab.nets.graph.net import Kind
from actlab.nets.graph.normalization import PairNorm

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
