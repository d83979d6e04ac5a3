"""Passages of a text, whose every next character is to be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Passages:
    """A text to draw passages from.

    Attributes:
        text: int32 (characters,), more than `length`.
        length: of a passage.
        vocabulary: how many characters there are.
    """

    text: Any
    length: int = field(metadata={"static": True})
    vocabulary: int = field(metadata={"static": True})

    def __post_init__(self) -> None:
        shape = getattr(self.text, "shape", None)
        if shape and shape[0] <= self.length:
            raise ValueError(f"Passages: a text of {shape[0]} characters is too short for passages of {self.length}")

    def draw(
        self, key: Key[Array, ""], count: int
    ) -> tuple[Int[Array, "count length"], Int[Array, "count length"], Bool[Array, "count length"]]:
        """Characters, those that follow them, and that all count; passages start anywhere."""
        return self.at(jax.random.randint(key, (count,), 0, self.text.shape[0] - self.length))

    def spread(
        self, count: int
    ) -> tuple[Int[Array, "count length"], Int[Array, "count length"], Bool[Array, "count length"]]:
        """So many passages at equal distances, the same at each call: to judge by."""
        last = self.text.shape[0] - self.length - 1
        return self.at(jnp.linspace(0, last, count).astype(jnp.int32))

    def at(
        self, starts: Int[Array, " count"]
    ) -> tuple[Int[Array, "count length"], Int[Array, "count length"], Bool[Array, "count length"]]:
        """The passages that start there."""
        both = jax.vmap(lambda s: jax.lax.dynamic_slice(jnp.asarray(self.text), (s,), (self.length + 1,)))(starts)
        return both[:, :-1], both[:, 1:], jnp.ones((starts.shape[0], self.length), bool)
