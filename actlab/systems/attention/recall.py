"""Multi-query associative recall: keys with values, then keys again, whose values must be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key


@dataclass(frozen=True)
class Recall:
    """The task, drawn afresh from a key.

    Attributes:
        length: of a sequence, even.
        pairs: of key and value at the sequence's start; each key is asked once later.
        vocabulary: tokens; 0 is blank, the others of the first half are keys, the second half values.
        skew: a > 0 of the density a x^(a - 1) of the positions where keys are asked again: the smaller, the nearer the
            start.
        fill: the other tokens: "random" ones, which with a small vocabulary repeat keys and so contradict some answers,
            or "blank", one token that is neither key nor value, so that every answer can be known.

    Source: Arora et al. 2023, "Zoology", arXiv:2312.04927, definition 3.1 and appendix E (positions by a power law of
    exponent 0.01, the other tokens random).
    """

    length: int = 64
    pairs: int = 4
    vocabulary: int = 256
    skew: float = 0.01
    fill: Literal["random", "blank"] = "random"

    def __post_init__(self) -> None:
        if self.length % 2 or not 0 < 4 * self.pairs <= self.length or self.vocabulary < 2 * self.pairs + 2:
            raise ValueError(
                f"Recall: length = {self.length} must be even and at least 4 * pairs = {4 * self.pairs}, "
                f"vocabulary = {self.vocabulary} at least 2 * pairs + 2"
            )
        if not self.skew > 0:
            raise ValueError(f"Recall: skew = {self.skew} must be positive")

    def draw(
        self, key: Key[Array, ""], count: int
    ) -> tuple[Int[Array, "count length"], Int[Array, "count length"], Bool[Array, "count length"]]:
        """Tokens, targets, and which targets count: the values of the keys that are asked."""
        return jax.vmap(self._one)(jax.random.split(key, count))

    def _one(self, key: Key[Array, ""]) -> tuple[Array, Array, Array]:
        which, what, where, rest = jax.random.split(key, 4)
        half, slots = self.vocabulary // 2, (self.length - 2 * self.pairs) // 2
        keys = 1 + jax.random.permutation(which, half - 1)[: self.pairs]
        values = jax.random.randint(what, (self.pairs,), half, self.vocabulary)
        weights = self.skew * jnp.arange(1, slots + 1) ** (self.skew - 1.0)
        asked = jax.random.choice(where, slots, (self.pairs,), replace=False, p=weights / jnp.sum(weights))
        places = 2 * self.pairs + 2 * asked
        tokens = jax.random.randint(rest, (self.length,), 0, self.vocabulary if self.fill == "random" else 1)
        tokens = tokens.at[: 2 * self.pairs].set(jnp.stack([keys, values], axis=1).ravel())
        tokens = tokens.at[places].set(keys)
        targets = jnp.zeros(self.length, tokens.dtype).at[places].set(values)
        return tokens, targets, jnp.zeros(self.length, bool).at[places].set(True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Drawn:
    """Sequences drawn beforehand, to be met in random order, some again: programs that draw less compile sooner.

    Attributes:
        tokens: int32 (rows, length).
        targets: int32 (rows, length).
        counted: bool (rows, length), which targets count.
        vocabulary: how many tokens there are.
    """

    tokens: Any
    targets: Any
    counted: Any
    vocabulary: int = field(metadata={"static": True})

    @classmethod
    def of(cls, task: Recall, key: Key[Array, ""], rows: int) -> Drawn:
        """So many sequences of the task."""
        tokens, targets, counted = jax.jit(task.draw, static_argnums=1)(key, rows)
        return cls(tokens, targets, counted, task.vocabulary)

    def draw(
        self, key: Key[Array, ""], count: int
    ) -> tuple[Int[Array, "count length"], Int[Array, "count length"], Bool[Array, "count length"]]:
        """So many of them, with replacement."""
        rows = jax.random.randint(key, (count,), 0, self.tokens.shape[0])
        return self.tokens[rows], self.targets[rows], self.counted[rows]
