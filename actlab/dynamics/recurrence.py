"""Linear recurrences x_t = a_t x_(t-1) + b_t: filters of synapses, traces of neurons, tangents of their potentials."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def linear_recurrence(
    coefficient: Any, drive: Float[Array, "times *shape"], start: Any = 0.0, *, parallel: bool = False
) -> Float[Array, "times *shape"]:
    """x_t = a_t x_(t-1) + b_t for all t.

    Args:
        coefficient: a, of the shape of `drive`; or constant in time: of shape (), or aligned with the last axes.
        drive: b, time first.
        start: x before the first step; of shape (), or that of a step.
        parallel: by an associative scan, of depth log(times), instead of step by step: another order of rounding.

    Source: Blelloch 1990, Prefix sums and their applications, section 1.4.1.
    """
    a = jnp.asarray(coefficient, drive.dtype)
    start = jnp.broadcast_to(jnp.asarray(start, drive.dtype), drive.shape[1:])
    varies = a.ndim == drive.ndim
    if not varies:
        a = jnp.expand_dims(a, tuple(range(drive.ndim - 1 - a.ndim)))
    if parallel:
        coefficients = a if varies else jnp.broadcast_to(a, drive.shape)
        first = drive[:1] + coefficients[:1] * start[None]
        pairs = (coefficients, jnp.concatenate([first, drive[1:]]))
        return jax.lax.associative_scan(lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1]), pairs)[1]

    def step(x: Array, entering: Any) -> tuple[Array, Array]:
        a_t, b_t = entering if varies else (a, entering)
        x = a_t * x + b_t
        return x, x

    return jax.lax.scan(step, start, (a, drive) if varies else drive, unroll=unrolling())[1]


def unrolling() -> int:
    """Steps of a recurrence to unroll: on a CPU none, where it doubles the time; eight where each step is a launch."""
    return 1 if jax.default_backend() == "cpu" else 8
