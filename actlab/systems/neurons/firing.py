"""Firing: the rate under a constant current, and the class of excitability with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from actlab.dynamics import rk4_fold
from actlab.systems.neurons.bifurcations import Bifurcation, bifurcations
from actlab.systems.neurons.conductance import Neuron

Kind = Literal["I", "II", "bistable saddle-node"]


class _Rise(NamedTuple):
    """The step in which the voltage rose through the threshold: its beginning, length, voltages and slopes."""

    time: Any
    width: Any
    left: tuple[Any, Any]
    right: tuple[Any, Any]

    def at(self, threshold: float) -> Any:
        """When it did."""
        return self.time + crossing_time(self.width, self.left, self.right, threshold)


class _Seen(NamedTuple):
    """Time, voltage and slope before, the last two rises, and how many there were."""

    time: Any
    voltage: Any
    slope: Any
    last: _Rise
    previous: _Rise
    count: Any


def firing_rate(
    neuron: Neuron,
    current: Any,
    start: Float[Array, " dimension"],
    *,
    duration: float,
    step: float = 0.05,
    threshold: float = 0.0,
    settle: float = 0.0,
) -> Float[Array, ""]:
    """The rate of the last whole cycle, Hz; 0 where the voltage rose through the threshold less than twice.

    Pure; vmap it over currents, starts and neurons. Fixed steps of the classical Runge-Kutta method; a crossing is
    placed by the cubic through both states and slopes, to the order of the method.

    Args:
        neuron: the neuron.
        current: uA/cm^2, constant.
        start: V in mV and the open fractions.
        duration: ms.
        step: ms.
        threshold: mV.
        settle: ms at the beginning in which no crossing counts.
    """
    times, dtype = step_times(start, duration, step)

    def observe(seen: _Seen, time: Any, state: tuple[Array, ...], rate: tuple[Array, ...]) -> _Seen:
        rising = (seen.voltage < threshold) & (state[0] >= threshold) & (seen.time >= settle)
        rise = _Rise(seen.time, time - seen.time, (seen.voltage, seen.slope), (state[0], rate[0]))

        def kept(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(rising, a, b), new, old)

        return _Seen(
            time, state[0], rate[0], kept(rise, seen.last), kept(seen.last, seen.previous), seen.count + rising
        )

    zero, one = jnp.zeros((), dtype), jnp.ones((), dtype)
    none = _Rise(zero, one, (threshold - one, one), (threshold + one, one))
    begun = _Seen(zero, jnp.asarray(jnp.inf, dtype), zero, none, none, jnp.zeros((), jnp.int32))
    _, seen = rk4_fold(neuron.field_of_parts(current), tuple(start), times, observe, begun)
    period = seen.last.at(threshold) - seen.previous.at(threshold)
    return jnp.where(seen.count >= 2, 1e3 / jnp.where(seen.count >= 2, period, 1.0), 0.0)


def spike_count(
    neuron: Neuron,
    current: Any,
    start: Float[Array, " dimension"],
    *,
    duration: float,
    step: float = 0.05,
    threshold: float = 0.0,
) -> Int[Array, ""]:
    """How often the voltage rises through the threshold: the cheapest record of a sweep over many cells.

    Args:
        neuron: the neuron.
        current: uA/cm^2, constant.
        start: V in mV and the open fractions.
        duration: ms.
        step: ms.
        threshold: mV.
    """
    times, dtype = step_times(start, duration, step)

    def observe(seen: tuple[Any, Any], time: Any, state: tuple[Array, ...], rate: tuple[Array, ...]) -> tuple[Any, Any]:
        del time, rate
        last, count = seen
        return state[0], count + ((last < threshold) & (state[0] >= threshold))

    begun = (jnp.asarray(jnp.inf, dtype), jnp.zeros((), jnp.int32))
    return rk4_fold(neuron.field_of_parts(current), tuple(start), times, observe, begun)[1][1]


def step_times(start: Array, duration: float, step: float) -> tuple[Array, Any]:
    """Every step from 0 to the duration, in the dtype of a simulation from this start, and that dtype."""
    dtype = jnp.result_type(start, float)
    return jnp.arange(round(duration / step) + 1, dtype=dtype) * step, dtype


def crossing_time(width: Any, left: tuple[Any, Any], right: tuple[Any, Any], threshold: float) -> Any:
    """How far into a step the cubic through both (voltage, slope) reaches the threshold: Newton's method."""
    (voltage, slope), (after, after_slope) = left, right
    rise = jnp.where(after == voltage, 1.0, after - voltage)
    first, second = slope * width, after_slope * width
    s = (threshold - voltage) / rise
    for _ in range(4):
        value = (
            voltage
            + s * first
            + s * s * (3 * rise - 2 * first - second)
            + s * s * s * (first + second - 2 * rise)
            - threshold
        )
        gradient = first + 2 * s * (3 * rise - 2 * first - second) + 3 * s * s * (first + second - 2 * rise)
        s = jnp.clip(s - value / jnp.where(gradient == 0, 1.0, gradient), 0.0, 1.0)
    return s * width


