"""How much a gradient map can change: bounded by facts, found by search."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.bounds import hessian_bound
from actlab.bounds.graph import Network
from actlab.systems.saliency.attribution import Score, gradient


def gradient_lipschitz(net: Network, row: Float[Array, " outputs"]) -> Float[Array, ""]:
    """K with |grad F(x) - grad F(x')| <= K |x - x'| for all x, x', F the row's combination of outputs.

    Proved from the activations' slope and curvature bounds and the layers' norms, rounding covered.

    Raises:
        FactError: an activation whose slope has a kink: there the gradient jumps, and no such K exists.
    """
    return hessian_bound(net, row[None])[0]


def largest_change(
    score: Score,
    x: Float[Array, "batch *shape"],
    key: Key[Array, ""],
    *,
    radius: float = 0.1,
    steps: int = 20,
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """Searches a point x' within the l2 radius where |grad F(x') - grad F(x)| / |x' - x| is large, by ascent.

    Returns:
        The largest ratio that was met, and the distance at which: a lower bound of every valid K.
    """
    axes, own = tuple(range(1, x.ndim)), gradient(score, x)

    def norm(v: Array) -> Array:
        return jnp.sqrt(jnp.sum(jnp.square(v), axis=axes, keepdims=True))

    def ratio(moved: Array) -> Array:
        return norm(gradient(score, x + moved) - own) / norm(moved)

    def step(carry: tuple[Array, Array, Array], _: Any) -> tuple[tuple[Array, Array, Array], None]:
        moved, best, where = carry
        found = ratio(moved)
        better = found > best
        best, where = jnp.where(better, found, best), jnp.where(better, norm(moved), where)
        uphill = jax.grad(lambda m: jnp.sum(ratio(m)))(moved)
        size = norm(uphill)
        moved = moved + 0.2 * radius * jnp.where(size > 0, uphill / jnp.where(size > 0, size, 1), 0)
        length = norm(moved)
        return (moved * jnp.clip(length, 0.01 * radius, radius) / length, best, where), None

    start = jax.random.normal(key, x.shape, x.dtype)
    start = 0.5 * radius * start / norm(start)
    zero = jnp.zeros_like(norm(start))
    (_, best, where), _ = jax.lax.scan(step, (start, zero, zero), length=steps)
    return best.reshape(-1), where.reshape(-1)
