"""Measures of maps themselves: how sparse, how concentrated, how alike. Each over all but the first axis of a batch.

Maps of half precision are measured in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from actlab.systems.saliency.sorting_network import LANES, rank_rows, sort_rows

SHORT = 2048
"""Entries up to which a sorting network, many rows side by side, is used on a CPU in place of its sort."""


def gini(maps: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """Gini index of the absolute values: 0 where all are equal, 1 - 1/n where one holds all; NaN for a map of zeros.

    Source: Hurley & Rickard 2009, arXiv:0811.4706, table 1; Chalasani et al. 2020, arXiv:1810.06583.
    """
    sizes = jnp.abs(_rows(maps))
    total = jnp.sum(sizes, axis=1)
    return jnp.where(total > 0, _differences(sizes) / (sizes.shape[1] * total), jnp.nan)


@jax.custom_jvp
def _differences(sizes: Float[Array, "batch entries"]) -> Float[Array, " batch"]:
    """The sum of |a - b| over all pairs of a row."""
    # Numbers that are not negative are ordered as their bits are, and integers are sorted much faster.
    bits, n = _bits(sizes), sizes.shape[1]
    ordered = _faster(bits, sort_rows, _sort_by_xla) if len(bits) >= LANES // 2 else _sort_by_xla(bits)
    ordered = jax.lax.bitcast_convert_type(ordered, sizes.dtype)
    return jnp.sum(ordered * (2 * jnp.arange(1, n + 1, dtype=sizes.dtype)[None] - n - 1), axis=1)


@_differences.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (sizes,), (tangent,) = primals, tangents
    above = sizes.shape[1] - 1 - 2 * places(sizes)
    return _differences(sizes), jnp.sum(above.astype(sizes.dtype) * tangent, axis=1)


def _sort_by_xla(rows: Int[Array, "rows entries"]) -> Int[Array, "rows entries"]:
    return jax.lax.sort(rows, dimension=1, is_stable=False)


def places(values: Float[Array, "batch entries"]) -> Int[Array, "batch entries"]:
    """Each entry's place in descending order, from 0; of equal ones the first comes first, NaN last."""
    return _faster(values, _places_by_network, _places_by_sorting)


def _places_by_sorting(values: Float[Array, "batch entries"]) -> Int[Array, "batch entries"]:
    order = jnp.argsort(-values, axis=1, stable=True)
    ranks = jnp.broadcast_to(jnp.arange(values.shape[1], dtype=order.dtype), order.shape)
    return jnp.put_along_axis(jnp.zeros_like(order), order, ranks, axis=1, inplace=False)


def _places_by_network(values: Float[Array, "batch entries"]) -> Int[Array, "batch entries"]:
    bits = _bits(jnp.where(values == 0, 0, values))  # no minus zero
    largest = jnp.iinfo(bits.dtype).max
    descending = jnp.where(bits < 0, bits, bits ^ largest)  # as unsigned integers
    ranks = rank_rows(jnp.where(jnp.isnan(values), -1, descending))
    return ranks.astype(jnp.argsort(values[:0], axis=1).dtype)


def _faster(values: Array, by_network: Callable[[Array], Array], by_sorting: Callable[[Array], Array]) -> Array:
    """What both give of the rows: by a network where that is faster, on a CPU and of short rows."""
    if values.shape[1] > SHORT:
        return by_sorting(values)
    return jax.lax.platform_dependent(values, cpu=by_network, default=by_sorting)


def _bits(values: Float[Array, "batch entries"]) -> Int[Array, "batch entries"]:
    return jax.lax.bitcast_convert_type(values, jnp.dtype(f"int{8 * values.dtype.itemsize}"))


def zero_fraction(maps: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """The share of entries that are exactly 0."""
    return jnp.mean(_rows(maps) == 0, axis=1)


def complexity(maps: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """Entropy, in nats, of the absolute values as shares: 0 where one holds all, log n where all are equal.

    Source: Bhatt, Weller & Moura 2020, arXiv:2005.00631, definition 5.
    """
    rows = jnp.abs(_rows(maps))
    total = jnp.sum(rows, axis=1, keepdims=True)
    share = rows / jnp.where(total > 0, total, 1)
    entropy = jnp.sum(jax.scipy.special.entr(share), axis=1)
    return jnp.where(total[:, 0] > 0, entropy, jnp.nan)


def effective_complexity(maps: Float[Array, "batch *shape"], threshold: Any = 1e-5) -> Int[Array, " batch"]:
    """How many entries are larger than the threshold in absolute value.

    Source: Nguyen & Martinez 2020, arXiv:2007.07584, definition 5, as quantus computes it.
    """
    return jnp.sum(jnp.abs(_rows(maps)) > threshold, axis=1)


def rank_correlation(
    maps: Float[Array, "batch *shape"], others: Float[Array, "batch *shape"], absolute: bool = True
) -> Float[Array, " batch"]:
    """Spearman's correlation of two maps of each example, ties given their mean rank; NaN where one is constant.

    Args:
        maps: of one net.
        others: of another net, or by another method.
        absolute: of the absolute values.
    """
    pair = [jnp.abs(_rows(m)) if absolute else _rows(m) for m in (maps, others)]
    # (n + 1) / 2 is the mean of any n ranks: a sum of many would round, and leave of a constant map more than 0.
    a, b = (jax.scipy.stats.rankdata(rows, axis=1) - (rows.shape[1] + 1) / 2 for rows in pair)
    norm = jnp.linalg.norm(a, axis=1) * jnp.linalg.norm(b, axis=1)
    return jnp.where(norm > 0, jnp.sum(a * b, axis=1) / jnp.where(norm > 0, norm, 1), jnp.nan)


def _rows(maps: Float[Array, "batch *shape"]) -> Float[Array, "batch entries"]:
    return maps.reshape(maps.shape[0], math.prod(maps.shape[1:])).astype(jnp.promote_types(maps.dtype, jnp.float32))
