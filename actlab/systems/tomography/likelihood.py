"""Transmission maximum likelihood: a monotone iteration for photon counts, by paraboloidal surrogates."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.tomography.counts import Exposure, expected, negative_log_likelihood
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.projector import backproject, project


def transmission_ml(
    geometry: Geometry, exposure: Exposure, steps: int, *, start: Any = None
) -> tuple[Float[Array, "rows columns"], Float[Array, " steps"]]:
    """The image that makes the counts most likely, with no pixel below 0: separable paraboloidal surrogates.

    Each step minimizes a parabola in every pixel that lies above the negative log-likelihood and touches it, so the
    likelihood never falls, whatever the counts. Without a prior the image grows noisy: stop early, on held-out rays.

    Args:
        geometry: of the scan.
        exposure: counts; rays of weight 0 are not fitted.
        steps: iterations.
        start: image, not negative; by default 0.

    Returns:
        The image, and the negative log-likelihood before each step.

    Source: Erdogan & Fessler 1999, IEEE Trans. Med. Imaging 18:801, eqs. 17 and 28 (optimal curvature).
    """
    dtype = exposure.counts.dtype
    lengths = project(geometry, jnp.ones(geometry.shape, dtype))
    image = jnp.zeros(geometry.shape, dtype) if start is None else jnp.asarray(start, dtype)

    def step(image: Array, _: None) -> tuple[Array, Array]:
        integrals = project(geometry, image)
        slope = _slope(integrals, exposure)
        curvature = surrogate_curvature(integrals, exposure)
        bend = backproject(geometry, exposure.weight * curvature * lengths)
        bends = bend > 1e-6 * jnp.max(bend)
        change = backproject(geometry, exposure.weight * slope) / jnp.where(bends, bend, 1.0)
        return jnp.maximum(image - jnp.where(bends, change, 0.0), 0.0), negative_log_likelihood(integrals, exposure)

    return jax.lax.scan(step, image, None, length=steps)


def surrogate_curvature(integrals: Array, exposure: Exposure) -> Array:
    """The least curvature of a parabola through each ray's likelihood at p that lies above it for all p >= 0."""
    zero = jnp.zeros_like(integrals)
    far = integrals > 0.05  # below, the difference quotient cancels in float32 and the curvature at 0 bounds it
    safe = jnp.where(far, integrals, 1.0)
    rise = _loss(zero, exposure) - _loss(integrals, exposure) + integrals * _slope(integrals, exposure)
    at_zero = exposure.flat * (1.0 - exposure.counts * exposure.background / jnp.square(_mean(zero, exposure)))
    return jnp.maximum(jnp.where(far, 2.0 * rise / jnp.square(safe), at_zero), 0.0)


def _mean(integrals: Array, exposure: Exposure) -> Array:
    mean = expected(integrals, exposure)
    return jnp.where(mean > 0, mean, 1.0)


def _loss(integrals: Array, exposure: Exposure) -> Array:
    mean = _mean(integrals, exposure)
    return mean - exposure.counts * jnp.log(mean)


def _slope(integrals: Array, exposure: Exposure) -> Array:
    """d/dp of the loss of each ray."""
    light = exposure.flat * jnp.exp(-integrals)
    return light * (exposure.counts / _mean(integrals, exposure) - 1.0)
