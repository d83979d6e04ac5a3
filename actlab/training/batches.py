"""Minibatches whose order is a pure function of (key, step): nothing to save, the same whatever the chunk or device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key


def rows(data: Any) -> int:
    """The common length n of the leading axis of every leaf.

    Raises:
        ValueError: no leaf, a scalar leaf, or lengths that differ; names the lengths.
    """
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(data)]
    lengths = sorted({shape[0] if shape else 0 for shape in shapes})
    if len(lengths) != 1 or lengths[0] == 0:
        raise ValueError(f"data: every array needs the same, non-empty leading axis; got shapes {shapes}")
    return lengths[0]


def batches_per_epoch(n: int, batch_size: int) -> int:
    """Whole batches in one pass over n rows; the incomplete last batch is dropped (its rows differ in every epoch).

    Raises:
        ValueError: batch_size outside 1..n.
    """
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size = {batch_size} must be between 1 and the {n} rows of the data (None: all rows)")
    return n // batch_size


def epoch_order(key: Key[Array, ""], epoch: Int[Array, ""] | int, n: int) -> Int[Array, " n"]:
    """The order in which an epoch visits the n rows: an independent permutation for every epoch."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), n)


def carried_order(
    order: Int[Array, " n"], key: Key[Array, ""], step: Int[Array, ""], entering: Bool[Array, ""], batch_size: int
) -> Int[Array, " n"]:
    """The order for `step`: `order` again inside an epoch, a new permutation at its start or on `entering` the scan.

    A `cond`, so that a permutation costs one sort an epoch; it stays one under vmap as long as `step` is not mapped.
    """
    n = order.shape[0]
    per_epoch = batches_per_epoch(n, batch_size)
    return jax.lax.cond(
        entering | (step % per_epoch == 0), lambda: epoch_order(key, step // per_epoch, n), lambda: order
    )


def batch_of(order: Int[Array, " n"], step: Int[Array, ""] | int, batch_size: int) -> Int[Array, " batch_size"]:
    """The rows of the batch at `step`, given the order of its epoch."""
    start = (step % batches_per_epoch(order.shape[0], batch_size)) * batch_size
    return jax.lax.dynamic_slice_in_dim(order, start, batch_size)


def batch_indices(
    key: Key[Array, ""], step: Int[Array, ""] | int, n: int, batch_size: int
) -> Int[Array, " batch_size"]:
    """The rows of the batch at `step` as a pure function of (key, step), without anything carried.

    Args:
        key: the key of the data order.
        step: the number of the step, from 0.
        n: rows of the data.
        batch_size: rows of a batch.
    """
    return batch_of(epoch_order(key, step // batches_per_epoch(n, batch_size), n), step, batch_size)


def take(data: Any, indices: Int[Array, " batch_size"]) -> Any:
    """These rows of every leaf."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf).at[indices].get(mode="promise_in_bounds"), data)
