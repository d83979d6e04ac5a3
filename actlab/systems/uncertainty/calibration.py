"""Calibration: do stated probabilities come true? Coverage, widths, integral transforms and calibration errors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

Values = Float[Array, "*n"]


def coverage(lower: Values, upper: Values, y: Values) -> Float[Array, ""]:
    """The fraction of y inside their closed intervals."""
    return jnp.mean((lower <= y) & (y <= upper), dtype=jnp.float32)


def width(lower: Values, upper: Values) -> Float[Array, ""]:
    """The mean width of intervals: sharpness, in the unit of y; of two that cover alike the narrower informs more."""
    return jnp.mean(upper - lower)


def pit_gaussian(mean: Values, deviation: Values, y: Values) -> Values:
    """Probability integral transform F(y): uniform on (0, 1) if the Gaussian forecasts are calibrated."""
    return jax.scipy.special.ndtr((y - mean) / deviation)


def pit_counts(below: Values, mass: Values, key: Key[Array, ""]) -> Values:
    """Randomized transform P(X < y) + u P(X = y), u uniform: uniform for calibrated forecasts of counts too.

    Source: Czado, Gneiting & Held 2009, Biometrics 65(4), eq. 1.
    """
    return below + jax.random.uniform(key, mass.shape, mass.dtype) * mass


def calibration_curve(pit: Float[Array, " n"], levels: Float[Array, " levels"]) -> Float[Array, " levels"]:
    """For each nominal level, the fraction of observations inside the central interval of that probability.

    Calibrated forecasts give the diagonal.
    """
    inside = jnp.abs(pit[:, None] - 0.5) <= 0.5 * levels[None, :]
    return inside.mean(0, dtype=levels.dtype)


def regression_calibration_error(pit: Float[Array, " n"], bins: int = 99) -> Float[Array, ""]:
    """Root mean square distance of the transform's distribution from the diagonal, over `bins` inner levels.

    Source: Kuleshov, Fenner & Ermon 2018, arXiv 1807.00263, eq. 9 (there squared and weighted).
    """
    levels = jnp.arange(1, bins + 1, dtype=pit.dtype) / (bins + 1)
    below = (pit[:, None] <= levels[None, :]).mean(0, dtype=pit.dtype)
    return jnp.sqrt(jnp.mean(jnp.square(below - levels)))


def expected_calibration_error(
    probabilities: Float[Array, "n classes"], labels: Int[Array, " n"], bins: int = 15
) -> Float[Array, ""]:
    """Mean over the predictions of |accuracy - confidence| of their bin; equal bins of (0, 1], the upper end inside.

    Source: Guo et al. 2017, arXiv 1706.04599, eq. 3.
    """
    confidence = probabilities.max(-1)
    right = (probabilities.argmax(-1) == labels).astype(confidence.dtype)
    index = jnp.clip(jnp.ceil(confidence * bins).astype(jnp.int32) - 1, 0, bins - 1)
    gap = jax.ops.segment_sum(right - confidence, index, bins)
    return jnp.abs(gap).sum() / labels.shape[0]


def interval_score(lower: Values, upper: Values, y: Values, level: float) -> Values:
    """Width plus 2 / (1 - level) times the distance by which y is missed: proper for central intervals.

    Source: Gneiting & Raftery 2007, JASA 102(477), eq. 43.
    """
    missed = jnp.maximum(lower - y, 0.0) + jnp.maximum(y - upper, 0.0)
    return upper - lower + 2.0 / (1.0 - level) * missed
