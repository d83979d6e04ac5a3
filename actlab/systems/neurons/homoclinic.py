"""Orbits that leave an equilibrium and come back to it: saddle loops, and saddle-nodes on an invariant circle."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.dynamics import CycleError, rk4_fold
from actlab.systems.neurons.bifurcations import Bifurcation, equilibria
from actlab.systems.neurons.conductance import Neuron

RISE = 20.0
"""mV above the equilibrium at which an orbit counts as risen."""


def on_invariant_circle(
    neuron: Neuron, saddle_node: Bifurcation, *, duration: float = 3000.0, step: float = 0.05
) -> bool:
    """Whether the orbit that leaves a saddle-node returns to it after one spike, and so closes a circle.

    If it does, firing starts there from rate 0; if the orbit goes on firing, a cycle exists beside the saddle-node.

    Args:
        neuron: all of its leaves numbers.
        saddle_node: one of its bifurcations.
        duration: ms that it is watched.
        step: of the integration, ms.

    Raises:
        CycleError: it is no saddle-node.
    """
    if saddle_node.kind != "saddle-node":
        raise CycleError(f"on_invariant_circle: needs a saddle-node, not a {saddle_node.kind} point")
    with jax.enable_x64(True):
        # The equilibria's curve touches the direction in which the orbit leaves.
        begun = neuron.state(jnp.asarray(saddle_node.voltage + 1.0, jnp.float64))
        current = jnp.asarray(saddle_node.current, jnp.float64)
        rises = int(_rises(round(duration / step), neuron, current, begun, saddle_node.voltage + RISE, step))
    return rises == 1


def homoclinic(neuron: Neuron, between: tuple[float, float], *, duration: float = 600.0, step: float = 0.02) -> float:
    """The current, uA/cm^2, at which the orbit that leaves a saddle returns to it; of a neuron with one gate.

    Beyond it the orbit rises again and again, before it, after one spike or none, it falls to rest: bisected on that. A
    second spike that comes later than the duration is missed; it is late by the logarithm of the distance from the
    current sought, so the error falls exponentially with the duration, down to the integration's.

    Args:
        neuron: with one gate, all of its leaves numbers.
        between: currents without and with repeated spikes, uA/cm^2, with three equilibria at both.
        duration: ms.
        step: of the integration, ms.

    Raises:
        CycleError: the neuron has more gates, there is no saddle, or the orbit does the same at both currents.
    """
    if len(neuron.gates) != 1:
        raise CycleError(
            f"homoclinic: {neuron.name} has {len(neuron.gates)} gates; only of planar cells is it bisected"
        )
    low, high = between
    first, last = (_fires_on(neuron, current, duration, step) for current in between)
    if first == last:
        raise CycleError(f"homoclinic: at {low:g} and {high:g} uA/cm^2 the orbit that leaves the saddle does the same")
    while abs(high - low) > 1e-12 * abs(high):
        middle = 0.5 * (low + high)
        if _fires_on(neuron, middle, duration, step) == first:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _fires_on(neuron: Neuron, current: float, duration: float, step: float) -> bool:
    """Whether the orbit that rises from the saddle rises a second time."""
    with jax.enable_x64(True):
        found = equilibria(neuron, current)
        if len(found) != 3:
            raise CycleError(f"homoclinic: {neuron.name} has {len(found)} equilibria at {current:g} uA/cm^2, not three")
        saddle, given = jnp.asarray(found[1], jnp.float64), jnp.asarray(current, jnp.float64)
        level = float(found[1]) + RISE
        return int(_rises(round(duration / step), neuron, given, _leaving(neuron, saddle), level, step)) > 1


@jax.jit
def _leaving(neuron: Neuron, saddle: Array) -> Array:
    """A point on the branch of the planar saddle's unstable manifold that rises."""
    field, origin = neuron.field(0.0), neuron.state(saddle)
    a = jax.jacfwd(lambda y: field(0.0, y))(origin)
    trace, determinant = a[0, 0] + a[1, 1], a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
    growth = 0.5 * trace + jnp.sqrt(0.25 * trace * trace - determinant)
    return origin + 1e-4 * jnp.stack([jnp.ones_like(growth), a[1, 0] / (growth - a[1, 1])])


@functools.partial(jax.jit, static_argnums=0)
def _rises(steps: int, neuron: Neuron, current: Array, begun: Array, level: Array, step: Array) -> Array:
    """How often the voltage rises through the level."""

    def observe(seen: tuple[Array, Array], time: Array, state: Array, rate: Array) -> tuple[Array, Array]:
        del time, rate
        last, count = seen
        return state[0], count + ((last < level) & (state[0] >= level))

    times = jnp.arange(steps + 1, dtype=begun.dtype) * step
    zero = jnp.zeros((), jnp.int32)
    return rk4_fold(neuron.field(current), begun, times, observe, (begun[0], zero))[1][1]
