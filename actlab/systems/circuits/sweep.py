"""Pulses of very many feed-forward loops: fixed steps, no trajectory kept, blocks that stay in the cache."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics import rk4_fold
from actlab.systems.circuits.motifs import Loop, feed_forward_loop
from actlab.systems.circuits.simulation import start


class Pulses(NamedTuple):
    """Pulses of many loops.

    Attributes:
        height: of the highest peak of Z, by the same parabola; the last level where Z only rises, shape (sets,).
        peak_time: when, to second order in the step (a parabola through three levels), shape (sets,).
        final: Z at the end, shape (sets,).
    """

    height: Array
    peak_time: Array
    final: Array


@functools.partial(jax.jit, static_argnames=("loop", "steps", "end", "block"))
def sweep(
    parameters: dict[str, Float[Array, " sets"]],
    X: Any = 1.0,
    *,
    loop: Loop = "I1",
    end: float = 20.0,
    steps: int = 400,
    block: int = 4096,
) -> Pulses:
    """The pulses of Z from 0 after a step of X, one loop for each row of the parameters.

    Args:
        parameters: arguments of `feed_forward_loop` by name (n, K_xy, ...), shape (sets,); their dtype is that of the
            computation.
        X: the input from time 0 on.
        loop: the kind.
        end: of the integration, in units of 1/removal.
        steps: of fourth order, even.
        block: sets computed at a time.
    """
    dt = end / steps
    dtype = jax.tree.leaves(parameters)[0].dtype

    def one(row: dict[str, Any]) -> Pulses:
        circuit = feed_forward_loop(loop, **row)
        y0 = start(circuit, None, dtype)

        def observe(
            seen: tuple[Array, Array, Array, Array], t: Array, y: dict[str, Array]
        ) -> tuple[Array, Array, Array, Array]:
            # The last two levels, and the highest vertex of a parabola through three in a row, with its time.
            before, last, height, time = seen
            z = y["Z"]
            bend, lean = before - 2 * last + z, 0.5 * (z - before)
            turns = (last >= before) & (last > z)
            shift = jnp.where(turns, -lean / jnp.where(bend == 0, 1, bend), 0)
            vertex = last + 0.5 * lean * shift
            higher = turns & (vertex > height)
            return last, z, jnp.where(higher, vertex, height), jnp.where(higher, t - dt + shift * dt, time)

        zero = jnp.zeros((), dtype)
        y, (_, _, height, time) = rk4_fold(
            circuit.field({"X": jnp.asarray(X, dtype)}), y0, dt, steps, observe, (zero, zero, zero, zero)
        )
        rising = height == 0
        return Pulses(jnp.where(rising, y["Z"], height), jnp.where(rising, end, time), y["Z"])

    return jax.lax.map(one, parameters, batch_size=block)
