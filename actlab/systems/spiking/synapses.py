"""What lies between spikes and potentials: synaptic filters, delays, leaky readouts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.definition import aligned
from actlab.dynamics import linear_recurrence
from actlab.systems.spiking.surrogates import SpikingError


def exponential_synapse(signal: Float[Array, "times *shape"], decay: Any) -> Float[Array, "times *shape"]:
    """Current I_t = decay I_(t-1) + x_t: each spike jumps and relaxes. Before an LIF it makes it current-based."""
    return linear_recurrence(decay, signal)


def alpha_synapse(signal: Float[Array, "times *shape"], decay: Any) -> Float[Array, "times *shape"]:
    """Current (1 - decay) e t decay^(t-1) at t steps after a spike: rises, then falls; its peak is near 1."""
    slow = linear_recurrence(decay, linear_recurrence(decay, signal))
    shifted = jnp.concatenate([jnp.zeros_like(slow[:1]), slow[:-1]])
    return (1 - aligned(decay, signal)) * jnp.asarray(jnp.e, signal.dtype) * shifted


def delayed(signal: Float[Array, "times *batch units"], delays: Any) -> Float[Array, "times *batch units"]:
    """The signal of each unit, `delays` steps later; 0 before it arrives.

    A delay that is not whole interpolates between the two steps next to it, and is differentiable.

    Args:
        signal: time first, units last.
        delays: in steps, not negative, shape (units,) or ().

    Raises:
        SpikingError: a number that is negative.
    """
    if isinstance(delays, (int, float)) and delays < 0:
        raise SpikingError(f"delayed: delays = {delays} must not be negative; a signal cannot arrive before it is sent")
    units, times = signal.shape[-1], signal.shape[0]
    delays = jnp.broadcast_to(jnp.asarray(delays, signal.dtype), (units,))
    whole = jnp.floor(delays)
    share = delays - whole

    def shifted(steps: Array) -> Array:
        source = jnp.arange(times)[:, None] - steps[None].astype(jnp.int32)
        index = source.reshape(times, *(1,) * (signal.ndim - 2), units)
        taken = jnp.take_along_axis(signal, jnp.maximum(index, 0), axis=0)
        return jnp.where(index >= 0, taken, 0)

    weight = aligned(share, signal)
    return (1 - weight) * shifted(whole) + weight * shifted(whole + 1)


def leaky_readout(signal: Float[Array, "times *shape"], decay: Any) -> Float[Array, "times *shape"]:
    """The potential of a neuron that never spikes: v_t = decay v_(t-1) + x_t."""
    return linear_recurrence(decay, signal)


def synaptic_current(spikes: Float[Array, "*times_batch units"], weights: Float[Array, "units out"]) -> Array:
    """Spikes @ weights for all times at once, as one product of two matrices.

    The same numbers; the derivative in the weights, a sum over times and batch, is one such product too, which XLA
    computes on a CPU in about half the time that it takes for the sum over two axes.
    """
    flat = spikes.reshape(-1, spikes.shape[-1])
    return (flat @ weights).reshape(*spikes.shape[:-1], weights.shape[-1])


def mean_leaky_readout(spikes: Float[Array, "times *batch units"], weights: Any, decay: Any) -> Array:
    """The mean over time of `leaky_readout(spikes @ weights, decay)`, without a recurrence: (sum_t k_t s_t) @ weights.

    Here k_t = (1 - decay^(T - t))/((1 - decay) T), with t from 0. Decay is one number below 1.
    """
    return jnp.tensordot(mean_leaky_weights(spikes.shape[0], decay, spikes.dtype), spikes, axes=1) @ weights


def mean_leaky_weights(times: int, decay: Any, dtype: Any = jnp.float32) -> Float[Array, " times"]:
    """The k_t of `mean_leaky_readout`."""
    decay, left = jnp.asarray(decay, dtype), jnp.arange(times, 0, -1, dtype=dtype)
    return -jnp.expm1(left * jnp.log(decay)) / ((1 - decay) * times)
