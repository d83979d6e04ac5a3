"""Visibility: which keys a query may attend to at all, by causality, a window and padding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Visibility:
    """Query i sees key j where all of this holds.

    Attributes:
        keys: key j exists, bool of shape (groups, keys), or None for all: padding, or rows of different lengths.
        causal: j <= i.
        window: |i - j| < window, or None for no window.
    """

    keys: Any = None
    causal: bool = field(default=False, metadata={"static": True})
    window: int | None = field(default=None, metadata={"static": True})

    def between(self, rows: Int[Array, " rows"], columns: Int[Array, " columns"]) -> Bool[Array, "rows columns"]:
        """What causality and window allow between these queries and keys."""
        distance = rows[:, None] - columns[None, :]
        seen = jnp.ones(distance.shape, bool)
        if self.causal:
            seen = seen & (distance >= 0)
        if self.window is not None:
            seen = seen & (jnp.abs(distance) < self.window)
        return seen

    def blocks(self, rows: int, columns: int, block: int) -> Bool[Array, "groups row_blocks column_blocks"]:
        """Which blocks hold a visible pair, as far as blocks can tell: never false where one does."""
        i, j = jnp.arange(rows) * block, jnp.arange(columns) * block
        nearest = i[:, None] - j[None, :]  # between the first query and the first key of each block
        seen = jnp.ones(nearest.shape, bool)
        if self.causal:
            seen = seen & (nearest >= 1 - block)
        if self.window is not None:
            seen = seen & (jnp.abs(nearest) < self.window + block - 1)
        if self.keys is None:
            return seen[None]
        return seen[None] & self.keys.reshape(self.keys.shape[0], 1, -1, block).any(axis=-1)
