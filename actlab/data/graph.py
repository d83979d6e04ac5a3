"""Graphs and sparse matrices as frozen pytrees: entries sorted by row, products by sorted segment sums."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key


class GraphError(ValueError):
    """A graph or sparse matrix was given by arrays that do not describe one; the message names them and the remedy."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sparse:
    """A sparse matrix by its entries, sorted by row: a graph operator, or sparse features.

    `matrix @ dense` is a gather and a sorted segment sum, differentiable in values and in the dense factor. Entries
    that pad (see `padded`) lie in the row past the last one, where sums drop them.

    Attributes:
        rows: int32 (entries,), ascending; of a graph's operator the receiving nodes.
        columns: int32 (entries,); of a graph's operator the sending nodes.
        values: floating (entries,).
        shape: (rows, columns).
    """

    # Not typed by shape: JAX rebuilds pytrees with leaves that are no arrays.
    rows: Any
    columns: Any
    values: Any
    shape: tuple[int, int] = field(metadata={"static": True})

    @classmethod
    def of(cls, rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Sparse:
        """A matrix of these entries, in any order; values become the default float dtype. Not to be traced.

        Raises:
            GraphError: an index outside of the shape, arrays of different lengths, or an entry given twice.
        """
        rows, columns, values = np.asarray(rows), np.asarray(columns), np.asarray(values)
        if not rows.ndim == columns.ndim == values.ndim == 1 or not len(rows) == len(columns) == len(values):
            raise GraphError(
                f"rows, columns, values have shapes {rows.shape}, {columns.shape}, {values.shape}, not (n,)"
            )
        for name, index, limit in (("rows", rows, shape[0]), ("columns", columns, shape[1])):
            if len(index) and not 0 <= index.min() <= index.max() < limit:
                raise GraphError(f"{name} reach from {index.min()} to {index.max()}; they must lie in [0, {limit})")
        order = np.lexsort((columns, rows))
        flat = rows[order].astype(np.int64) * shape[1] + columns[order]
        if np.any(flat[1:] == flat[:-1]):
            raise GraphError("an entry is given twice; add the values of equal (row, column) pairs up first")
        return cls(
            jnp.asarray(rows[order], jnp.int32),
            jnp.asarray(columns[order], jnp.int32),
            jnp.asarray(values[order], jnp.result_type(float)),
            (int(shape[0]), int(shape[1])),
        )

    def __matmul__(self, dense: Float[Array, "columns channels"]) -> Float[Array, "rows channels"]:
        """The product, in the dtype of `dense`; 16-bit ones are accumulated in the dtype of the values."""
        taken = dense.at[self.columns].get(mode="clip")
        return self.sum_rows(self.values[:, None] * taken).astype(dense.dtype)

    def sum_rows(self, entries: Float[Array, "entries *channels"]) -> Float[Array, "rows *channels"]:
        """The sum over each row of one number (or vector) an entry; 0 in an empty row."""
        return jax.ops.segment_sum(entries, self.rows, self.shape[0], indices_are_sorted=True)

    def at_rows(self, rows: Float[Array, "rows *channels"]) -> Float[Array, "entries *channels"]:
        """Each entry's row of an array."""
        return rows.at[self.rows].get(mode="clip", indices_are_sorted=True)

    def with_values(self, values: Any) -> Sparse:
        """The same places with other values."""
        return replace(self, values=values)

    def dense(self) -> Float[Array, "rows columns"]:
        """As a dense array."""
        return jnp.zeros(self.shape, self.values.dtype).at[self.rows, self.columns].add(self.values, mode="drop")

    def padded(self, entries: int) -> Sparse:
        """The same matrix with entries of value 0 appended, to share a compiled program with larger ones.

        Raises:
            GraphError: fewer entries than there are.
        """
        missing = entries - len(self.rows)
        if missing < 0:
            raise GraphError(f"padded: entries = {entries} is fewer than the {len(self.rows)} there are")
        return Sparse(
            jnp.pad(self.rows, (0, missing), constant_values=self.shape[0]),
            jnp.pad(self.columns, (0, missing)),
            jnp.pad(self.values, (0, missing)),
            self.shape,
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Graph:
    """An undirected graph: its symmetric adjacency matrix without self-loops, and the operators made of it.

    Attributes:
        adjacency: A, both directions of each link, value 1 (0 where the link was dropped).
        links: int32 (entries,): which undirected link an entry belongs to; padding belongs to link 0.
        count: of undirected links.
    """

    adjacency: Sparse
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
        return cls(adjacency, jnp.asarray(number, jnp.int32), len(links))

    @property
    def nodes(self) -> int:
        """How many there are."""
        return self.adjacency.shape[0]

    def degrees(self) -> Float[Array, " nodes"]:
        """Links of each node that are not dropped."""
        return self.adjacency.sum_rows(self.adjacency.values)

    def with_loops(self) -> Sparse:
        """A + I."""
        a, n = self.adjacency, self.nodes
        own = jnp.arange(n, dtype=a.rows.dtype)
        rows, columns = (jnp.concatenate([part, own]) for part in (a.rows, a.columns))
        order = jnp.lexsort((columns, rows))
        values = jnp.concatenate([a.values, jnp.ones(n, a.values.dtype)])
        return Sparse(rows[order], columns[order], values[order], a.shape)

    def normalized(self) -> Sparse:
        """D^-1/2 (A + I) D^-1/2, D the degrees with the self-loop: eigenvalues in (-1, 1].

        Source: Kipf & Welling 2017, arXiv:1609.02907, eq. 2.
        """
        loops, scale = self.with_loops(), jax.lax.rsqrt(self.degrees() + 1)
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
        return replace(self, adjacency=larger, links=jnp.pad(self.links, (0, entries - len(self.links))))
