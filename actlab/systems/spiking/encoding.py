"""From values in [0, 1] to spikes: by their time (latency) or by their number (rate)."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key

from actlab.systems.spiking.surrogates import SpikingError

NEVER = 2**30
"""The time of a spike that does not come."""


def linear_latency(values: Float[Array, "*shape"], steps: int, threshold: float = 0.0) -> Int[Array, "*shape"]:
    """Spike times from steps - 1 down to 0 as a value grows from 0 to 1; `NEVER` where it is at most `threshold`.

    Raises:
        SpikingError: values outside [0, 1], or steps below 1.
    """
    values = _checked(values, steps)
    times = jnp.floor((1 - values) * (steps - 1) + 0.5).astype(jnp.int32)
    return jnp.where(values > threshold, times, NEVER)


def logarithmic_latency(
    values: Float[Array, "*shape"], steps: int, time_constant: float, threshold: float = 0.2
) -> Int[Array, "*shape"]:
    """When an integrator with constant current x reaches `threshold`: floor(tau ln(x/(x - threshold))); else `NEVER`.

    Args:
        values: x, in [0, 1].
        steps: spikes at this step or later never come.
        time_constant: tau, in steps.
        threshold: in (0, 1).

    Raises:
        SpikingError: values outside [0, 1], steps below 1, or time_constant or threshold outside their range.

    Source: Zenke & Vogels 2021, Neural Computation 33(4), section 4.1 (Fashion-MNIST).
    """
    values = _checked(values, steps)
    if not time_constant > 0 or not 0 < threshold < 1:
        raise SpikingError(
            f"logarithmic_latency: time_constant = {time_constant} must be positive, threshold = {threshold} in (0, 1)"
        )
    above = values > threshold
    safe = jnp.where(above, values, 1.0)
    times = jnp.floor(-time_constant * jnp.log1p(-threshold / safe))
    return jnp.where(above & (times < steps), times, NEVER).astype(jnp.int32)


def raster(times: Int[Array, "*batch units"], steps: int, dtype: jnp.dtype = jnp.float32) -> Array:  # pyright: ignore
    """Spike trains, shape (steps, *batch, units), of units that spike once, at `times`; not at all beyond `steps`."""
    return (jnp.arange(steps).reshape(-1, *(1,) * times.ndim) == times[None]).astype(dtype)


def rate_code(key: Key[Array, ""], values: Float[Array, "*shape"], steps: int, largest: float = 0.5) -> Array:
    """Spike trains, shape (steps, *shape): at each step independently with probability `largest` times the value.

    Raises:
        SpikingError: values outside [0, 1], steps below 1, or `largest` outside (0, 1].
    """
    values = _checked(values, steps)
    if not 0 < largest <= 1:
        raise SpikingError(f"rate_code: largest = {largest} must be in (0, 1]; it is a probability a step")
    probabilities = jnp.broadcast_to(largest * values, (steps, *values.shape))
    return jax.random.bernoulli(key, probabilities).astype(values.dtype)


def shuffled_in_time(key: Key[Array, ""], times: Int[Array, "*shape"], steps: int) -> Int[Array, "*shape"]:
    """The same spikes at random times: the counts, and so all that a rate carries, stay; `NEVER` stays."""
    random = jax.random.randint(key, times.shape, 0, steps, times.dtype)
    return jnp.where(times < steps, random, times)


def _checked(values: Array, steps: int) -> Array:
    if steps < 1:
        raise SpikingError(f"steps = {steps} must be at least 1")
    values = jnp.asarray(values)
    if not isinstance(values, Tracer):
        found = np.asarray(values)
        if found.size and not (np.all(found >= 0) and np.all(found <= 1)):
            low, high = float(found.min()), float(found.max())
            wrong = "not all finite" if not (math.isfinite(low) and math.isfinite(high)) else f"in [{low:g}, {high:g}]"
            raise SpikingError(f"values to encode are {wrong}; scale them to [0, 1] first")
    return values
