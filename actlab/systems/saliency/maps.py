"""Measures of maps themselves: how sparse, how concentrated, how alike. Each over all but the first axis of a batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def _rows(maps: Array) -> Array:
    return jnp.abs(maps.reshape(maps.shape[0], -1))


def gini(maps: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """Gini index of the absolute values: 0 where all are equal, 1 - 1/n where one holds all; NaN for a map of zeros.

    Source: Hurley & Rickard 2009, arXiv:0811.4706, table 1; Chalasani et al. 2020, arXiv:1810.06583.
    """
    sizes = _ascending(_rows(maps))
    n = sizes.shape[1]
    rank = jnp.arange(1, n + 1, dtype=sizes.dtype)[None]
    total = jnp.sum(sizes, axis=1)
    return jnp.where(total > 0, jnp.sum(sizes * (2 * rank - n - 1), axis=1) / (n * total), jnp.nan)


@jax.custom_jvp
def _ascending(sizes: Float[Array, "batch entries"]) -> Float[Array, "batch entries"]:
    """Sorted. Numbers that are not negative are ordered as their bits are, and integers are sorted much faster."""
    bits = jax.lax.bitcast_convert_type(sizes, jnp.dtype(f"int{8 * sizes.dtype.itemsize}"))
    return jax.lax.bitcast_convert_type(jax.lax.sort(bits, dimension=1, is_stable=False), sizes.dtype)


@_ascending.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    order = jnp.argsort(primals[0], axis=1)
    return tuple(jnp.take_along_axis(v, order, axis=1) for v in (primals[0], tangents[0]))  # pyright: ignore[reportReturnType]


def places(values: Float[Array, "batch entries"]) -> Int[Array, "batch entries"]:
    """Each entry's place in descending order, from 0; of equal ones the first comes first."""
    order = jnp.argsort(-values, axis=1, stable=True)
    ranks = jnp.broadcast_to(jnp.arange(values.shape[1], dtype=order.dtype), order.shape)
    return jnp.put_along_axis(jnp.zeros_like(order), order, ranks, axis=1, inplace=False)


def zero_fraction(maps: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """The share of entries that are exactly 0."""
    return jnp.mean(_rows(maps) == 0, axis=1)


def complexity(maps: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """Entropy, in nats, of the absolute values as shares: 0 where one holds all, log n where all are equal.

    Source: Bhatt, Weller & Moura 2020, arXiv:2005.00631, definition 5.
    """
    rows = _rows(maps)
    total = jnp.sum(rows, axis=1, keepdims=True)
    share = rows / jnp.where(total > 0, total, 1)
    entropy = jnp.sum(jax.scipy.special.entr(share), axis=1)
    return jnp.where(total[:, 0] > 0, entropy, jnp.nan)


def effective_complexity(maps: Float[Array, "batch *shape"], threshold: Any = 1e-5) -> Int[Array, " batch"]:
    """How many entries are larger than the threshold in absolute value.

    Source: Nguyen & Martinez 2020, arXiv:2007.07584, definition 5, as quantus computes it.
    """
    return jnp.sum(_rows(maps) > threshold, axis=1)


def rank_correlation(
    maps: Float[Array, "batch *shape"], others: Float[Array, "batch *shape"], absolute: bool = True
) -> Float[Array, " batch"]:
    """Spearman's correlation of two maps of each example, ties given their mean rank.

    Args:
        maps: of one net.
        others: of another net, or by another method.
        absolute: of the absolute values.
    """
    pair = [(_rows(m) if absolute else m.reshape(m.shape[0], -1)) for m in (maps, others)]
    ranks = [jax.vmap(lambda v: jax.scipy.stats.rankdata(v))(p) for p in pair]
    a, b = (r - jnp.mean(r, axis=1, keepdims=True) for r in ranks)
    norm = jnp.linalg.norm(a, axis=1) * jnp.linalg.norm(b, axis=1)
    return jnp.where(norm > 0, jnp.sum(a * b, axis=1) / jnp.where(norm > 0, norm, 1), jnp.nan)
