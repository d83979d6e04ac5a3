"""Integrator or resonator: impedance at rest, and what two brief pulses and a release from inhibition do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from actlab.dynamics import rk4, rk4_fold
from actlab.systems.neurons.conductance import Neuron
from actlab.systems.neurons.firing import step_times


def impedance(neuron: Neuron, voltage: Any, frequencies: Float[Array, " n"]) -> Complex[Array, " n"]:
    """Small oscillations of the voltage over those of the current, mV / (uA/cm^2), about an equilibrium.

    From the Jacobian: ((i omega - A)^-1)_VV / C. A resonator's modulus peaks above frequency 0.

    Args:
        neuron: the neuron.
        voltage: of the equilibrium, mV.
        frequencies: Hz.
    """
    matrix = jax.jacfwd(lambda y: neuron.field(0.0)(0.0, y))(neuron.state(voltage))
    omega = 2e-3 * jnp.pi * frequencies
    one = jnp.eye(matrix.shape[0], dtype=matrix.dtype)
    shifted = 1j * omega[:, None, None] * one[None] - matrix[None]
    return jnp.linalg.inv(shifted)[:, 0, 0] / neuron.capacitance


class Zap(NamedTuple):
    """An impedance measured by a sweep of frequencies.

    Attributes:
        frequencies: Hz, shape (n,).
        impedance: mV / (uA/cm^2), complex, shape (n,).
    """

    frequencies: Array
    impedance: Array


def zap(
    neuron: Neuron,
    voltage: Any,
    *,
    amplitude: float,
    lowest: float = 2.0,
    highest: float = 100.0,
    duration: float = 4000.0,
    step: float = 0.05,
) -> Zap:
    """The impedance as an experimenter measures it: the spectrum of the voltage over that of a chirp.

    The chirp rises linearly from 0 to 1.2 times the highest frequency and fades in and out.

    Args:
        neuron: the neuron.
        voltage: of the equilibrium about which it is driven, mV.
        amplitude: of the current, uA/cm^2; small, that the cell stays linear.
        lowest: Hz, below the first frequency returned.
        highest: frequency returned, Hz.
        duration: ms.
        step: ms.
    """
    rest, mean = neuron.state(voltage), neuron.current(voltage)
    times, _ = step_times(rest, duration, step)
    rise = 1.2e-3 * highest / duration

    def chirp(t: Any) -> Any:
        fade = jnp.clip(jnp.minimum(t, duration - t) / (0.05 * duration), 0.0, 1.0)
        return amplitude * jnp.square(jnp.sin(0.5 * jnp.pi * fade)) * jnp.sin(jnp.pi * rise * t * t)

    driven = rk4(lambda t, y: neuron.field(mean + chirp(t))(t, y), rest, times)[:-1, 0]
    ratio = jnp.fft.rfft(driven - voltage) / jnp.fft.rfft(jax.vmap(chirp)(times[:-1]))
    first, last = int(lowest * duration / 1e3) + 1, int(highest * duration / 1e3) + 1
    return Zap(jnp.arange(first, last) * (1e3 / duration), ratio[first:last])


def pulses(starts: Float[Array, " pulses"], width: float, height: Any) -> Callable[[Any], Any]:
    """Time in ms -> the sum of rectangular pulses of this width, ms, and height, uA/cm^2."""
    return lambda t: height * jnp.sum(jnp.where((t >= starts) & (t < starts + width), 1.0, 0.0))


def peak_response(
    neuron: Neuron, voltage: Any, drive: Callable[[Any], Any], *, since: Any, duration: float, step: float = 0.05
) -> Float[Array, ""]:
    """The highest voltage, mV, from a time on, of a cell at rest to whose current a drive is added.

    Pure; vmap it over what the drive closes over.

    Args:
        neuron: the neuron.
        voltage: of rest, mV.
        drive: time in ms -> uA/cm^2, beside the current of rest.
        since: ms.
        duration: ms.
        step: ms; pulses should begin and end on a multiple of it.
    """
    rest, mean = neuron.state(voltage), neuron.current(voltage)
    times, dtype = step_times(rest, duration, step)

    def field(t: Any, y: Array) -> Array:
        return neuron.field(mean + drive(t))(t, y)

    def observe(top: Array, time: Any, state: Array, rate: Array) -> Array:
        del rate
        return jnp.where(time >= since, jnp.maximum(top, state[0]), top)

    return rk4_fold(field, rest, times, observe, jnp.asarray(-jnp.inf, dtype))[1]


def doublet_response(
    neuron: Neuron,
    voltage: Any,
    intervals: Float[Array, " n"],
    *,
    height: float,
    width: float = 1.0,
    after: float = 100.0,
    longest: float = 100.0,
) -> Float[Array, " n"]:
    """The highest voltage, mV, after the second of two pulses, for each interval between their starts.

    An integrator's falls with the interval; a resonator's is least at half its period and rises again towards it.

    Args:
        neuron: the neuron.
        voltage: of rest, mV.
        intervals: ms, at least the width, at most `longest`.
        height: of each pulse, uA/cm^2.
        width: of each, ms.
        after: ms simulated beyond the longest interval.
        longest: ms.
    """

    def one(interval: Array) -> Array:
        drive = pulses(jnp.stack([jnp.zeros_like(interval), interval]), width, height)
        return peak_response(neuron, voltage, drive, since=interval, duration=longest + after)

    return jax.vmap(one)(intervals)


def rebound_response(
    neuron: Neuron, voltage: Any, heights: Float[Array, " n"], *, width: float = 200.0, after: float = 200.0
) -> Float[Array, " n"]:
    """The highest voltage, mV, after release from a long inhibition, for each of its heights.

    Args:
        neuron: the neuron.
        voltage: of rest, mV.
        heights: of the inhibiting pulse, uA/cm^2, negative.
        width: ms.
        after: ms simulated after the release.
    """

    def one(height: Array) -> Array:
        drive = pulses(jnp.zeros((1,), heights.dtype), width, height)
        return peak_response(neuron, voltage, drive, since=width, duration=width + after)

    return jax.vmap(one)(heights)
