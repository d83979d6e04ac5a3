"""Node classification: a graph, features and labels of its nodes, ready to train on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from actlab.data.citation import NodeClassification
from actlab.data.graph import Graph
from actlab.data.sparse import Sparse


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Problem:
    """A transductive classification of nodes: every node is seen, the labels of some are.

    Attributes:
        graph: with its links.
        x: features, `Sparse` or dense (nodes, features).
        y: int32 (nodes,), classes from 0.
        train: int32 (n,), nodes whose labels are learned from.
        val: int32 (n,), nodes that decide when to stop.
        test: int32 (n,), nodes that are reported.
        name: of the data set.
        classes: how many.
    """

    graph: Graph
    x: Any
    y: Any
    train: Any
    val: Any
    test: Any
    name: str = field(metadata={"static": True})
    classes: int = field(metadata={"static": True})

    @classmethod
    def of(cls, data: NodeClassification) -> Problem:
        """With features whose rows sum to 1, as the published nets take them; empty rows stay empty."""
        rows, columns, values = data.features
        totals = np.zeros(data.nodes)
        np.add.at(totals, rows, values)
        x = Sparse.of(rows, columns, values / totals[rows], (data.nodes, data.feature_count))
        parts = (data.labels, data.train, data.val, data.test)
        y, train, val, test = (jnp.asarray(part, jnp.int32) for part in parts)
        graph, classes = Graph.from_links(data.links, data.nodes), int(data.labels.max()) + 1
        return cls(graph, x, y, train, val, test, data.name, classes)

    @property
    def features(self) -> int:
        """Of a node."""
        return self.x.shape[1]
