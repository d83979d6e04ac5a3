"""Filtered backprojection, of parallel and fan beams."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from actlab.systems.tomography.geometry import Geometry

WINDOWS: dict[str, Any] = {
    "ramp": lambda f: np.ones_like(f),
    "shepp-logan": lambda f: np.sinc(f / 2.0),
    "cosine": lambda f: np.cos(np.pi * f / 2.0),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(np.pi * f),
}
"""Name -> the factor on the ramp, of the frequency over the highest one."""


def filtered_backprojection(
    geometry: Geometry, integrals: Float[ArrayLike, "*batch views bins"], window: str = "ramp"
) -> Float[Array, "*batch rows columns"]:
    """The image (1/mm) whose line integrals these would be, were they complete and free of noise.

    The views must be equally spaced: over half a turn in a parallel beam, over a whole turn in a fan beam. The filter
    is the transform of the ramp's band-limited kernel, not the ramp itself, which would bias the mean.

    Raises:
        ValueError: no such window.

    Source: Kak & Slaney 1988, eqs. 3.61 (kernel), 3.109 to 3.112 (fan, flat detector).
    """
    if window not in WINDOWS:
        raise ValueError(f"no filter window {window!r}; known: {', '.join(WINDOWS)}")
    integrals = jnp.asarray(integrals)
    shrink = geometry.source_to_axis / geometry.source_to_detector if geometry.fan else 1.0
    width = geometry.bin_width * shrink  # of a bin where the axis is
    if geometry.fan:
        s = (jnp.arange(geometry.bins, dtype=integrals.dtype) - geometry.centre) * width
        weight = geometry.source_to_axis / jnp.sqrt(geometry.source_to_axis**2 + jnp.square(s))
        integrals = integrals * weight.astype(integrals.dtype).reshape((1,) * (integrals.ndim - 1) + (-1,))
    filtered = _ramp_filtered(integrals, width, window)
    flat = filtered.reshape(-1, *geometry.sinogram_shape)
    images = jax.vmap(lambda one: _smeared(geometry, one))(flat) * (np.pi / geometry.views)
    return images.reshape(*integrals.shape[:-2], *geometry.shape)


def ramp_kernel(bins: int, width: float) -> Float[np.ndarray, " lags"]:
    """The band-limited ramp at lags 0 to bins - 1: 1 / (4 d^2), then -1 / (pi n d)^2 at odd n."""
    lags = np.arange(bins)
    odd = np.where(lags % 2 == 1, -1.0 / (np.pi * np.maximum(lags, 1) * width) ** 2, 0.0)
    return np.where(lags == 0, 1.0 / (4.0 * width**2), odd)


def _ramp_filtered(integrals: Array, width: float, window: str) -> Array:
    bins = integrals.shape[-1]
    length = 2 ** int(np.ceil(np.log2(2 * bins)))
    kernel = np.zeros(length)
    kernel[:bins] = ramp_kernel(bins, width)
    kernel[length - bins + 1 :] = kernel[bins - 1 : 0 : -1]
    response = np.fft.rfft(kernel).real * WINDOWS[window](np.linspace(0.0, 1.0, length // 2 + 1)) * width
    spectrum = jnp.fft.rfft(integrals, length) * jnp.asarray(response, integrals.dtype).reshape(
        (1,) * (integrals.ndim - 1) + (-1,)
    )
    return jnp.fft.irfft(spectrum, length)[..., :bins].astype(integrals.dtype)


def _smeared(geometry: Geometry, filtered: Float[Array, "views bins"]) -> Float[Array, "rows columns"]:
    """The sum over views of what the ray through each pixel's middle measured, linear between bins."""
    dtype, (rows, columns) = filtered.dtype, geometry.shape
    x = (jnp.arange(columns, dtype=dtype) - (columns - 1) / 2)[None, :] * geometry.pixel
    y = ((rows - 1) / 2 - jnp.arange(rows, dtype=dtype))[:, None] * geometry.pixel
    padded = jnp.pad(filtered, ((0, 0), (1, 2)))
    centre = jnp.asarray(geometry.centre, dtype)

    def one_view(image: Array, inputs: tuple[Array, Array]) -> tuple[Array, None]:
        angle, row = inputs
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        s, near = x * cos + y * sin, jnp.ones((), dtype)
        if geometry.fan:
            distance = geometry.source_to_axis + y * cos - x * sin
            near, s = geometry.source_to_axis / distance, geometry.source_to_detector * s / distance
        u = jnp.clip(s / geometry.bin_width + centre, -1.0, geometry.bins)
        first = jnp.floor(u)
        index = first.astype(jnp.int32) + 1
        low, high = (row.at[index + k].get(mode="promise_in_bounds") for k in (0, 1))
        return image + jnp.square(near) * (low + (u - first) * (high - low)), None

    angles = jnp.asarray(geometry.angles, dtype)
    return jax.lax.scan(one_view, jnp.zeros(geometry.shape, dtype), (angles, padded))[0]
