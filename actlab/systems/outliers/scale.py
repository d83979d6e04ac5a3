"""Robust location and scale: what half of the rows, even the wrong half, cannot carry away."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

CONSISTENT = 1.4826
"""1 / the 75 % quantile of |N(0, 1)|: times the median of absolute deviations, the deviation of Gaussian data."""
SHORTEST = 1e-6
"""Least scale returned, in units of 1 + |centre|: where more than half of the values are equal their MAD is 0."""


def mad(values: Float[Array, " n"], centre: Float[Array, ""] | float | None = None) -> Float[Array, ""]:
    """The median of absolute deviations, consistent for Gaussian data; breakdown point 1/2.

    Args:
        values: the data.
        centre: what to deviate from; the median where not given.

    Returns:
        At least 1e-6 (1 + |centre|), so that it can be divided by where more than half of the values are equal.

    Source: Hampel 1974, JASA 69(346).
    """
    centre = jnp.median(values) if centre is None else centre
    deviation = CONSISTENT * jnp.median(jnp.abs(values - centre))
    return jnp.maximum(deviation, SHORTEST * (1.0 + jnp.abs(centre)))


def spread(values: Float[Array, " n"]) -> Float[Array, ""]:
    """A scale to divide inputs by: their MAD; the mean absolute deviation where that is 0; 1 where all are equal.

    A column of two values, one of them in the majority, has MAD 0: divided by a tiny number it would drown the others.

    Source: Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers, section 3.
    """
    deviations = jnp.abs(values - jnp.median(values))
    median, mean = CONSISTENT * jnp.median(deviations), jnp.sqrt(0.5 * jnp.pi) * jnp.mean(deviations)
    return jnp.where(median > 0, median, jnp.where(mean > 0, mean, 1.0))


def shorth(values: Float[Array, " n"]) -> Float[Array, ""]:
    """The middle of the shortest half of the data: of a majority and a far minority it finds the majority.

    The median breaks down at 1/2 too, but up to there the wrong rows shift it, to the 83 % quantile of the right ones
    where 40 % are wrong on one side; the shortest half lies wholly among the right rows if the wrong ones are far.

    Source: Rousseeuw & Leroy 1988, Statistica Neerlandica 42(2): the centre of the shortest half is the least median of
    squares.
    """
    values = jnp.sort(values)
    n = values.shape[0]
    half = n // 2
    start = jnp.argmin(values[half:] - values[: n - half])
    return 0.5 * (values[start] + values[start + half])
