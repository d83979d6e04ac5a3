"""Total variation: least squares with a TV prior and no pixel below 0, by primal-dual hybrid gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.priors import forward_differences, squared_gradient
from actlab.systems.tomography.projector import backproject, project


def differences(image: Float[Array, "rows columns"]) -> Float[Array, "2 rows columns"]:
    """Forward differences down and right, 0 at the last row and column."""
    return jnp.stack(forward_differences(image))


def divergence(field: Float[Array, "2 rows columns"]) -> Float[Array, "rows columns"]:
    """The transpose of `differences`: the divergence of the field with its sign reversed."""
    down, right = field[0, :-1], field[1, :, :-1]
    rows = jnp.pad(down, ((1, 0), (0, 0))) - jnp.pad(down, ((0, 1), (0, 0)))
    return rows + jnp.pad(right, ((0, 0), (1, 0))) - jnp.pad(right, ((0, 0), (0, 1)))


def total_variation(image: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """The sum over the pixels of the length of the difference vector (isotropic TV)."""
    return jnp.sum(jnp.sqrt(squared_gradient(image)))


def operator_norm(geometry: Geometry, dtype: Any = jnp.float32, steps: int = 20) -> Float[Array, ""]:
    """The largest singular value of A, by the power method from the constant image."""

    def step(image: Array, _: None) -> tuple[Array, Array]:
        image = backproject(geometry, project(geometry, image))
        size = jnp.sqrt(jnp.sum(jnp.square(image)))
        return image / size, size

    image = jnp.full(geometry.shape, (geometry.shape[0] * geometry.shape[1]) ** -0.5, dtype)
    return jnp.sqrt(jax.lax.scan(step, image, None, length=steps)[1][-1])


def tv_pdhg(
    geometry: Geometry,
    integrals: Float[Array, "views bins"],
    strength: Any,
    steps: int,
    *,
    weight: Any = 1.0,
    lower: float | None = 0.0,
) -> tuple[Float[Array, "rows columns"], Float[Array, " steps"]]:
    """Minimizes sum weight (A x - p)^2 / 2 + strength sum |grad x| over x >= lower.

    Args:
        geometry: of the scan.
        integrals: line integrals p, dimensionless.
        strength: of the prior, mm: an image is in 1/mm. May be traced: vmap over it.
        steps: iterations.
        weight: of the squares: 0 for a ray held out; the counts, for squares that respect the noise.
        lower: bound of the pixels; None: none.

    Returns:
        The image, and the objective before each step, at the extrapolated image: it need not fall monotonically.

    Source: Chambolle & Pock 2011, J. Math. Imaging Vis. 40:120, Algorithm 1; Sidky, Jorgensen & Pan 2012, Phys. Med.
    Biol. 57:3065, Algorithm 4. As there, both operators are scaled to one norm.
    """
    dtype = integrals.dtype
    weight = jnp.broadcast_to(jnp.asarray(weight, dtype), integrals.shape)
    scale = operator_norm(geometry, dtype) / jnp.sqrt(jnp.asarray(8.0, dtype))  # |differences| <= sqrt(8)
    size = 1.0 / (scale * jnp.sqrt(jnp.asarray(16.0, dtype)))  # of both steps: the stacked norm is scale * 4

    def step(carry: tuple[Array, Array, Array, Array], _: None) -> tuple[Any, Array]:
        image, ahead, rays, field = carry
        residual = project(geometry, ahead) - integrals
        rays = weight * (rays + size * residual) / (weight + size)  # prox of the conjugate of the weighted squares
        field = field + size * scale * differences(ahead)
        length = jnp.sqrt(jnp.sum(jnp.square(field), axis=0, keepdims=True))
        bound = strength / scale
        # Without a prior the bound is 0, and so is the first field.
        field = field * bound / jnp.maximum(jnp.maximum(length, bound), jnp.finfo(dtype).tiny)
        moved = image - size * (backproject(geometry, rays) + scale * divergence(field))
        moved = moved if lower is None else jnp.maximum(moved, lower)
        objective = 0.5 * jnp.sum(weight * jnp.square(residual)) + strength * total_variation(ahead)
        return (moved, 2.0 * moved - image, rays, field), objective

    zero = jnp.zeros(geometry.shape, dtype)
    start = (zero, zero, jnp.zeros_like(integrals), jnp.zeros((2, *geometry.shape), dtype))
    (image, *_), objective = jax.lax.scan(step, start, None, length=steps)
    return image, objective
