"""Randman: classes that are random smooth manifolds of spike times; each unit spikes once, so counts tell nothing."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from actlab.systems.spiking.surrogates import SpikingError

LARGEST_CUTOFF = 1000
"""Of the number of frequencies."""
CHUNK = 4
"""Units whose sines are held at once."""


class Randman(NamedTuple):
    """Spike times and classes.

    Attributes:
        times: step of the one spike of each unit, shape (samples, units).
        labels: classes from 0, shape (samples,); the samples of a class are consecutive.
    """

    times: Int[Array, "samples units"]
    labels: Int[Array, " samples"]


def frequencies(alpha: float, precision: float = 1e-3) -> int:
    """How many frequencies a smoothness of alpha needs until their weight is below the precision; at most 1000."""
    return min(math.ceil(precision ** (-1 / alpha)), LARGEST_CUTOFF)


def draw_manifold(
    key: Key[Array, ""], units: int, dimension: int, count: int
) -> Float[Array, "units dimension 3 frequencies"]:
    """The parameters of one manifold, uniform in [0, 1); the amplitude of frequency 0 is 0."""
    theta = jax.random.uniform(key, (units, dimension, 3, count))
    return theta.at[:, :, 0, 0].set(0.0)


def manifold(
    theta: Float[Array, "units dimension 3 frequencies"], x: Float[Array, "samples dimension"], alpha: float
) -> Float[Array, "samples units"]:
    """f_i(x) = prod_k sum_j theta_ik0j (j + 1)^-alpha sin(2 pi (j x_k theta_ik1j + theta_ik2j)), j from 0."""
    count = theta.shape[-1]
    j = jnp.arange(count, dtype=x.dtype)
    weights = (j + 1) ** -alpha

    def unit(of_unit: Array) -> Array:
        amplitude, stretch, phase = of_unit[:, 0] * weights[None], of_unit[:, 1] * j[None], of_unit[:, 2]
        angle = x[:, :, None] * stretch[None] + phase[None]
        return jnp.prod(jnp.sum(amplitude[None] * sine_of_turns(angle), -1), -1)

    return jax.lax.map(unit, theta, batch_size=CHUNK).T


def sine_of_turns(turns: Array) -> Array:
    """sin(2 pi x) to 1e-7: folded into a quarter turn, where a polynomial does, several times faster than sin."""
    rest = turns - jnp.round(turns)
    rest = jnp.where(jnp.abs(rest) > 0.25, 0.5 * jnp.sign(rest) - rest, rest)
    z = 2 * jnp.pi * rest
    square = z * z
    series = 1 / 362880 - square / 39916800
    for factorial in (5040, 120, 6):
        series = 1 / factorial - square * series
    return z * (1 - square * series)


def randman(
    key: Key[Array, ""],
    *,
    classes: int = 10,
    units: int = 100,
    dimension: int = 1,
    alpha: float = 1.0,
    samples: int = 1000,
    steps: int = 100,
) -> Randman:
    """Draws a data set: the defaults are those of the paper.

    Each coordinate is mapped onto [0, 1] over the samples of its class, times steps, rounded down: every unit of every
    class spikes once, over the whole range of steps.

    Args:
        key: of manifolds and samples.
        classes: each with a manifold of its own.
        units: dimension of the space that manifolds lie in.
        dimension: of the manifolds.
        alpha: smoothness; frequency j has the weight (j + 1)^-alpha.
        samples: of each class, at least 2.
        steps: of time.

    Raises:
        SpikingError: a size that is too small, or alpha not positive.

    Source: Zenke & Vogels 2021, Neural Computation 33(4), section 4.1.
    """
    if min(classes, units, dimension, steps) < 1 or samples < 2 or not alpha > 0:
        raise SpikingError(
            f"randman: classes {classes}, units {units}, dimension {dimension}, steps {steps} must be at least 1, "
            f"samples {samples} at least 2, alpha {alpha} positive"
        )

    def one(key: Array) -> Array:
        of_manifold, of_samples = jax.random.split(key)
        theta = draw_manifold(of_manifold, units, dimension, frequencies(alpha))
        values = manifold(theta, jax.random.uniform(of_samples, (samples, dimension)), alpha)
        low, high = values.min(0, keepdims=True), values.max(0, keepdims=True)
        return jnp.minimum(jnp.floor(steps * (values - low) / (high - low)), steps - 1).astype(jnp.int32)

    times = jax.lax.map(one, jax.random.split(key, classes))
    return Randman(times.reshape(classes * samples, units), jnp.repeat(jnp.arange(classes), samples))


def split(data: Randman, classes: int, test_share: float = 0.2) -> tuple[Randman, Randman]:
    """Training and test samples: the last ones of each class are for the test, which are as random as any."""
    samples = len(data.labels) // classes
    kept = samples - round(test_share * samples)
    times, labels = data.times.reshape(classes, samples, -1), data.labels.reshape(classes, samples)
    parts = ((times[:, :kept], labels[:, :kept]), (times[:, kept:], labels[:, kept:]))
    train, test = (Randman(t.reshape(-1, t.shape[-1]), y.reshape(-1)) for t, y in parts)
    return train, test
