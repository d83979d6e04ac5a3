"""How many directions the rows of a layer's values span, blind to their scale."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def effective_rank(features: Float[Array, "*batch rows units"]) -> Float[Array, "*batch"]:
    """The exponential of the entropy of the singular values' shares: from 1 to the smaller dimension; 0 for zeros.

    1 where all rows are multiples of one vector.

    Source: Roy & Vetterli 2007, The effective rank, definition 1.
    """
    values = jnp.linalg.svdvals(over_largest(features))
    total = jnp.sum(values, -1, keepdims=True)
    entropy = jnp.sum(jax.scipy.special.entr(values / jnp.where(total == 0, 1, total)), -1)
    return jnp.where(total[..., 0] == 0, 0, jnp.exp(entropy))


def stable_rank(features: Float[Array, "*batch rows units"]) -> Float[Array, "*batch"]:
    """The squared Frobenius norm over the squared largest singular value; 0 for zeros.

    Source: Rudelson & Vershynin 2007, Journal of the ACM 54(4).
    """
    squares = jnp.square(jnp.linalg.svdvals(over_largest(features)))
    largest = squares[..., 0]
    return jnp.sum(squares, -1) / jnp.where(largest == 0, 1, largest)


def over_largest(x: Float[Array, "*batch rows units"]) -> Float[Array, "*batch rows units"]:
    """Each matrix over its largest entry in absolute value: squares of very small values would be 0."""
    largest = jnp.max(jnp.abs(x), (-2, -1), keepdims=True)
    return x / jnp.where(largest == 0, 1, largest)