@dataclass(frozen=True)
class Excitability:
    """How a neuron starts to fire.

    Attributes:
        kind: "I": from rate 0, at a saddle-node on an invariant circle; "II": at a rate above 0, where rest loses its
            stability in a Hopf bifurcation; "bistable saddle-node": it also fires below the saddle-node.
        onset: the bifurcation in which the resting state ends as the current grows.
        rate_above: Hz, just above the onset.
        rate_below: Hz, just below, of a cell that was kicked: above 0 there firing and rest coexist.
    """

    kind: Kind
    onset: Bifurcation
    rate_above: float
    rate_below: float


def classify(
    neuron: Neuron, *, margin: float = 0.01, duration: float = 8000.0, step: float = 0.05, kick: float = 60.0
) -> Excitability:
    """The class of excitability, from the complete list of bifurcations and two simulations beside the onset.

    In float64, x64 enabled or not.

    Args:
        neuron: the neuron.
        margin: uA/cm^2 from the onset at which the neuron is simulated.
        duration: ms.
        step: ms.
        kick: mV by which the cell below the onset is displaced from rest.

    Raises:
        ValueError: the resting state never loses its stability.
        RootError: as `bifurcations`.

    Source: Hodgkin 1948, J. Physiol. 107:165; Rinzel & Ermentrout 1998; Izhikevich 2007, chapter 7.
    """
    onset = onset_of(neuron, bifurcations(neuron))
    with jax.enable_x64(True):
        rest = neuron.state(jnp.asarray(onset.voltage, jnp.float64))
        currents = jnp.asarray([onset.current + margin, onset.current - margin], jnp.float64)
        starts = jnp.stack([rest.at[0].add(5.0), rest.at[0].add(kick)])

        @jax.jit
        def rates(currents: Array, starts: Array) -> Array:
            def one(current: Array, start: Array) -> Array:
                return firing_rate(neuron, current, start, duration=duration, step=step, settle=duration / 4)

            return jax.vmap(one)(currents, starts)

        above, below = np.asarray(rates(currents, starts))
    return Excitability(kind_of(onset, float(below)), onset, float(above), float(below))


def kind_of(onset: Bifurcation, rate_below: float) -> Kind:
    """The class, from the bifurcation that ends rest and the rate, Hz, of a kicked cell just below it."""
    if onset.kind == "Hopf":
        return "II"
    return "bistable saddle-node" if rate_below > 0 else "I"


def onset_of(neuron: Neuron, found: tuple[Bifurcation, ...]) -> Bifurcation:
    """The end of the branch of rest: the first bifurcation met with rising voltage from the lowest end.

    Raises:
        ValueError: there is none: rest never loses its stability.
    """
    if not found:
        raise ValueError(f"the resting state of {neuron.name} never loses its stability")
    return min(found, key=lambda b: b.voltage)
