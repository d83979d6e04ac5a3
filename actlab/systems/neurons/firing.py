"""Firing: the rate under a constant current, and the class of excitability with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.dynamics import rk4_fold
from actlab.systems.neurons.bifurcations import Bifurcation, bifurcations
from actlab.systems.neurons.conductance import Neuron

Kind = Literal["I", "II", "bistable saddle-node"]


class _Seen(NamedTuple):
    """The state before, the last two upward crossings, and how many there were."""

    time: Any
    voltage: Any
    slope: Any
    last: Any
    previous: Any
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
    steps = round(duration / step)
    dtype = jnp.result_type(start, float)
    times = jnp.arange(steps + 1, dtype=dtype) * step

    def observe(seen: _Seen, time: Any, state: Array, rate: Array) -> _Seen:
        rising = (seen.voltage < threshold) & (state[0] >= threshold) & (seen.time >= settle)
        at = seen.time + _crossing(seen, time, state[0], rate[0], threshold)
        return _Seen(
            time,
            state[0],
            rate[0],
            jnp.where(rising, at, seen.last),
            jnp.where(rising, seen.last, seen.previous),
            seen.count + rising,
        )

    nothing = jnp.zeros((), dtype)
    begun = _Seen(nothing, jnp.asarray(jnp.inf, dtype), nothing, nothing, nothing, jnp.zeros((), jnp.int32))
    _, seen = rk4_fold(neuron.field(current), start, times, observe, begun)
    period = jnp.where(seen.count >= 2, seen.last - seen.previous, 1.0)
    return jnp.where(seen.count >= 2, 1e3 / period, 0.0)


def _crossing(seen: _Seen, time: Any, voltage: Any, slope: Any, threshold: float) -> Any:
    """When, after `seen.time`, the Hermite cubic reaches the threshold: Newton's method from the chord."""
    width = time - seen.time
    rise = jnp.where(voltage == seen.voltage, 1.0, voltage - seen.voltage)
    first, second = seen.slope * width, slope * width
    s = (threshold - seen.voltage) / rise
    for _ in range(4):
        value = (
            seen.voltage
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
        ValueError: the resting state never loses its stability, or exists at no current.
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
