"""A penalty that knows the bounds: how far they are above the gate, so that training makes blocks provably empty."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.attention.attention import laid_out
from actlab.systems.attention.block_bounds import score_bounds
from actlab.systems.attention.gate import Gate


def bound_penalty(
    q: Float[Array, "batch length heads d"],
    k: Float[Array, "batch length groups d"],
    gate: Gate,
    *,
    block: int,
    margin: float = 0.1,
) -> Float[Array, ""]:
    """Mean over the blocks left of the diagonal of the positive part of (bound - s* + margin).

    0 where every such block is skipped with at least the margin to spare. The bound is the one that `gated_attention`
    skips by, so what this penalty moves is what a long sequence costs. The temperature is not moved by it: closing the
    gate as a whole would be the cheapest answer.

    Args:
        q: queries, as `gated_attention` takes them.
        k: keys, as many as queries.
        gate: its threshold and temperatures.
        block: queries, and keys, of a block.
        margin: how far below s* the bounds should stay, in units of the scores.
    """
    by_head, q_rows, k_rows, _ = laid_out(q, k, gate, True, None, None, block)
    excess = score_bounds(q_rows, k_rows, block) - jax.lax.stop_gradient(by_head.least_score())[:, None, None]
    left = jnp.tril(jnp.ones(excess.shape[1:], bool), -1)[None]
    return jnp.sum(jnp.where(left, jax.nn.relu(excess + margin), 0)) / jnp.maximum(left.sum() * excess.shape[0], 1)
