"""How alike the nodes of a graph are: three measures, all blind to scale."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.data.graph import Graph


def dirichlet_energy(x: Float[Array, "nodes channels"], graph: Graph) -> Float[Array, ""]:
    """Tr(X^T (I - P) X) / |X|^2 with P = `graph.normalized()`: 0 where nodes differ by sqrt(degree + 1) alone; below 2.

    Source: Cai & Wang 2020, arXiv:2006.13318, definition 2.1, over the squared norm.
    """
    x = _scaled(x)
    return jnp.sum(x * (x - graph.normalized() @ x)) / jnp.sum(jnp.square(x))


def effective_rank(x: Float[Array, "nodes channels"]) -> Float[Array, ""]:
    """Exponential of the entropy of the singular values' shares: 1 where nodes are multiples of one vector.

    Source: Roy & Vetterli 2007, The effective rank, definition 1.
    """
    values = jnp.linalg.svd(_scaled(x), compute_uv=False)
    shares = values / jnp.sum(values)
    return jnp.exp(jnp.sum(jax.scipy.special.entr(shares)))


def rank_one_distance(x: Float[Array, "nodes channels"]) -> Float[Array, ""]:
    """|X - its best rank-one approximation| / |X|, Frobenius: 0 where all nodes are multiples of one vector; below 1.

    Collapse to any one direction counts, where the Dirichlet energy sees collapse to one alone.

    Source: the idea is that of Roth 2024, arXiv:2407.11876; the distance here is the optimal one (Eckart & Young 1936).
    """
    squares = jnp.square(jnp.linalg.svd(_scaled(x), compute_uv=False))
    return jnp.sqrt(jnp.sum(squares[1:]) / jnp.sum(squares))


def _scaled(x: Array) -> Array:
    """Over its largest entry: squares of very small states would be 0."""
    largest = jnp.max(jnp.abs(x))
    return x / jnp.where(largest > 0, largest, 1.0)
