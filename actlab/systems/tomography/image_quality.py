"""How good an image is: PSNR, SSIM, and what nonnegativity is about: negative pixels, and bias where nothing is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Image = Float[Array, "*batch rows columns"]


def psnr(image: Image, truth: Float[Array, "rows columns"]) -> Float[Array, "*batch"]:
    """Peak signal-to-noise ratio, dB; the peak is the range of the truth."""
    error = jnp.mean(jnp.square(image - truth.reshape((1,) * (image.ndim - 2) + truth.shape)), axis=(-2, -1))
    return 10.0 * jnp.log10(jnp.square(jnp.max(truth) - jnp.min(truth)) / error)


def ssim(image: Image, truth: Float[Array, "rows columns"], sigma: float = 1.5) -> Float[Array, "*batch"]:
    """Structural similarity: Gaussian window of 11 x 11, K = (0.01, 0.03), mean over the windows inside the image.

    Source: Wang, Bovik, Sheikh & Simoncelli 2004, IEEE Trans. Image Process. 13:600, eq. 13.
    """
    lags = np.arange(-5, 6)
    window = np.exp(-0.5 * (lags / sigma) ** 2)
    window = jnp.asarray(window / window.sum(), image.dtype)
    peak = jnp.max(truth) - jnp.min(truth)
    c1, c2 = jnp.square(0.01 * peak), jnp.square(0.03 * peak)

    def blurred(values: Array) -> Array:
        for axis in (0, 1):
            values = jax.vmap(lambda v: jnp.convolve(v, window, mode="valid"), axis, axis)(values)
        return values

    def one(image: Array) -> Array:
        mean, true_mean = blurred(image), blurred(truth)
        variance = blurred(jnp.square(image)) - jnp.square(mean)
        true_variance = blurred(jnp.square(truth)) - jnp.square(true_mean)
        covariance = blurred(image * truth) - mean * true_mean
        top = (2.0 * mean * true_mean + c1) * (2.0 * covariance + c2)
        return jnp.mean(top / ((jnp.square(mean) + jnp.square(true_mean) + c1) * (variance + true_variance + c2)))

    flat = image.reshape(-1, *image.shape[-2:])
    return jax.vmap(one)(flat).reshape(image.shape[:-2])


def negative_share(image: Image) -> Float[Array, "*batch"]:
    """The share of pixels below 0."""
    return jnp.mean(image < 0, axis=(-2, -1))


def bias_where(image: Image, truth: Float[Array, "rows columns"], at: Float[Array, "rows columns"]) -> Array:
    """The mean of image - truth over the pixels marked 1; nan where none is."""
    marked = at.reshape((1,) * (image.ndim - 2) + at.shape)
    difference = image - truth.reshape((1,) * (image.ndim - 2) + truth.shape)
    return jnp.sum(marked * difference, axis=(-2, -1)) / jnp.sum(at)
