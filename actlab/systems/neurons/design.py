"""Design by gradients: where a parameter turns class II into class I, and conductances from the times of spikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics import equilibrium, least_squares, rk4_fold
from actlab.systems.neurons.bifurcations import hurwitz
from actlab.systems.neurons.conductance import Neuron
from actlab.systems.neurons.firing import crossing_time, step_times

Model = Callable[[Any], Neuron]
"""A parameter, or several, -> neuron."""


class Boundary(NamedTuple):
    """Where the class of a neuron changes: a saddle-node at which also the Hurwitz determinant vanishes.

    Attributes:
        parameter: of the model there.
        voltage: of that point, mV.
        current: of it, uA/cm^2.
        residual: the largest of the two conditions, 0 where the search succeeded.
    """

    parameter: Any
    voltage: Any
    current: Any
    residual: Any


def class_boundary(model: Model, parameter: Any, voltage: Any, *, iterations: int = 60) -> Boundary:
    """The parameter at which rest ends in a Hopf point on one side and in a saddle-node on the other.

    There both meet (a Bogdanov-Takens point): I'(V) = 0 and the Hurwitz determinant is 0, two equations that damped
    Newton steps with exact derivatives solve. The result is differentiable by the implicit function theorem.

    Args:
        model: parameter -> neuron: a half-voltage or a width of a gate, say.
        parameter: where the search begins.
        voltage: likewise, mV: where the current of the equilibrium is flattest.
        iterations: of Newton's method.

    Source: Kuznetsov 2004, Elements of Applied Bifurcation Theory, section 8.4.
    """

    def conditions(at: Array) -> Array:
        neuron = model(at[0])
        return jnp.stack([jax.grad(neuron.current)(at[1]), hurwitz(neuron)(at[1])])

    begun = jnp.stack([jnp.asarray(parameter, float), jnp.asarray(voltage, float)])
    found = equilibrium(conditions, begun, iterations)
    current = model(found[0]).current(found[1])
    return Boundary(found[0], found[1], current, jnp.max(jnp.abs(conditions(found))))


def spike_times(
    neuron: Neuron,
    current: Any,
    start: Float[Array, " dimension"],
    count: int,
    *,
    duration: float,
    step: float = 0.05,
    threshold: float = 0.0,
) -> Float[Array, " count"]:
    """When the voltage rises through the threshold, ms: the first `count` times, inf where there are fewer.

    Differentiable: each time is placed by the cubic through the states and slopes beside it.

    Args:
        neuron: the neuron.
        current: uA/cm^2, constant.
        start: V in mV and the open fractions.
        count: times returned.
        duration: ms.
        step: ms.
        threshold: mV.
    """
    times, dtype = step_times(start, duration, step)

    def observe(seen: tuple[Array, ...], time: Array, state: Array, rate: Array) -> tuple[Array, ...]:
        last, voltage, slope, found, number = seen
        rising = (voltage < threshold) & (state[0] >= threshold)
        safe = jnp.where(rising, voltage, state[0] - 1)  # no crossing, no chord: keeps derivatives finite
        at = last + crossing_time(time - last, (safe, slope), (state[0], rate[0]), threshold)
        slot = jnp.where(rising, number, count)
        return time, state[0], rate[0], found.at[slot].set(at, mode="drop"), number + rising

    zero = jnp.zeros((), dtype)
    begun = (zero, jnp.asarray(jnp.inf, dtype), zero, jnp.full((count,), jnp.inf, dtype), jnp.zeros((), jnp.int32))
    return rk4_fold(neuron.field(current), start, times, observe, begun)[1][3]


class SpikeFit(NamedTuple):
    """A fit to the times of spikes.

    Attributes:
        parameters: those of the model, positive.
        error: root mean square of the times, ms; not finite where a trial lost spikes.
    """

    parameters: Any
    error: Any


def fit_spikes(
    model: Model,
    times: Float[Array, " count"],
    current: Any,
    start: Float[Array, " dimension"],
    guess: Float[Array, " parameters"],
    *,
    duration: float,
    step: float = 0.05,
    iterations: int = 30,
) -> SpikeFit:
    """Positive parameters of a model, conductances say, from the times of its spikes under a constant current.

    Levenberg and Marquardt's method on the logarithms, with derivatives through the simulation. Pure; vmap it.

    Args:
        model: parameters -> neuron.
        times: of the first spikes, ms.
        current: uA/cm^2.
        start: of the simulation.
        guess: positive; the neuron must fire as many spikes there.
        duration: ms simulated, somewhat beyond the last spike.
        step: ms.
        iterations: of the method.
    """

    def residual(logs: Array) -> Array:
        neuron = model(jnp.exp(logs))
        return spike_times(neuron, current, start, times.shape[0], duration=duration, step=step) - times

    fit = least_squares(residual, jnp.log(guess), iterations)
    return SpikeFit(jnp.exp(fit.x), jnp.sqrt(jnp.mean(jnp.square(fit.residual))))
