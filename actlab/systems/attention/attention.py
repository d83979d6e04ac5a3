"""Gated attention: softmax's place taken by a fixed gate, whose known threshold lets whole blocks be skipped."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from actlab.systems.attention import pallas_kernel
from actlab.systems.attention.block_bounds import largest_scores, score_bounds
from actlab.systems.attention.gate import Gate
from actlab.systems.attention.kernel import attend, pairs_of
from actlab.systems.attention.visibility import Visibility

Skip = Literal["bounds", "scores", "none"]
Scale = Literal["length", "sum"]
Kernel = Literal["auto", "loop", "pallas"]


def gated_attention(
    q: Float[Array, "batch queries heads d"],
    k: Float[Array, "batch keys groups d"],
    v: Float[Array, "batch keys groups e"],
    gate: Gate,
    *,
    causal: bool = False,
    window: int | None = None,
    keys: Bool[Array, "..."] | None = None,
    scale: Scale = "length",
    skip: Skip = "bounds",
    block: int = 128,
    kernel: Kernel = "auto",
) -> Float[Array, "batch queries heads e"]:
    """out_i = (1 / n_i) sum_j weight(q_i . k_j / sqrt(d)) v_j over the keys that query i sees.

    Whichever way blocks are skipped, values and gradients are bitwise equal to those without skipping.

    Args:
        q: queries; layout as `jax.nn.dot_product_attention`.
        k: keys; `heads` a multiple of `groups` (grouped queries: heads / groups heads share a group).
        v: values, finite.
        gate: see `actlab.systems.attention.gate`; its temperature of shape () or (heads,).
        causal: query i sees keys up to i; needs as many queries as keys.
        window: query i sees keys with |i - j| < window.
        keys: which keys exist (padding), of shape (batch, keys).
        scale: n_i is the number of visible keys ("length": Wortsman et al. 2023, arXiv:2309.08586), or the sum of the
            weights, at least 1e-6 ("sum").
        skip: blocks with a proved bound below the gate ("bounds"), or with no computed score above it ("scores", half
            of the forward cost, for when bounds prove nothing), or none but the invisible ones.
        block: queries, and keys, of a block.
        kernel: "loop" over a list of block pairs, in plain JAX; "pallas", for GPUs (float32; interpreted elsewhere);
            "auto" is pallas where the default backend is a GPU.

    Raises:
        ValueError: shapes that do not fit, or an unknown scale, skip or kernel.
        TypeError: no `Gate`, or dtypes that are not one floating dtype of at least 32 bits.

    Source: the gate as a half-line of scores and the block bounds are actlab's own; pointwise attention with 1 / L is
    Wortsman et al. 2023, "Replacing softmax with ReLU in vision transformers".
    """
    _check(q, k, v, gate, causal, window, keys, block)
    for name, value, known in (("scale", scale, Scale), ("skip", skip, Skip), ("kernel", kernel, Kernel)):
        _check_known(name, value, known)
    batch, queries, heads, _ = q.shape
    by_head, q_rows, k_rows, seen = laid_out(q, k, gate, causal, window, keys, block)
    v_rows = _heads_first(v, -v.shape[1] % block)
    if scale == "sum":  # one more value of 1 adds up the weights
        v_rows = jnp.concatenate([v_rows, jnp.ones((*v_rows.shape[:2], 1), v.dtype)], axis=-1)
    visit = _visited(by_head, q_rows, k_rows, seen, skip, block)
    gpu = jax.default_backend() == "gpu"
    if kernel == "pallas" or (kernel == "auto" and gpu):
        out = jnp.asarray(pallas_kernel.attend(block, not gpu, by_head, q_rows, k_rows, v_rows, seen, visit))
    else:
        out = jnp.asarray(attend(block, by_head, q_rows, k_rows, v_rows, seen, pairs_of(visit)))
    if scale == "sum":
        out = out[..., :-1] / jnp.maximum(out[..., -1:], 1e-6)
    out = jnp.moveaxis(out.reshape(batch, heads, -1, out.shape[-1]), 1, 2)[:, :queries]
    return out if scale == "sum" else out / visible_keys(queries, k.shape[1], causal, window, keys)[..., None, None]


def visited_blocks(
    q: Float[Array, "batch queries heads d"],
    k: Float[Array, "batch keys groups d"],
    gate: Gate,
    *,
    causal: bool = False,
    window: int | None = None,
    keys: Bool[Array, "..."] | None = None,
    skip: Skip = "bounds",
    block: int = 128,
) -> Bool[Array, "batch*heads row_blocks column_blocks"]:
    """Which blocks `gated_attention` visits under the same arguments; `skip="none"` gives the visible ones.

    Raises:
        ValueError: as `gated_attention` does.
        TypeError: likewise.
    """
    _check(q, k, k, gate, causal, window, keys, block)
    _check_known("skip", skip, Skip)
    return _visited(*laid_out(q, k, gate, causal, window, keys, block), skip, block)


def laid_out(
    q: Array, k: Array, gate: Gate, causal: bool, window: int | None, keys: Array | None, block: int
) -> tuple[Gate, Array, Array, Visibility]:
    """The gate with a temperature for each head, scaled queries and keys, heads first and padded, and who sees whom."""
    (batch, length, groups, _), heads, columns = k.shape, q.shape[2], -k.shape[1] % block
    if keys is None and columns:
        keys = jnp.ones((batch, length), bool)
    exist = None if keys is None else jnp.repeat(jnp.pad(keys, ((0, 0), (0, columns))), groups, axis=0)
    by_head = gate.at(jnp.tile(jnp.broadcast_to(gate.temperature, heads).astype(q.dtype), batch))
    q_rows = _heads_first(q / math.sqrt(q.shape[-1]), -q.shape[1] % block)
    return by_head, q_rows, _heads_first(k, columns), Visibility(exist, causal, window)


def visible_keys(
    queries: int, length: int, causal: bool, window: int | None, keys: Bool[Array, "batch keys"] | None
) -> Float[Array, "batch_or_1 queries"]:
    """How many keys each query sees, at least 1."""
    i = jnp.arange(queries)
    reach = length if window is None else window
    first, last = jnp.maximum(i - reach + 1, 0), jnp.minimum(i if causal else i + reach - 1, length - 1)
    if keys is None:
        return jnp.maximum(last - first + 1, 1)[None].astype(jnp.float32)
    before = jnp.pad(jnp.cumsum(keys, axis=1), ((0, 0), (1, 0)))
    return jnp.maximum(before[:, last + 1] - before[:, first], 1).astype(jnp.float32)


def _visited(gate: Gate, q: Array, k: Array, seen: Visibility, skip: Skip, block: int) -> Array:
    """Which blocks the kernel must visit, shape (heads, row_blocks, column_blocks)."""
    heads, rows, columns = q.shape[0], q.shape[1] // block, k.shape[1] // block
    visible = seen.blocks(rows, columns, block)
    visible = jnp.broadcast_to(jnp.repeat(visible, heads // visible.shape[0], axis=0), (heads, rows, columns))
    if skip == "none":
        return visible
    if skip == "bounds":
        largest = score_bounds(q, k, block)
    else:
        exists = None if seen.keys is None else jnp.repeat(seen.keys, heads // k.shape[0], axis=0)[:, None, :]

        def allowed(row: Array) -> Array:
            between = seen.between(row * block + jnp.arange(block), jnp.arange(k.shape[1]))[None]
            return between if exists is None else between & exists

        largest = largest_scores(q, k, allowed, block)
    return visible & ~(largest <= gate.least_score()[:, None, None])


def _heads_first(x: Array, padding: int) -> Array:
    """(batch, length, heads, d) as (batch * heads, length + padding, d)."""
    x = jnp.pad(x, ((0, 0), (0, padding), (0, 0), (0, 0)))
    return jnp.moveaxis(x, 2, 1).reshape(-1, x.shape[1], x.shape[3])


def _check(q: Any, k: Any, v: Any, gate: Any, causal: bool, window: Any, keys: Any, block: int) -> None:
    shapes = f"q {q.shape}, k {k.shape}, v {v.shape}"
    if not isinstance(gate, Gate):
        raise TypeError(f"gated_attention: gate = {gate!r} is not a Gate; make one: gate(gelu, threshold=0.5)")
    if not (q.ndim == k.ndim == v.ndim == 4) or k.shape[:3] != v.shape[:3] or q.shape[0] != k.shape[0]:
        raise ValueError(f"gated_attention: {shapes} must be (batch, length, heads, d), k and v alike but in d")
    if q.shape[-1] != k.shape[-1] or q.shape[2] % k.shape[2]:
        raise ValueError(f"gated_attention: {shapes}: q and k need equal d, and heads a multiple of the groups")
    if causal and q.shape[1] != k.shape[1]:
        raise ValueError(f"gated_attention: causal needs as many queries as keys, got {q.shape[1]} and {k.shape[1]}")
    if keys is not None and keys.shape != k.shape[:2]:
        raise ValueError(f"gated_attention: keys has shape {keys.shape}, must be (batch, keys) = {k.shape[:2]}")
    if window is not None and window < 1 or block < 1:
        raise ValueError(f"gated_attention: window = {window} and block = {block} must be at least 1")
    floating = jnp.issubdtype(q.dtype, jnp.floating)
    if len({x.dtype for x in (q, k, v)}) > 1 or not floating or q.dtype.itemsize < 4:
        raise TypeError(
            f"gated_attention: q, k, v are {q.dtype}, {k.dtype}, {v.dtype}; give all three as float32 (or float64): "
            "the bound on rounding is proved for sums in the inputs' own dtype"
        )


def _check_known(name: str, value: str, known: Any) -> None:
    if value not in get_args(known):
        raise ValueError(f"gated_attention: {name} = {value!r}; known: {', '.join(get_args(known))}")
