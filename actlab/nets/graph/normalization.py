"""PairNorm, and dropout of dense and sparse features."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.data.sparse import Sparse

PairNorm = Literal["global", "individual"]


def pair_norm(
    x: Float[Array, "nodes channels"],
    kind: PairNorm = "global",
    *,
    scale: float = 1.0,
    mask: Float[Array, " nodes"] | None = None,
    epsilon: float = 1e-6,
) -> Float[Array, "nodes channels"]:
    """Centres the nodes and rescales them, so that their total pairwise distance cannot shrink with depth.

    Args:
        x: of the nodes.
        kind: "global": by the root mean square norm of all nodes (PN); "individual": each by its own (PN-SI).
        scale: s, the norm afterwards.
        mask: 1 for the nodes that count, 0 for padding; all where None.
        epsilon: added under the root.

    Source: Zhao & Akoglu 2020, arXiv:1909.12223, eqs. 10 and 11.
    """
    weights = jnp.ones(x.shape[0], x.dtype) if mask is None else mask.astype(x.dtype)
    weights = weights / jnp.maximum(jnp.sum(weights), 1.0)
    centred = x - (weights @ x)[None]
    squares = jnp.sum(jnp.square(centred), axis=1, keepdims=True)
    if kind == "global":
        squares = (weights @ squares)[None]
    return scale * centred * jax.lax.rsqrt(squares + epsilon)


def dropout(key: Key[Array, ""], x: Any, rate: float) -> Any:
    """Zeroes entries with probability `rate` and scales the others by 1 / (1 - rate); of sparse features the values.

    The rate is rounded to a multiple of 1/256, and the scale with it: each random word of 32 bits serves four entries,
    since on a CPU a word for each entry costs a third of a training step.

    Raises:
        ValueError: a rate outside of [0, 1).
    """
    if isinstance(x, Sparse):
        return x.with_values(dropout(key, x.values, rate))
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate = {rate} must lie in [0, 1)")
    dropped = min(round(rate * 256), 255)
    words = jax.random.bits(key, (-(-x.size // 4),), jnp.uint32)
    kept = jax.lax.bitcast_convert_type(words, jnp.uint8).ravel()[: x.size].reshape(x.shape) >= dropped
    return jnp.where(kept, x * (256 / (256 - dropped)), 0.0)
