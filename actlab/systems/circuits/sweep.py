"""Pulses of very many feed-forward loops: fixed steps, no trajectory kept, blocks that stay in the cache."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics import rk4_fold
from actlab.systems.circuits.circuit import Circuit
from actlab.systems.circuits.design import design_times
from actlab.systems.circuits.motifs import LOOPS, Loop, loop_of
from actlab.systems.circuits.response import logistic_curve
from actlab.systems.circuits.simulation import start


class Pulses(NamedTuple):
    """Pulses of many loops.

    Attributes:
        height: of the highest peak of Z; the last level where Z only rises, shape (sets,).
        peak_time: when; the end where Z only rises, shape (sets,).
        final: Z at the end, shape (sets,).
    """

    height: Array
    peak_time: Array
    final: Array


def fast_loop(loop: Loop, n: Any, K_xy: Any, K_xz: Any, K_yz: Any) -> Circuit:
    """The loop with an AND gate and unit rates, its Hill curves as logistic functions of the logarithm.

    The same curves up to rounding: exp and log are vector instructions where a power with a fractional exponent is not.
    """
    signs_and_K = zip(LOOPS[loop], (K_xy, K_yz, K_xz), strict=True)
    return loop_of(*(logistic_curve(sign, n, K) for sign, K in signs_and_K))


@functools.partial(jax.jit, static_argnames=("loop", "steps", "end", "block"))
def sweep(
    parameters: dict[str, Float[Array, " sets"]],
    X: Any = 1.0,
    *,
    loop: Loop = "I1",
    end: float = 20.0,
    steps: int = 200,
    block: int = 4096,
) -> Pulses:
    """The pulses of Z from 0 after a step of X from 0, one loop for each row of the parameters.

    Peaks are those of the cubic through the levels and rates at the ends of a step.

    Args:
        parameters: n, K_xy, K_xz and K_yz by name, shape (sets,); their dtype is that of the computation.
        X: the input from time 0 on.
        loop: the kind.
        end: of the integration, in units of 1/removal.
        steps: of fourth order, in proportion to the root of time.
        block: sets computed at a time.
    """
    dtype = jax.tree.leaves(parameters)[0].dtype
    times = design_times(end, steps, dtype)

    def one(row: dict[str, Any]) -> Pulses:
        circuit = fast_loop(loop, **row)

        def observe(seen: tuple[Array, ...], t: Array, y: dict[str, Any], rate: dict[str, Any]) -> tuple[Array, ...]:
            t0, z0, r0, height, time = seen
            z, r, h = y["Z"], rate["Z"], t - t0
            share = _summit(z - z0, h * r0, h * r)
            level = z0 + _cubic(share, z - z0, h * r0, h * r)
            higher = (r0 > 0) & (r <= 0) & (level > height)
            return t, z, r, jnp.where(higher, level, height), jnp.where(higher, t0 + share * h, time)

        zero = jnp.zeros((), dtype)
        y, (_, _, _, height, time) = rk4_fold(
            circuit.field({"X": jnp.asarray(X, dtype)}), start(circuit, None, dtype), times, observe, (zero,) * 5
        )
        rising = height == 0
        return Pulses(jnp.where(rising, y["Z"], height), jnp.where(rising, end, time), y["Z"])

    return jax.lax.map(one, parameters, batch_size=block)


def _summit(rise: Array, r0: Array, r1: Array) -> Array:
    """Where in [0, 1] the Hermite cubic has its maximum: rates r0 > 0 >= r1 over the step; anything elsewhere."""
    a, b = 3 * (r0 + r1) - 6 * rise, 6 * rise - 4 * r0 - 2 * r1
    root = -b + jnp.sqrt(jnp.maximum(b * b - 4 * a * r0, 0))
    return jnp.clip(2 * r0 / jnp.where(root > 0, root, 1), 0, 1)


def _cubic(s: Array, rise: Array, r0: Array, r1: Array) -> Array:
    """The Hermite cubic at s, less its value at 0."""
    return rise * s * s * (3 - 2 * s) + r0 * s * (1 - s) ** 2 - r1 * s * s * (1 - s)
