"""Saddle-nodes on an invariant circle: whether the orbit that leaves one comes back to it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.dynamics import CycleError, rk4_step
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
        count = int(rises(neuron, current, begun, saddle_node.voltage + RISE, step, round(duration / step)))
    return count == 1


@jax.jit
def rises(neuron: Neuron, current: Array, start: Array, level: Array, step: Array, steps: Array) -> Array:
    """How often the voltage rises through the level, two at most."""
    field = neuron.field(current)

    def go(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        n, state, count = carry
        after = rk4_step(field, 0.0, state, step)
        return n + 1, after, count + ((state[0] < level) & (after[0] >= level))

    def goes_on(carry: tuple[Array, Array, Array]) -> Array:
        return (carry[0] < steps) & (carry[2] < 2)

    zero = jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(goes_on, go, (zero, start, zero))[2]
