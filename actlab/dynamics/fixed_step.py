"""The classical Runge-Kutta method with fixed steps: one scan, on states that are any pytree of arrays.

A state that is a dictionary of scalars becomes, under vmap, a dictionary of vectors, one lane a parameter set: the form
in which a CPU computes a sweep at full width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

State = Any
"""A pytree of floating arrays."""
Field = Callable[[Any, State], State]
"""The right-hand side: (time, state) -> rate of change, a pytree like the state."""
Carry = TypeVar("Carry")


def advanced(y: State, step: Any, rate: State) -> State:
    """`y + step * rate`, leaf by leaf."""
    return jax.tree.map(lambda a, b: a + step * b, y, rate)


def rk4_step(field: Field, t: Any, y: State, dt: Any) -> State:
    """The state one step later, to fourth order in dt (Kutta 1901); dt may be negative."""
    return _stepped(field, t, y, dt, field(t, y))


def _stepped(field: Field, t: Any, y: State, dt: Any, k1: State) -> State:
    """The step, given the rate at its beginning."""
    half = 0.5 * dt
    k2 = field(t + half, advanced(y, half, k1))
    k3 = field(t + half, advanced(y, half, k2))
    k4 = field(t + dt, advanced(y, dt, k3))
    total = jax.tree.map(lambda a, b, c, d: a + 2 * (b + c) + d, k1, k2, k3, k4)
    return advanced(y, dt / 6, total)


def rk4(field: Field, y0: State, times: Float[Array, " times"]) -> State:
    """The states at each of the times, one step from each to the next.

    Args:
        field: the right-hand side.
        y0: the state at `times[0]`.
        times: in the unit of the field's time, increasing; uneven steps are welcome.

    Returns:
        A pytree like y0 whose leaves have one more axis in front, shape (times, ...).
    """

    def step(y: State, ends: Array) -> tuple[State, State]:
        y = rk4_step(field, ends[0], y, ends[1] - ends[0])
        return y, y

    y0 = jax.tree.map(lambda v: jnp.asarray(v, times.dtype), y0)
    _, later = jax.lax.scan(step, y0, jnp.stack([times[:-1], times[1:]], axis=1))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), y0, later)


def rk4_fold(
    field: Field,
    y0: State,
    times: Float[Array, " times"],
    observe: Callable[[Carry, Any, State, State], Carry],
    carry: Carry,
) -> tuple[State, Carry]:
    """Integrates without keeping the trajectory: `observe` sees each state in turn and carries what is wanted.

    Args:
        field: the right-hand side.
        y0: the state at `times[0]`.
        times: as of `rk4`.
        observe: (carry, time, state, rate of change) -> carry, at each of the times; the rate costs nothing.
        carry: what it starts from.

    Returns:
        The last state and the last carry.
    """

    def step(state: tuple[State, Carry], ends: Array) -> tuple[tuple[State, Carry], None]:
        (y, seen), t = state, ends[0]
        rate = field(t, y)
        return (_stepped(field, t, y, ends[1] - t, rate), observe(seen, t, y, rate)), None

    y0 = jax.tree.map(lambda v: jnp.asarray(v, times.dtype), y0)
    (y, seen), _ = jax.lax.scan(step, (y0, carry), jnp.stack([times[:-1], times[1:]], axis=1))
    return y, observe(seen, times[-1], y, field(times[-1], y))
