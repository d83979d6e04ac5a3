"""Dense gated attention by einsum: what the block kernel is measured against, with all scores in memory at once."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from actlab.systems.attention.attention import Scale, visible_keys
from actlab.systems.attention.gate import Gate
from actlab.systems.attention.visibility import Visibility


def dense_attention(
    q: Float[Array, "batch queries heads d"],
    k: Float[Array, "batch keys groups d"],
    v: Float[Array, "batch keys groups e"],
    gate: Gate,
    *,
    causal: bool = False,
    window: int | None = None,
    keys: Bool[Array, "batch keys"] | None = None,
    scale: Scale = "length",
) -> Float[Array, "batch queries heads e"]:
    """As `gated_attention`, equal to it up to the order of summation; memory O(L^2)."""
    repeats = q.shape[2] // k.shape[2]
    k, v = (jnp.repeat(x, repeats, axis=2) for x in (k, v))
    highest = jax.lax.Precision.HIGHEST
    scores = jnp.einsum("bihd,bjhd->bhij", q / math.sqrt(q.shape[-1]), k, precision=highest)
    temperature = jnp.broadcast_to(gate.temperature, q.shape[2]).astype(q.dtype)[None, :, None, None]
    visible = Visibility(None, causal, window).between(jnp.arange(q.shape[1]), jnp.arange(k.shape[1]))[None, None]
    if keys is not None:
        visible = visible & keys[:, None, None, :]
    weights = jnp.where(visible, gate.at(temperature).weight(scores), 0.0)
    out = jnp.einsum("bhij,bjhe->bihe", weights, v, precision=highest)
    if scale == "sum":
        return out / jnp.maximum(jnp.moveaxis(weights.sum(axis=-1), 1, 2)[..., None], 1e-6)
    return out / visible_keys(q.shape[1], k.shape[1], causal, window, keys)[..., None, None]
