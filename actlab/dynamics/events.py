"""Extremes and crossings of a quantity along a trajectory, to the accuracy of the steps and differentiable.

A grid only brackets an event. From the grid point next to it Newton's method finds how far to step so that the
condition holds exactly; the last Newton step carries the derivatives, which are then those of the implicit function
theorem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics.fixed_step import Field, State, rk4_step

NEWTON_STEPS = 6
"""From a grid point next to a simple root: the error squares at each, and two are enough for float64."""
Quantity = Callable[[State], Array]


class Event(NamedTuple):
    """When a condition holds, and the state then.

    Attributes:
        time: nan where there is none.
        state: at that time.
        found: whether there is one inside the times.
    """

    time: Any
    state: State
    found: Any


def extreme(
    field: Field, times: Float[Array, " times"], states: State, quantity: Quantity, *, largest: bool = True
) -> Event:
    """Where a quantity of the state is largest (or least) inside the times; not found where that is at an end.

    Args:
        field: the right-hand side that the trajectory solves.
        times: of the grid.
        states: on it, leaves of shape (times, ...).
        quantity: a scalar of a state.
        largest: False for the least value.
    """
    values = jax.vmap(quantity)(states)
    index = jnp.argmax(values if largest else -values)
    inside = (index > 0) & (index < times.shape[0] - 1)
    return _refined(field, times, states, jnp.clip(index, 1, times.shape[0] - 2), _rate(field, quantity), inside)


def crossing(field: Field, times: Float[Array, " times"], states: State, quantity: Quantity, level: Any) -> Event:
    """The first time at which a quantity of the state passes a level, from either side.

    Args:
        field: the right-hand side that the trajectory solves.
        times: of the grid.
        states: on it, leaves of shape (times, ...).
        quantity: a scalar of a state.
        level: in the quantity's unit.
    """
    above = jax.vmap(quantity)(states) > level
    passed = above[1:] != above[:-1]
    return _refined(field, times, states, jnp.argmax(passed), lambda t, y: quantity(y) - level, jnp.any(passed))


def _rate(field: Field, quantity: Quantity) -> Callable[[Any, State], Array]:
    """The quantity's rate of change along the field."""
    return lambda t, y: jax.jvp(quantity, (y,), (field(t, y),))[1]


def _refined(
    field: Field, times: Array, states: State, index: Array, condition: Callable[[Any, State], Array], found: Array
) -> Event:
    t0 = times[index]
    y0 = jax.tree.map(lambda v: v[index], states)
    reach = jnp.maximum(times[index + 1] - t0, t0 - times[jnp.maximum(index - 1, 0)])

    def residual(delta: Array) -> Array:
        return condition(t0 + delta, rk4_step(field, t0, y0, delta))

    def newton(delta: Array) -> Array:
        value, slope = jax.jvp(residual, (delta,), (jnp.ones_like(delta),))
        return jnp.clip(delta - value / jnp.where(slope == 0, 1, slope), -reach, reach)

    def improve(delta: Array, _: None) -> tuple[Array, None]:
        return jax.lax.stop_gradient(newton(delta)), None

    delta, _ = jax.lax.scan(improve, jnp.zeros_like(t0), length=NEWTON_STEPS)
    value, slope = jax.jvp(residual, (delta,), (jnp.ones_like(delta),))
    delta = delta - value / jax.lax.stop_gradient(jnp.where(slope == 0, 1, slope))
    return Event(jnp.where(found, t0 + delta, jnp.nan), rk4_step(field, t0, y0, delta), found)
