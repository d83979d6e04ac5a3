"""Sparse matrices as frozen pytrees: entries sorted by row, products in pieces of rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float


class GraphError(ValueError):
    """A graph or sparse matrix was given by arrays that do not describe one; the message names them and the remedy."""


WIDTH = 8
"""Entries of a piece: 4 to 16 take about as long."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pieces:
    """The rows of a matrix cut into pieces of equally many entries: a product then needs few additions by index.

    Attributes:
        entries: int32 (pieces, WIDTH), the entries of each piece; one past the last entry where there is none.
        columns: int32 (pieces, WIDTH), theirs; 0 where there is none.
        rows: int32 (pieces,), ascending, the row that each belongs to.
    """

    entries: Any
    columns: Any
    rows: Any

    @classmethod
    def of(cls, rows: np.ndarray, columns: np.ndarray, row_count: int) -> Pieces:
        """Of entries sorted by row."""
        counts = np.bincount(rows, minlength=row_count)
        per_row = -(-counts // WIDTH)
        piece_rows = np.repeat(np.arange(row_count), per_row)
        first_entry, first_piece = (np.cumsum(c) - c for c in (counts, per_row))
        place = np.arange(len(rows)) - first_entry[rows]
        piece = first_piece[rows] + place // WIDTH
        entries = np.full((len(piece_rows), WIDTH), len(rows))
        taken = np.zeros_like(entries)
        entries[piece, place % WIDTH] = np.arange(len(rows))
        taken[piece, place % WIDTH] = columns
        return cls(*(jnp.asarray(a, jnp.int32) for a in (entries, taken, piece_rows)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sparse:
    """A sparse matrix by its entries, sorted by row: a graph operator, or sparse features.

    `matrix @ dense` is differentiable in values and in the dense factor, in either mode. Entries that pad (see
    `padded`) lie in the row past the last one, where sums drop them.

    Attributes:
        rows: int32 (entries,), ascending; of a graph's operator the receiving nodes.
        columns: int32 (entries,); of a graph's operator the sending nodes.
        values: floating (entries,).
        shape: (rows, columns).
        pieces: for a faster product; None: it is a gather and a sorted segment sum.
    """

    # Not typed by shape: JAX rebuilds pytrees with leaves that are no arrays.
    rows: Any
    columns: Any
    values: Any
    shape: tuple[int, int] = field(metadata={"static": True})
    pieces: Any = None

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
            Pieces.of(rows[order].astype(np.int64), columns[order].astype(np.int64), int(shape[0])),
        )

    def __matmul__(self, dense: Float[Array, "columns channels"]) -> Float[Array, "rows channels"]:
        """The product, in the dtype of `dense`; 16-bit ones are accumulated in the dtype of the values."""
        product = by_entries if self.pieces is None else by_pieces
        return product(self, self.values, dense).astype(dense.dtype)

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


def by_entries(
    matrix: Sparse, values: Float[Array, " entries"], dense: Float[Array, "columns channels"]
) -> Float[Array, "rows channels"]:
    """The product by one addition for each entry, with other values than the matrix's."""
    return matrix.sum_rows(values[:, None] * dense.at[matrix.columns].get(mode="clip"))


@jax.custom_jvp
def by_pieces(
    matrix: Sparse, values: Float[Array, " entries"], dense: Float[Array, "columns channels"]
) -> Float[Array, "rows channels"]:
    """The same product by one addition for each piece: a third of the time.

    Its derivatives are those by entries, since a gather by pieces is transposed into a scatter of the padding as well.
    """
    pieces: Pieces = matrix.pieces
    taken = values.at[pieces.entries].get(mode="fill", fill_value=0)
    parts = (taken[:, k, None] * dense.at[pieces.columns[:, k]].get(mode="clip") for k in range(WIDTH))
    return jax.ops.segment_sum(functools.reduce(jnp.add, parts), pieces.rows, matrix.shape[0], indices_are_sorted=True)


@functools.partial(by_pieces.defjvp, symbolic_zeros=True)
def _by_pieces_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    matrix, values, dense = primals
    _, values_dot, dense_dot = tangents
    y = by_pieces(matrix, values, dense)
    y_dot = jnp.zeros_like(y)
    if not isinstance(values_dot, SymbolicZero):
        y_dot += by_entries(matrix, values_dot, dense)
    if not isinstance(dense_dot, SymbolicZero):
        y_dot += by_entries(matrix, values, dense_dot)
    return y, y_dot
