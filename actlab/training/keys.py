"""PRNG keys as the integers that they are, for what handles plain arrays alone: files, hosts, other processes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def is_key(leaf: Any) -> bool:
    """Whether the leaf is an array of typed PRNG keys."""
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)


def without_key(leaf: Any) -> Any:
    """The integers of keys, with one axis more; any other leaf as it is."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def as_key_of(original: Any, leaf: Any) -> Any:
    """The reverse of `without_key`: keys of the original's kind where that holds keys, else the leaf as it is."""
    return jax.random.wrap_key_data(leaf, impl=jax.random.key_impl(original)) if is_key(original) else leaf
