"""Priors of an image: penalties on the differences between neighbouring pixels, convex and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

Prior = Callable[[Any], Any]
"""Image in units of its typical value, shape (*batch, rows, columns) -> penalty, shape (*batch,)."""


def smoothed_tv(epsilon: float = 0.02) -> Prior:
    """Total variation made differentiable: sum sqrt(|grad x|^2 + epsilon^2) - epsilon; convex.

    Source: Rudin, Osher & Fatemi 1992, Physica D 60:259; smoothed as in Vogel & Oman 1996, SIAM J. Sci. Comput. 17:227.
    """
    return lambda image: jnp.sum(jnp.sqrt(squared_gradient(image) + epsilon**2) - epsilon, axis=(-2, -1))


def log_tv(epsilon: float = 0.02, width: float = 0.1) -> Prior:
    """Sum of width log(1 + |grad x| / width), smoothed: small steps cost as in TV, large ones hardly more; not convex.

    An edge costs only the logarithm of its height, so flat regions are kept flat without lowering what stands out.

    Source: Candes, Wakin & Boyd 2008, J. Fourier Anal. Appl. 14:877, eq. 2.10 (what reweighted TV minimizes).
    """

    def prior(image: Array) -> Array:
        length = jnp.sqrt(squared_gradient(image) + epsilon**2) - epsilon
        return width * jnp.sum(jnp.log1p(length / width), axis=(-2, -1))

    return prior


def quadratic(image: Float[Array, "*batch rows columns"]) -> Float[Array, "*batch"]:
    """Half the sum of |grad x|^2: smooth images are cheap."""
    return 0.5 * jnp.sum(squared_gradient(image), axis=(-2, -1))


def squared_gradient(image: Float[Array, "*batch rows columns"]) -> Float[Array, "*batch rows columns"]:
    """The squared length of the forward differences, 0 across the last row and column."""
    down = jnp.diff(image, axis=-2, append=image[..., -1:, :])
    right = jnp.diff(image, axis=-1, append=image[..., :, -1:])
    return jnp.square(down) + jnp.square(right)
