"""Regression rows with known truth, and their contamination with gross outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Kind = Literal["one-sided", "symmetric", "leverage"]
FRIEDMAN_INPUTS = 10
"""Five that matter and five that do not."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rows:
    """Inputs and targets of a regression.

    Attributes:
        x: inputs, Float[Array, "*batch rows inputs"].
        y: targets, Float[Array, "*batch rows"].
        corrupted: Bool[Array, "*batch rows"], which rows `contaminate` changed: to measure with, never to fit with.
    """

    x: Any
    y: Any
    corrupted: Any

    @classmethod
    def clean(cls, x: Any, y: Any) -> Rows:
        """Rows as they were measured, none corrupted."""
        x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
        return cls(x, y, jnp.zeros(y.shape, bool))


def friedman1_mean(x: Float[Array, "rows inputs"]) -> Float[Array, " rows"]:
    """10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5.

    Source: Friedman 1991, Annals of Statistics 19(1), eq. 61.
    """
    return (
        10.0 * jnp.sin(jnp.pi * x[:, 0] * x[:, 1]) + 20.0 * jnp.square(x[:, 2] - 0.5) + 10.0 * x[:, 3] + 5.0 * x[:, 4]
    )


def friedman1(key: Key[Array, ""], rows: int, noise: float = 1.0) -> Rows:
    """Rows of the first problem of Friedman: ten inputs uniform on [0, 1], Gaussian noise of this deviation.

    scikit-learn's `make_friedman1` has the same distribution; this one is a function of a key, to be vmapped.
    """
    x_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(x_key, (rows, FRIEDMAN_INPUTS))
    y = friedman1_mean(x) + noise * jax.random.normal(noise_key, (rows,))
    return Rows(x, y, jnp.zeros(rows, bool))


def contaminate(
    key: Key[Array, ""],
    rows: Rows,
    fraction: Float[Array, ""] | float,
    *,
    kind: Kind = "one-sided",
    size: tuple[float, float] = (10.0, 20.0),
) -> Rows:
    """Moves the targets of a fraction of the rows, chosen at random, by `size` standard deviations of the targets.

    Args:
        key: of the choice and the moves; the rows chosen for a smaller fraction are among those for a larger one.
        rows: clean ones.
        fraction: in [0, 1]; `round(fraction * rows)` rows are changed. May be traced: vmap over it.
        kind: "one-sided" adds the move, "symmetric" adds or subtracts it with equal chance, "leverage" adds it to the
            target and moves all inputs of the row by as many of their standard deviations, to the same far corner.
        size: the least and the largest move, drawn uniformly between.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in ("one-sided", "symmetric", "leverage"):
        raise ValueError(f"contaminate: kind = {kind!r}; known: 'one-sided', 'symmetric', 'leverage'")
    choice_key, size_key, sign_key = jax.random.split(key, 3)
    n = rows.y.shape[0]
    corrupted = jax.random.permutation(choice_key, n) < jnp.round(jnp.asarray(fraction) * n)
    move = jax.random.uniform(size_key, (n,), minval=size[0], maxval=size[1]) * corrupted
    sign = jax.random.rademacher(sign_key, (n,), jnp.float32) if kind == "symmetric" else 1.0
    x = rows.x + move[:, None] * jnp.std(rows.x, axis=0)[None, :] if kind == "leverage" else rows.x
    return Rows(x, rows.y + sign * move * jnp.std(rows.y), corrupted)
