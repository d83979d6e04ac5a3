"""Graphs as frozen pytrees, and the operators made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from actlab.data.sparse import GraphError, Pieces, Sparse


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Graph:
    """An undirected graph: its symmetric adjacency matrix without self-loops, and the operators made of it.

    Attributes:
        adjacency: A, both directions of each link, value 1 (0 where the link was dropped).
        loops: the places of A + I.
        order: int32 (entries + nodes,): which of A's entries, then of I's, each of those of A + I is.
        links: int32 (entries,): which undirected link an entry belongs to; padding belongs to link 0.
        count: of undirected links.
    """

    adjacency: Sparse
    loops: Sparse
    order: Any
    links: Any
    count: int = field(metadata={"static": True})

    @classmethod
    def from_links(cls, links: Any, nodes: int) -> Graph:
        """The graph of these pairs of nodes.

        Args:
            links: integers (links, 2), each undirected link once or in both directions. Self-loops are refused: the
                operators add their own.
            nodes: of the graph; those without a link are isolated.

        Raises:
            GraphError: not pairs of node numbers, or a self-loop.
        """
        links = np.asarray(links)
        links = links.reshape(0, 2).astype(np.int64) if links.size == 0 else links
        if links.ndim != 2 or links.shape[1] != 2 or not np.issubdtype(links.dtype, np.integer):
            raise GraphError(f"links must be integers of shape (links, 2), got {links.dtype} of shape {links.shape}")
        if np.any(links[:, 0] == links[:, 1]):
            node = links[links[:, 0] == links[:, 1]][0, 0]
            raise GraphError(f"node {node} is linked to itself; leave self-loops out, the operators add their own")
        links = np.unique(np.sort(links, axis=1), axis=0)
        rows, columns = np.concatenate([links, links[:, ::-1]]).T
        adjacency = Sparse.of(rows, columns, np.ones(len(rows)), (nodes, nodes))
        number = np.concatenate([np.arange(len(links))] * 2)[np.lexsort((columns, rows))]
        loops, order = _with_loops(adjacency)
        return cls(adjacency, loops, order, jnp.asarray(number, jnp.int32), len(links))

    @property
    def nodes(self) -> int:
        """How many there are."""
        return self.adjacency.shape[0]

    def degrees(self) -> Float[Array, " nodes"]:
        """Links of each node that are not dropped."""
        return self.adjacency.sum_rows(self.adjacency.values)

    def with_loops(self, loop: float = 1.0) -> Sparse:
        """A + loop I."""
        values = self.adjacency.values
        return self.loops.with_values(jnp.concatenate([values, jnp.full(self.nodes, loop, values.dtype)])[self.order])

    def normalized(self, loop: float = 1.0) -> Sparse:
        """D^-1/2 (A + loop I) D^-1/2, D the degrees with the self-loop: eigenvalues in (-1, 1].

        Args:
            loop: a node's own weight beside the 1 of each neighbour; the larger, the less a layer smooths.

        Raises:
            GraphError: loop is not positive and finite: an isolated node, or every link, would have no weight at all.

        Source: Kipf & Welling 2017, arXiv:1609.02907, eq. 2; loop is the lambda of section 7.2.
        """
        if not 0 < loop < math.inf:
            raise GraphError(f"normalized: loop = {loop} must be positive and finite")
        scale = jax.lax.rsqrt(self.degrees() + loop)
        loops = self.with_loops(loop)
        return loops.with_values(loops.values * loops.at_rows(scale) * scale[loops.columns])

    def walk(self) -> Sparse:
        """D^-1 (A + I): each node's mean over itself and its neighbours; a constant stays constant."""
        loops = self.with_loops()
        return loops.with_values(loops.values / loops.at_rows(self.degrees() + 1))

    def stationary(self) -> Float[Array, " nodes"]:
        """The weights, proportional to degree + 1, under which the walk keeps every mean; they sum to 1."""
        weights = self.degrees() + 1
        return weights / jnp.sum(weights)

    def drop_links(self, key: Key[Array, ""], rate: float) -> Graph:
        """Each link is dropped, both directions together, with this probability (DropEdge).

        Source: Rong et al. 2020, arXiv:1907.10903, section 3.1; normalize afterwards, as there.
        """
        kept = jax.random.bernoulli(key, 1.0 - rate, (max(self.count, 1),))
        values = self.adjacency.values * kept[self.links]
        return replace(self, adjacency=self.adjacency.with_values(values))

    def padded(self, nodes: int, entries: int) -> Graph:
        """The same graph with isolated nodes and empty entries appended, to share a compiled program.

        Raises:
            GraphError: smaller than the graph.
        """
        if nodes < self.nodes:
            raise GraphError(f"padded: nodes = {nodes} is fewer than the {self.nodes} there are")
        larger = replace(self.adjacency, shape=(nodes, nodes)).padded(entries)
        loops, order = _with_loops(larger)
        return Graph(larger, loops, order, jnp.pad(self.links, (0, entries - len(self.links))), self.count)


def _with_loops(adjacency: Sparse) -> tuple[Sparse, Array]:
    """The places of A + I with values 1, and which of A's entries, then I's, each is."""
    nodes = adjacency.shape[0]
    own = np.arange(nodes)
    rows, columns = (np.concatenate([np.asarray(part), own]) for part in (adjacency.rows, adjacency.columns))
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    pieces = None if adjacency.pieces is None else Pieces.of(rows, columns, nodes)
    values = jnp.ones(len(rows), adjacency.values.dtype)
    loops = Sparse(jnp.asarray(rows, jnp.int32), jnp.asarray(columns, jnp.int32), values, adjacency.shape, pieces)
    return loops, jnp.asarray(order, jnp.int32)
