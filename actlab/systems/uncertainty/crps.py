"""The continuous ranked probability score in closed form: a proper score in the unit of the target, lower is better.

CRPS(F, y) = E|X - y| - E|X - X'| / 2 with X, X' independent from F: the absolute error of a point forecast.

Sources: Gneiting & Raftery 2007, JASA 102(477); Jordan, Krueger & Lerch 2019, JSS 90(12), appendix A.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax.scipy.special import betainc, betaln, gammainc, gammaln, i0e, i1e, ndtr, xlogy
from jaxtyping import Array, Float

Values = Float[Array, "*n"]


def crps_gaussian(mean: Values, deviation: Values, y: Values) -> Values:
    """Of a Gaussian with this mean and standard deviation."""
    z = (y - mean) / deviation
    return deviation * (_standard(z) - 1.0 / math.sqrt(math.pi))


def crps_student_t(degrees: Values, location: Values, scale: Values, y: Values) -> Values:
    """Of Student's t; finite for degrees > 1."""
    z = (y - location) / scale
    half = jnp.full_like(degrees, 0.5)
    tail = 0.5 * betainc(0.5 * degrees, half, degrees / (degrees + z * z))
    signed = jnp.where(z > 0, 1.0 - 2.0 * tail, 2.0 * tail - 1.0)  # 2 F(z) - 1
    log_density = (
        -0.5 * (degrees + 1.0) * jnp.log1p(z * z / degrees) - 0.5 * jnp.log(degrees) - betaln(half, 0.5 * degrees)
    )
    spread = 2.0 * jnp.sqrt(degrees) / (degrees - 1.0)
    spread = spread * jnp.exp(betaln(half, degrees - 0.5) - 2.0 * betaln(half, 0.5 * degrees))
    return scale * (z * signed + 2.0 * jnp.exp(log_density) * (degrees + z * z) / (degrees - 1.0) - spread)


def crps_log_normal(location: Values, scale: Values, y: Values) -> Values:
    """Of the exponential of a Gaussian with this mean and standard deviation, at y > 0."""
    z = (jnp.log(y) - location) / scale
    mean = jnp.exp(location + 0.5 * scale * scale)
    return y * (2.0 * ndtr(z) - 1.0) - 2.0 * mean * (ndtr(z - scale) + ndtr(scale / math.sqrt(2.0)) - 1.0)


def crps_gamma(concentration: Values, rate: Values, y: Values) -> Values:
    """Of a Gamma with mean concentration / rate, at y >= 0."""
    mean = concentration / rate
    below, weighted = gammainc(concentration, rate * y), gammainc(concentration + 1.0, rate * y)
    spread = jnp.exp(-betaln(jnp.full_like(concentration, 0.5), concentration)) / rate
    return y * (2.0 * below - 1.0) - mean * (2.0 * weighted - 1.0) - spread


def crps_poisson(rate: Values, y: Values) -> Values:
    """Of a Poisson, at whole y >= 0."""
    below = 1.0 - gammainc(y + 1.0, rate)  # P(X <= y)
    mass = jnp.exp(xlogy(y, rate) - rate - gammaln(y + 1.0))
    return (y - rate) * (2.0 * below - 1.0) + 2.0 * rate * mass - rate * (i0e(2.0 * rate) + i1e(2.0 * rate))


def crps_mixture(means: Float[Array, "*n members"], deviations: Float[Array, "*n members"], y: Values) -> Values:
    """Of the equally weighted mixture of Gaussians along the last axis.

    Source: Grimit et al. 2006, QJRMS 132, eq. 5.
    """
    first = _absolute_mean(y[..., None] - means, deviations).mean(-1)
    gap = means[..., :, None] - means[..., None, :]
    width = jnp.sqrt(jnp.square(deviations)[..., :, None] + jnp.square(deviations)[..., None, :])
    return first - 0.5 * _absolute_mean(gap, width).mean((-2, -1))


def crps_ensemble(samples: Float[Array, "*n members"], y: Values, fair: bool = False) -> Values:
    """Of the empirical distribution of samples along the last axis.

    Args:
        samples: the ensemble.
        y: the observation.
        fair: unbiased for the distribution that the samples come from; needs two of them.
    """
    m = samples.shape[-1]
    ordered = jnp.sort(samples, axis=-1)
    # sum over i < j of (x_j - x_i), in sorted order: each x_i has i below and m - 1 - i above.
    gaps = (
        ordered * (2.0 * jnp.arange(m, dtype=samples.dtype) - (m - 1.0)).reshape((1,) * (samples.ndim - 1) + (m,))
    ).sum(-1)
    pairs = m * (m - 1.0) if fair else float(m * m)
    return jnp.abs(samples - y[..., None]).mean(-1) - gaps / pairs


def _standard(z: Values) -> Values:
    """E|X - z| of a standard normal X: z (2 Phi(z) - 1) + 2 phi(z)."""
    return z * (2.0 * ndtr(z) - 1.0) + math.sqrt(2.0 / math.pi) * jnp.exp(-0.5 * z * z)


def _absolute_mean(mean: Values, deviation: Values) -> Values:
    """E|X| of a Gaussian X."""
    return deviation * _standard(mean / deviation)
