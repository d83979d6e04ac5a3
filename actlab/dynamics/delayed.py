"""Delay differential equations with constant delays: the Runge-Kutta method on a grid that the delays are multiples of.

Each kink that a delay carries forward then falls on a grid point, and the order stays four. Half-way values of the
past are cubic Hermite interpolants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics.fixed_step import State, advanced

DelayedField = Callable[[Any, State, tuple[State, ...]], State]
"""(time, state, the states one delay ago, for each delay) -> rate of change."""


class DelayError(ValueError):
    """A delay that the grid cannot hold; the message names it and the remedy."""


def delay_steps(delay: float, dt: float) -> int:
    """How many steps a delay is.

    Raises:
        DelayError: it is not a positive multiple of the step.
    """
    steps = round(delay / dt)
    if steps < 1 or abs(steps * dt - delay) > 1e-9 * max(delay, dt):
        raise DelayError(f"delay {delay:g} is no positive multiple of the step {dt:g}; take dt = {delay:g}/k, k whole")
    return steps


def rk4_delayed(
    field: DelayedField, y0: State, dt: float, steps: int, delays: tuple[float, ...]
) -> tuple[Float[Array, " times"], State]:
    """Integrates from time 0; before it the state was y0 for ever.

    Args:
        field: the right-hand side.
        y0: a pytree of floating arrays.
        dt: the step.
        steps: how many.
        delays: in the unit of dt, each a positive multiple of it.

    Returns:
        The times, shape (steps + 1,), and the states there, leaves of shape (steps + 1, ...).

    Raises:
        DelayError: a delay is not a positive multiple of the step.
    """
    lags = tuple(delay_steps(d, dt) for d in delays)
    length = max(lags, default=1) + 1
    dtype = jnp.result_type(*jax.tree.leaves(y0), float)
    y0 = jax.tree.map(lambda v: jnp.asarray(v, dtype), y0)

    def past(buffer: tuple[State, State], k: Array, lag: int, stage: Any) -> State:
        values, rates = buffer

        def at(v: Array, index: Array) -> Array:
            return v[jnp.mod(index, length)]

        left, right = k - lag, k - lag + 1
        if stage == 0:
            return jax.tree.map(lambda v: at(v, left), values)
        if stage == 1:
            return jax.tree.map(lambda v: at(v, right), values)

        def half_way(v: Array, r: Array) -> Array:
            a, b = at(v, left), at(v, right)
            middle = 0.5 * (a + b) + dt / 8 * (at(r, left) - at(r, right))
            return jnp.where(right <= 0, a, middle)  # before time 0 the state did not move

        return jax.tree.map(half_way, values, rates)

    def lagged(buffer: tuple[State, State], k: Array, stage: Any) -> tuple[State, ...]:
        return tuple(past(buffer, k, lag, stage) for lag in lags)

    def step(carry: tuple[State, tuple[State, State]], k: Array) -> tuple[tuple[State, tuple[State, State]], State]:
        y, (values, rates) = carry
        t, half = k.astype(dtype) * dt, 0.5 * dt
        k1 = field(t, y, lagged((values, rates), k, 0))
        rates = jax.tree.map(lambda r, new: r.at[jnp.mod(k, length)].set(new), rates, k1)
        middle, end = (lagged((values, rates), k, stage) for stage in (0.5, 1))
        k2 = field(t + half, advanced(y, half, k1), middle)
        k3 = field(t + half, advanced(y, half, k2), middle)
        k4 = field(t + dt, advanced(y, dt, k3), end)
        y = advanced(y, dt / 6, jax.tree.map(lambda a, b, c, d: a + 2 * (b + c) + d, k1, k2, k3, k4))
        values = jax.tree.map(lambda v, new: v.at[jnp.mod(k + 1, length)].set(new), values, y)
        return (y, (values, rates)), y

    values = jax.tree.map(lambda v: jnp.broadcast_to(v, (length, *v.shape)), y0)
    rates = jax.tree.map(jnp.zeros_like, values)
    _, later = jax.lax.scan(step, (y0, (values, rates)), jnp.arange(steps))
    states = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), y0, later)
    return jnp.arange(steps + 1, dtype=dtype) * dt, states
