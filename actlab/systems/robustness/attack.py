"""Projected gradient descent, the falsifier of certificates: what it breaks is not robust."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

Norm = Literal["l2", "linf"]
NORMS: tuple[str, ...] = ("l2", "linf")
INSIDE = 1e-6
"""Relative distance kept from the ball's boundary, so that a rounded step does not leave it."""


@dataclass(frozen=True)
class Attack:
    """How hard to try.

    Attributes:
        steps: of gradient descent on the margin.
        restarts: random starting points in the ball, besides its centre.
        step: length of the first step in radii; it falls linearly to a tenth.
    """

    steps: int = 20
    restarts: int = 2
    step: float = 0.5


USUAL = Attack()


def margin(logits: Float[Array, "batch classes"], y: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """The logit of the class y less the largest other: positive where the net is right."""
    own = jnp.arange(logits.shape[-1])[None, :] == y[:, None]
    right = jnp.sum(jnp.where(own, logits, 0.0), axis=-1)
    return right - jnp.max(jnp.where(own, -jnp.inf, logits), axis=-1)


def project(
    change: Float[Array, "batch *shape"], radius: Float[Array, ""] | float, norm: Norm
) -> Float[Array, "batch *shape"]:
    """The nearest change in the ball of this radius, example by example.

    Raises:
        ValueError: an unknown norm.
    """
    radius = jnp.asarray(radius, change.dtype) * (1 - INSIDE)
    if norm == "linf":
        return jnp.clip(change, -radius, radius)
    if norm == "l2":
        return change * jnp.minimum(1.0, radius / jnp.maximum(_length(change), 1e-30))
    raise ValueError(f"norm = {norm!r}; known: {', '.join(NORMS)}")


def attacked(
    logits: Callable[[Any], Any],
    x: Float[Array, "batch *shape"],
    y: Int[Array, " batch"],
    radius: Float[Array, ""] | float,
    norm: Norm,
    key: Key[Array, ""],
    attack: Attack = USUAL,
) -> tuple[Float[Array, "batch *shape"], Bool[Array, " batch"]]:
    """Searches the ball of each example, within [0, 1], for an input that the net classifies wrongly.

    Args:
        logits: the net.
        x: inputs in [0, 1].
        y: their classes.
        radius: of the balls, not negative; may be traced.
        norm: in which they are balls.
        key: of the random starts.
        attack: how hard to try.

    Returns:
        The input of the smallest margin found for each example, the clean one among the candidates, and whether the
        net is wrong there.

    Source: Madry et al. 2018, arXiv:1706.06083; the margin as objective: Carlini & Wagner 2017, arXiv:1608.04644.
    """
    slope = jax.grad(lambda v: jnp.sum(margin(logits(v), y)))

    def inside(v: Array) -> Array:
        # Clipping towards x, which lies in [0, 1], does not lengthen the change.
        return jnp.clip(x + project(v - x, radius, norm), 0.0, 1.0)

    def better(best: tuple[Array, Array], v: Array) -> tuple[Array, Array]:
        found = margin(logits(v), y)
        take = found < best[1]
        return jnp.where(_as(take, x), v, best[0]), jnp.where(take, found, best[1])

    def descend(carry: tuple[Array, tuple[Array, Array]], size: Array) -> tuple[Any, None]:
        v, best = carry
        v = inside(v - size * radius * _direction(slope(v), norm))
        return (v, better(best, v)), None

    sizes = attack.step * jnp.linspace(1.0, 0.1, attack.steps)

    def restart(best: tuple[Array, Array], start: Array) -> tuple[tuple[Array, Array], None]:
        (_, best), _ = jax.lax.scan(descend, (start, better(best, start)), sizes)
        return best, None

    noise = jax.random.uniform(key, (attack.restarts, *x.shape), x.dtype, -1.0, 1.0)
    starts = jnp.concatenate([x[None], jax.vmap(lambda n: inside(x + radius * _spread(n, norm)))(noise)])
    (best, found), _ = jax.lax.scan(restart, (x, margin(logits(x), y)), starts)
    return best, ~(found > 0)


def _length(v: Array) -> Array:
    """Euclidean lengths, example by example, with axes to broadcast."""
    return jnp.sqrt(jnp.sum(jnp.square(v), axis=tuple(range(1, v.ndim)), keepdims=True))


def _direction(slope: Array, norm: Norm) -> Array:
    """The direction of length one in which the margin rises fastest, to first order."""
    return jnp.sign(slope) if norm == "linf" else slope / jnp.maximum(_length(slope), 1e-30)


def _spread(noise: Array, norm: Norm) -> Array:
    """Random changes in the unit ball: uniform in a box, or of random direction and full length."""
    return noise if norm == "linf" else noise / jnp.maximum(_length(noise), 1e-30)


def _as(flags: Array, x: Array) -> Array:
    return flags.reshape(-1, *(1,) * (x.ndim - 1))
