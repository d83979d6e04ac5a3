"""Threefry-2x32 with 20 rounds (Salmon et al. 2011), written out elementwise: the compiler fuses it with what uses it.

The same function as behind `jax.random`, which on a CPU computes it as a loop of kernels over whole arrays: four times
slower where every step of many short recurrences needs two numbers.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


def threefry(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[UInt32[Array, "*n"], UInt32[Array, "*n"]]:
    """Two random words from two key words and two counter words, elementwise; all uint32."""
    words = (*key, key[0] ^ key[1] ^ jnp.uint32(PARITY))
    a, b = counter[0] + key[0], counter[1] + key[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            a = a + b
            b = ((b << jnp.uint32(rotation)) | (b >> jnp.uint32(32 - rotation))) ^ a
        a, b = a + words[(group + 1) % 3], b + words[(group + 2) % 3] + jnp.uint32(group + 1)
    return a, b


def stream_keys(key: Array, dtype: Any) -> tuple[tuple[Array, Array], ...]:
    """The key words that `two_uniforms` needs in this dtype, from a key of any implementation."""
    streams = jax.random.bits(key, (1 if jnp.dtype(dtype).itemsize <= 4 else 2, 2), jnp.uint32)
    return tuple((stream[0], stream[1]) for stream in streams)


def two_uniforms(
    keys: tuple[tuple[Array, Array], ...], step: UInt32[Array, ""], lanes: UInt32[Array, " n"], dtype: Any
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Two independent uniform numbers in [0, 1) for each lane: multiples of 2^-24, in float64 of 2^-53.

    Args:
        keys: of `stream_keys`.
        step: each gives fresh numbers.
        lanes: likewise.
        dtype: float32 or float64.
    """
    words = [threefry(key, (jnp.broadcast_to(step, lanes.shape), lanes)) for key in keys]
    if len(words) == 1:
        return tuple((w >> jnp.uint32(8)).astype(dtype) * 2.0**-24 for w in words[0])  # pyright: ignore
    high, low = words
    return tuple(  # pyright: ignore
        ((h >> jnp.uint32(5)).astype(dtype) * 2.0**26 + (g >> jnp.uint32(6)).astype(dtype)) * 2.0**-53
        for h, g in zip(high, low, strict=True)
    )
