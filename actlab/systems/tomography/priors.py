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


def log_tv(epsilon: float = 0.02, width: float = 0.1, *, turned: bool = False) -> Prior:
    """Sum of width log(1 + |grad x| / width), smoothed: small steps cost as in TV, large ones hardly more; not convex.

    An edge costs only the logarithm of its height, so flat regions are kept flat without lowering what stands out.

    Args:
        epsilon: below which a step is rounded off.
        width: the wider, the nearer to TV.
        turned: the mean over the pairs of differences at right angles, four along the axes and two along the diagonals,
            in place of the one pair down and right: the price of an edge hangs less on its direction.

    Source: Candes, Wakin & Boyd 2008, J. Fourier Anal. Appl. 14:877, eq. 2.10 (what reweighted TV minimizes); Condat
    2017, SIAM J. Imaging Sci. 10:1258, section 2 (how the forward differences of TV prefer directions).
    """

    def price(squares: Array) -> Array:
        length = jnp.sqrt(squares + epsilon**2) - epsilon
        return width * jnp.sum(jnp.log1p(length / width), axis=(-2, -1))

    def prior(image: Array) -> Array:
        if not turned:
            return price(squared_gradient(image))
        upright = [image, image[..., ::-1, :], image[..., ::-1], image[..., ::-1, ::-1]]
        along = jnp.stack([price(squared_gradient(i)) for i in upright])
        across = jnp.stack([price(_squared_diagonals(i)) for i in upright[:2]])
        return (jnp.mean(along, axis=0) + jnp.mean(across, axis=0)) / 2

    return prior


def quadratic(image: Float[Array, "*batch rows columns"]) -> Float[Array, "*batch"]:
    """Half the sum of |grad x|^2: smooth images are cheap."""
    return 0.5 * jnp.sum(squared_gradient(image), axis=(-2, -1))


def squared_gradient(image: Float[Array, "*batch rows columns"]) -> Float[Array, "*batch rows columns"]:
    """The squared length of the forward differences."""
    down, right = forward_differences(image)
    return jnp.square(down) + jnp.square(right)


def forward_differences(
    image: Float[Array, "*batch rows columns"],
) -> tuple[Float[Array, "*batch rows columns"], Float[Array, "*batch rows columns"]]:
    """Of each pixel to the one below and to the one on the right, 0 at the last row and column."""
    down = jnp.diff(image, axis=-2, append=image[..., -1:, :])
    right = jnp.diff(image, axis=-1, append=image[..., :, -1:])
    return down, right


def _squared_diagonals(image: Array) -> Array:
    """As `squared_gradient`, from the pixel of the row above on the left and on the right; without the border."""
    here, above = image[..., 1:, 1:-1], image[..., :-1, :]
    return (jnp.square(here - above[..., :-2]) + jnp.square(here - above[..., 2:])) / 2
