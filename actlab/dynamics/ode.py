"""Adaptive integration of ordinary differential equations, by diffrax."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics.fixed_step import Field, State

Method = Literal["tsit5", "dopri8", "kvaerno5"]
Derivatives = Literal["reverse", "forward"]


class Solution(NamedTuple):
    """What an integration returns.

    Attributes:
        states: a pytree like the initial state, leaves of shape (times, ...).
        steps: accepted and rejected steps together.
    """

    states: State
    steps: Any


def integrate(
    field: Field,
    y0: State,
    times: Float[Array, " times"],
    *,
    method: Method = "tsit5",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 16_384,
    derivatives: Derivatives = "reverse",
) -> Solution:
    """Solves y' = field(t, y) with error control and returns y at the times.

    Args:
        field: the right-hand side.
        y0: the state at `times[0]`.
        times: increasing. A step ends at each of them, so that no value is interpolated: interpolants are of lower
            order, and of a stiff system too poor by far.
        method: "tsit5" (order 5; Tsitouras 2011) or "dopri8" (order 8; for tolerances below 1e-9) where the system is
            not stiff, "kvaerno5" (order 5, L-stable, implicit; Kvaerno 2004) where it is.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step, in the state's unit.
        max_steps: accepted and rejected together; one more is granted for each of the times, as a step ends there.
        derivatives: the mode in which the result can be differentiated: "reverse" (grad; memory of a checkpointed
            backward pass) or "forward" (jvp, jacfwd).

    Raises:
        RuntimeError: the steps ran out, or an implicit step did not converge (diffrax's own message).
    """
    import diffrax

    solver = {"tsit5": diffrax.Tsit5, "dopri8": diffrax.Dopri8, "kvaerno5": diffrax.Kvaerno5}[method]()
    adjoint = diffrax.ForwardMode() if derivatives == "forward" else diffrax.RecursiveCheckpointAdjoint()
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, args: field(t, y)),
        solver,
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=jax.tree.map(lambda v: jnp.asarray(v, times.dtype), y0),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.ClipStepSizeController(diffrax.PIDController(rtol=rtol, atol=atol), step_ts=times),
        max_steps=max_steps + times.shape[0],
        adjoint=adjoint,
    )
    return Solution(solution.ys, solution.stats["num_steps"])
