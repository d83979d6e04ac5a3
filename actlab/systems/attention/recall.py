"""Multi-query associative recall: keys with values, then keys again, whose values must be told."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key


@dataclass(frozen=True)
class Recall:
    """The task, drawn afresh from a key.

    Attributes:
        length: of a sequence, even.
        pairs: of key and value at the sequence's start; each key is asked once later.
        vocabulary: tokens; the first half are keys, the second values.
        skew: exponent of the positions where keys are asked again; small ones are near the start.

    Source: Arora et al. 2023, "Zoology", arXiv:2312.04927, definition 3.1 and appendix E (positions by a power law of
    exponent 0.01, the other tokens random).
    """

    length: int = 64
    pairs: int = 4
    vocabulary: int = 256
    skew: float = 0.01

    def __post_init__(self) -> None:
        if self.length % 2 or not 0 < 4 * self.pairs <= self.length or self.vocabulary < 2 * self.pairs + 2:
            raise ValueError(
                f"Recall: length = {self.length} must be even and at least 4 * pairs = {4 * self.pairs}, "
                f"vocabulary = {self.vocabulary} at least 2 * pairs + 2"
            )

    def draw(
        self, key: Key[Array, ""], count: int
    ) -> tuple[Int[Array, "count length"], Int[Array, "count length"], Bool[Array, "count length"]]:
        """Tokens, targets, and which targets count: the values of the keys that are asked."""
        return jax.vmap(self._one)(jax.random.split(key, count))

    def _one(self, key: Key[Array, ""]) -> tuple[Array, Array, Array]:
        which, what, where, rest = jax.random.split(key, 4)
        half, slots = self.vocabulary // 2, (self.length - 2 * self.pairs) // 2
        keys = jax.random.permutation(which, half)[: self.pairs]
        values = jax.random.randint(what, (self.pairs,), half, self.vocabulary)
        weights = self.skew * jnp.arange(1, slots + 1) ** (self.skew - 1.0)
        asked = jax.random.choice(where, slots, (self.pairs,), replace=False, p=weights / jnp.sum(weights))
        places = 2 * self.pairs + 2 * asked
        tokens = jax.random.randint(rest, (self.length,), 0, self.vocabulary)
        tokens = tokens.at[: 2 * self.pairs].set(jnp.stack([keys, values], axis=1).ravel())
        tokens = tokens.at[places].set(keys)
        targets = jnp.zeros(self.length, tokens.dtype).at[places].set(values)
        return tokens, targets, jnp.zeros(self.length, bool).at[places].set(True)
