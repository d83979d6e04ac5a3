"""A neuron's limit cycles along the current: the branch through its folds, where it ends, and the phase response."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.dynamics import Cycle, CycleError, Field, Shooting, rk4, rk4_step
from actlab.systems.neurons.conductance import Neuron

UNIT = 20.0
"""uA/cm^2 that count as one on a branch; of the voltage 50 mV do, of an open fraction 1."""


@dataclass(frozen=True)
class CycleBranch:
    """Cycles along the current, in order of arclength.

    Attributes:
        cycles: points of the branch, folds not among them.
        folds: cycles at which the current turns and two cycles meet.
    """

    cycles: tuple[Cycle, ...]
    folds: tuple[Cycle, ...]

    @property
    def currents(self) -> Float[np.ndarray, " points"]:
        """uA/cm^2."""
        return np.array([c.parameter for c in self.cycles])

    @property
    def periods(self) -> Float[np.ndarray, " points"]:
        """Of the cycles, ms."""
        return np.array([c.period for c in self.cycles])


def shooting(neuron: Neuron, *, steps: int = 4096) -> Shooting:
    """The neuron's cycles as zeros, for `actlab.dynamics`.

    Args:
        neuron: all of its leaves numbers.
        steps: of an integration over a period; the step should stay below 0.1 ms, or what the fastest gate asks for.
    """
    return Shooting(_family, neuron, (50.0, *(1.0,) * len(neuron.gates), UNIT), steps)


def cycle_at(neuron: Neuron, current: float, *, steps: int = 4096, duration: float = 1500.0) -> Cycle:
    """The stable cycle at a current: from a simulation, then by Newton's method.

    Args:
        neuron: all of its leaves numbers.
        current: uA/cm^2.
        steps: of an integration over a period.
        duration: ms of the simulation.

    Raises:
        CycleError: the simulated cell does not fire at least three times, or Newton's method does not converge.
    """
    problem = shooting(neuron, steps=steps)
    return problem.cycle(problem.at(_fired(neuron, problem, current, duration)))


def cycle_branch(
    neuron: Neuron,
    current: float,
    *,
    direction: float = -1.0,
    steps: int = 4096,
    points: int = 150,
    longest: float = 500.0,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> CycleBranch:
    """The branch of cycles from the stable one at a current, through folds to a Hopf point or a long period.

    Args:
        neuron: all of its leaves numbers.
        current: uA/cm^2, at which it fires.
        direction: the sign in which the current goes first.
        steps: of an integration over a period.
        points: at most.
        longest: ms, at which to stop.
        within: currents at which to stop, uA/cm^2.

    Raises:
        CycleError: as `cycle_at`.
    """
    problem = shooting(neuron, steps=steps)
    start = problem.at(_fired(neuron, problem, current, 1500.0))
    branch = problem.branch(start, direction, points=points, longest=longest, within=within)
    return CycleBranch(tuple(problem.cycle(u) for u in branch), tuple(problem.cycle(u) for u in problem.folds(branch)))


def _family(neuron: Neuron, current: Any) -> Field:
    return neuron.field(current)


@jax.jit
def _trace(neuron: Neuron, current: Array, times: Array) -> Array:
    low = 0.5 * (neuron.voltages[0] + neuron.voltages[1])
    return rk4(neuron.field(current), neuron.state(jnp.asarray(low, times.dtype)).at[1:].multiply(0.5), times)


def _fired(neuron: Neuron, problem: Shooting, current: float, duration: float) -> np.ndarray:
    """The last spike's start and period in a simulation, as a guess."""
    step = 0.05
    with jax.enable_x64(True):
        times = jnp.arange(round(duration / step) + 1, dtype=jnp.float64) * step
        states = np.asarray(_trace(neuron, jnp.asarray(current, jnp.float64), times))
    late = states[len(states) // 2 :, 0]
    level = 0.5 * (late.min() + late.max())
    rises = np.flatnonzero((states[:-1, 0] < level) & (states[1:, 0] >= level))
    if len(rises) < 3 or np.ptp(late) < 1.0:
        raise CycleError(f"{neuron.name} does not fire at {current:g} uA/cm^2 within {duration:g} ms")
    share = (level - states[rises, 0]) / (states[rises + 1, 0] - states[rises, 0])
    at = (rises + share) * step
    begun = states[rises[-1]] + share[-1] * (states[rises[-1] + 1] - states[rises[-1]])
    return problem.pack(begun, at[-1] - at[-2], current)


class PhaseResponse(NamedTuple):
    """The infinitesimal phase response along a cycle.

    Attributes:
        times: from the cycle's state on, ms, shape (points,).
        states: of the cycle, shape (points, dimension).
        advance: by how many ms a small kick of each component brings the next spikes forward, over the kick, shape
            (points, dimension); its first column, ms/mV, is the phase response curve.
        drift: the largest deviation of advance . field from 1, which it is along the cycle.
    """

    times: np.ndarray
    states: np.ndarray
    advance: np.ndarray
    drift: float

    @property
    def delaying(self) -> float:
        """The share of the voltage's response that delays: near 0 for type 1, well above it for type 2."""
        area = np.abs(self.advance[:, 0])
        return float(area[self.advance[:, 0] < 0].sum() / area.sum())


def phase_response(neuron: Neuron, cycle: Cycle, *, steps: int = 4096) -> PhaseResponse:
    """The phase response by the adjoint equation, solved backward along the cycle by autodiff of the steps.

    Args:
        neuron: all of its leaves numbers.
        cycle: of `cycle_at`, stable.
        steps: those of the cycle.

    Source: Ermentrout & Terman 2010, Mathematical Foundations of Neuroscience, section 8.2.
    """
    with jax.enable_x64(True):
        start, period = jnp.asarray(cycle.state, jnp.float64), jnp.asarray(cycle.period, jnp.float64)
        states, rates, advance = _adjoint(steps, neuron, jnp.asarray(cycle.parameter, jnp.float64), start, period)
    drift = float(np.max(np.abs(np.sum(np.asarray(rates) * np.asarray(advance), axis=1) - 1)))
    times = np.arange(steps) * cycle.period / steps
    return PhaseResponse(times, np.asarray(states), np.asarray(advance), drift)


@functools.partial(jax.jit, static_argnums=0)
def _adjoint(steps: int, neuron: Neuron, current: Array, start: Array, period: Array) -> tuple[Array, Array, Array]:
    field, step = neuron.field(current), period / steps

    def forward(y: Array, _: None) -> tuple[Array, Array]:
        return rk4_step(field, 0.0, y, step), y

    _, states = jax.lax.scan(forward, start, length=steps)

    def backward(z: Array, y: Array) -> tuple[Array, Array]:
        (z,) = jax.vjp(lambda v: rk4_step(field, 0.0, v, step), y)[1](z)
        return z, z

    # Three turns of the adjoint leave the periodic solution alone of any start, as the cycle is stable.
    z = field(0.0, start) / jnp.sum(jnp.square(field(0.0, start)))
    for _ in range(3):
        z, _ = jax.lax.scan(backward, z, states, reverse=True)
        z = z / jnp.vdot(z, field(0.0, start))
    _, advance = jax.lax.scan(backward, z, states, reverse=True)
    return states, jax.vmap(lambda y: field(0.0, y))(states), advance
