"""Saddle-nodes on an invariant circle: whether the orbit that leaves one comes back to it."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.dynamics import CycleError, rk4_fold
from actlab.systems.neurons.bifurcations import Bifurcation
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
