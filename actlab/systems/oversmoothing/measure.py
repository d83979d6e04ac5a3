"""How alike the nodes of a graph are, beside the effective rank of `actlab.signal`: measures blind to scale."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.data.graph import Graph
from actlab.signal.rank import over_largest


def dirichlet_energy(x: Float[Array, "nodes channels"], graph: Graph) -> Float[Array, ""]:
    """Tr(X^T (I - P) X) / |X|^2 with P = `graph.normalized()`: 0 where nodes differ by sqrt(degree + 1) alone; below 2.

    Source: Cai & Wang 2020, arXiv:2006.13318, definition 2.1, over the squared norm.
    """
    x = over_largest(x)
    return jnp.sum(x * (x - graph.normalized() @ x)) / jnp.sum(jnp.square(x))


def rank_one_distance(x: Float[Array, "nodes channels"]) -> Float[Array, ""]:
    """|X - its best rank-one approximation| / |X|, Frobenius: 0 where all nodes are multiples of one vector; below 1.

    Collapse to any one direction counts, where the Dirichlet energy sees collapse to one alone.

    Source: the idea is that of Roth 2024, arXiv:2407.11876; the distance here is the optimal one (Eckart & Young 1936).
    """
    squares = jnp.square(jnp.linalg.svdvals(over_largest(x)))
    return jnp.sqrt(jnp.sum(squares[1:]) / jnp.sum(squares))
