"""Upper bounds on blocks of scores: which blocks of queries and keys provably hold no kept pair, rounding included."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

HIGHEST = jax.lax.Precision.HIGHEST


def score_bounds(
    q: Float[Array, "heads queries d"], k: Float[Array, "groups keys d"], block: int
) -> Float[Array, "heads row_blocks column_blocks"]:
    """For each block of queries and block of keys an upper bound of every computed score q . k inside.

    The smaller of two bounds for each query, then the largest over the block's queries. With centre c, radius R and
    box [a, b] of the block's keys: the ball, q.c + |q| R, and the box, sum_i max(q_i a_i, q_i b_i) (Tang et al. 2024,
    "Quest", arXiv:2406.10774, eq. 2). The ball over the queries and the box over the queries are never tighter.
    A slack is added that covers the rounding of the bound and of the score itself, in whatever order its products are
    summed: with u the unit roundoff, |fl(q.k) - q.k| <= gamma_d |q| |k|, gamma_n = n u / (1 - n u) (Higham 2002,
    Accuracy and Stability of Numerical Algorithms, section 3.1).

    Args:
        q: queries, scaled as the kernel multiplies them; `queries` a multiple of `block`.
        k: keys, `keys` a multiple of `block`; head h reads group h // (heads / groups).
        block: queries, and keys, of a block.
    """
    repeats = q.shape[0] // k.shape[0]
    centre, radius, low, high = (jnp.repeat(v, repeats, axis=0) for v in _summaries(k, block))
    norm = _norm(q)[..., None]
    reach = norm * radius[:, None, :]
    ball = _dot(q, centre) + reach
    box = _dot(jnp.maximum(q, 0), high) + _dot(jnp.minimum(q, 0), low)
    d, unit = q.shape[-1], jnp.finfo(q.dtype).eps / 2
    gamma = 8 * (d + 16) * unit  # score, bound, norm and radius each err by less than 2 gamma_(d+16) of their size
    size = norm * (_norm(centre)[:, None, :] + radius[:, None, :])
    corner = norm * _norm(jnp.maximum(jnp.abs(low), jnp.abs(high)))[:, None, :]
    smallest = d * jnp.finfo(q.dtype).tiny  # products that underflow
    bound = jnp.minimum(ball + gamma * size, box + gamma * corner) + smallest
    return bound.reshape(q.shape[0], -1, block, bound.shape[-1]).max(axis=2)


def largest_scores(
    q: Float[Array, "heads queries d"], k: Float[Array, "groups keys d"], allowed: Any, block: int
) -> Float[Array, "heads row_blocks column_blocks"]:
    """For each block the largest computed score among allowed pairs, plus the rounding between two orders of summation.

    Costs the product of all queries and keys, a row of blocks at a time; for when no bound proves anything.

    Args:
        q: as for `score_bounds`.
        k: as for `score_bounds`.
        allowed: function of the row block's number to a mask that broadcasts to (heads, block, keys).
        block: queries, and keys, of a block.
    """
    heads, length, d = q.shape
    k = jnp.repeat(k, heads // k.shape[0], axis=0)
    slack = 4 * (d + 16) * jnp.finfo(q.dtype).eps * _norm(q).max(axis=1) * _norm(k).max(axis=1)

    def row(i: Array) -> Array:
        scores = _dot(jax.lax.dynamic_slice_in_dim(q, i * block, block, axis=1), k)
        scores = jnp.where(allowed(i), scores, -jnp.inf)
        return scores.reshape(heads, block, -1, block).max(axis=(1, 3))

    rows = jax.lax.map(row, jnp.arange(length // block))
    return jnp.swapaxes(rows, 0, 1) + slack[:, None, None]


def _summaries(k: Array, block: int) -> tuple[Array, Array, Array, Array]:
    """Centre, radius, lower and upper corner of each block of keys."""
    blocks = k.reshape(k.shape[0], -1, block, k.shape[-1])
    low, high = blocks.min(axis=2), blocks.max(axis=2)
    centre = blocks.mean(axis=2)
    radius = _norm(blocks - centre[:, :, None]).max(axis=2)
    return centre, radius, low, high


def _norm(x: Array) -> Array:
    """The Euclidean norm over the last axis, scaled so that no square under- or overflows; its slope at 0 is 0."""
    largest = jnp.max(jnp.abs(x), axis=-1)
    scaled = x / jnp.where(largest > 0, largest, 1)[..., None]
    return largest * jnp.sqrt(jnp.where(largest > 0, jnp.sum(scaled * scaled, axis=-1), 1))


def _dot(a: Array, b: Array) -> Array:
    return jnp.einsum("hqd,hkd->hqk", a, b, precision=HIGHEST)
