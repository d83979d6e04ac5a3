"""Limit cycles along a parameter: shooting with the variational equation, continuation by arclength, folds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.dynamics.fixed_step import Field, rk4_step

Family = Callable[[Any, Any], Field]
"""(pytree of numbers, parameter) -> right-hand side (time, state) -> rate, the state a vector."""
NEWTON_STEPS, TOLERANCE = 12, 1e-10


class CycleError(ValueError):
    """No cycle was found, or it could not be followed; the message says where."""


@dataclass(frozen=True)
class Cycle:
    """A periodic orbit.

    Attributes:
        state: a point of it, shape (dimension,).
        period: in the field's unit of time.
        parameter: of the family.
        multipliers: of Floquet, by falling modulus, shape (dimension,); one of them is 1.
    """

    state: Float[np.ndarray, " dimension"]
    period: float
    parameter: float
    multipliers: Any

    @property
    def stable(self) -> bool:
        """All multipliers but the one that is 1 lie inside the unit circle."""
        trivial = int(np.argmin(np.abs(self.multipliers - 1)))
        return bool(np.all(np.abs(np.delete(self.multipliers, trivial)) < 1))


def flow(field: Field, state: Float[Array, " dimension"], period: Any, steps: int) -> Float[Array, " dimension"]:
    """The state a period later, by `steps` equal steps of the classical Runge-Kutta method."""
    step = period / steps
    return jax.lax.scan(lambda y, _: (rk4_step(field, 0.0, y, step), None), state, length=steps)[0]


@dataclass(frozen=True)
class Shooting:
    """The cycles of a family, as the zeros of `flow(y) - y` under a condition on the phase.

    An unknown is (state / scale, log period, parameter / scale); float64 throughout, x64 enabled or not.

    Attributes:
        family: the vector field; a module's function, so that one compilation serves all numbers.
        numbers: a pytree that the family takes.
        scale: of each component of the state, and then of the parameter: how much of it counts as one.
        steps: of the integration over a period: its error falls with their fourth power.
    """

    family: Family
    numbers: Any
    scale: tuple[float, ...]
    steps: int = 4096

    def pack(self, state: np.ndarray, period: float, parameter: float) -> np.ndarray:
        """The unknown of a state, a period and a parameter."""
        scale = np.asarray(self.scale)
        return np.concatenate([np.asarray(state) / scale[:-1], [np.log(period), parameter / scale[-1]]])

    def cycle(self, unknown: np.ndarray) -> Cycle:
        """The cycle of an unknown."""
        scale, d = np.asarray(self.scale), len(self.scale) - 1
        period = float(np.exp(unknown[d]))
        with jax.enable_x64(True):
            matrix = np.asarray(_monodromy(self.family, self.steps, self.numbers, jnp.asarray(unknown), self._scale()))
        values = np.asarray(np.linalg.eigvals(matrix), np.complex128)
        values = values[np.argsort(-np.abs(values))]
        return Cycle(unknown[:d] * scale[:-1], period, float(unknown[d + 1] * scale[-1]), values)

    def linearized(self, unknown: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The residual, shape (dimension + 1,), and its derivatives, shape (dimension + 1, dimension + 2)."""
        with jax.enable_x64(True):
            found = _linearized(
                self.family, self.steps, self.numbers, jnp.asarray(unknown), jnp.asarray(reference), self._scale()
            )
        return np.asarray(found[0]), np.asarray(found[1])

    def _scale(self) -> Array:
        return jnp.asarray(self.scale, jnp.float64)

    def at(self, guess: np.ndarray) -> np.ndarray:
        """The cycle at the guess's parameter, by Newton's method.

        Raises:
            CycleError: it does not converge.
        """
        pinned = np.zeros(len(guess))
        pinned[-1] = 1.0
        return self.corrected(guess, guess, pinned, guess[-1])

    def corrected(
        self, guess: np.ndarray, reference: np.ndarray, row: np.ndarray, value: float, limit: float = 1.0
    ) -> np.ndarray:
        """The cycle at which row . unknown = value.

        Raises:
            CycleError: Newton's method does not converge, or strays further than the limit.
        """
        u, d = guess.copy(), len(guess) - 2
        for _ in range(NEWTON_STEPS):
            residual, jacobian = self.linearized(u, reference)
            matrix = np.vstack([jacobian, row])
            right = np.append(residual, row @ u - value)
            if not np.all(np.isfinite(matrix)):
                break
            move = np.linalg.solve(matrix, right)
            u = u - move
            if np.max(np.abs(u - guess)) > limit:
                break
            if np.max(np.abs(move)) < TOLERANCE and np.max(np.abs(right[:d])) < 1e-6:
                return u
        raise CycleError(f"no cycle near parameter {guess[-1] * self.scale[-1]:.8g}: Newton's method does not converge")

    def tangent(self, unknown: np.ndarray, along: np.ndarray) -> np.ndarray:
        """The unit vector along the branch whose product with `along` is positive."""
        _, jacobian = self.linearized(unknown, unknown)
        direction = np.linalg.svd(jacobian)[2][-1]
        return direction if direction @ along > 0 else -direction

    def branch(
        self,
        start: np.ndarray,
        direction: float,
        *,
        points: int = 200,
        step: float = 0.02,
        largest: float = 0.2,
        smallest: float = 1e-7,
        longest: float = np.inf,
        within: tuple[float, float] = (-np.inf, np.inf),
    ) -> np.ndarray:
        """Unknowns along the branch from a cycle, shape (points, dimension + 2), through its folds.

        Args:
            start: of `at`.
            direction: the sign in which the parameter goes first.
            points: how many at most.
            step: the first, in arclength of scaled unknowns.
            largest: the longest step.
            smallest: the shortest step; where it is too long the branch is taken to end, at a Hopf point, say.
            longest: period beyond which to stop.
            within: least and largest parameter, beyond which to stop.
        """
        along = np.zeros(len(start))
        along[-1] = direction
        found, u = [start], start
        t = self.tangent(u, along)
        while len(found) < points and step > smallest:
            guess = u + step * t
            try:
                new = self.corrected(guess, u, t, float(t @ guess), limit=step)
                after = self.tangent(new, t)
            except CycleError:
                step *= 0.5
                continue
            if t @ after < 0.9:  # it turns too fast for this step
                step *= 0.5
                continue
            step = min(step * (1.5 if t @ after > 0.99 else 1.0), largest)
            u, t = new, after
            found.append(u)
            if np.exp(u[-2]) > longest or not within[0] <= u[-1] * self.scale[-1] <= within[1]:
                break
        return np.stack(found)

    def fold(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The cycle between two of a branch at which the parameter turns, where two cycles meet.

        The arc is narrowed by false position on the last component of its tangent, which vanishes there.

        Raises:
            CycleError: the parameter does not turn between them.
        """
        chord = after - before
        length = float(np.linalg.norm(chord))
        chord = chord / length
        ends = [(0.0, before), (length, after)]
        slopes = [self.tangent(u, chord)[-1] for _, u in ends]
        if slopes[0] * slopes[1] > 0:
            raise CycleError(f"the parameter does not turn near {before[-1] * self.scale[-1]:.8g}")
        u = before
        for _ in range(40):  # Illinois: false position that halves the weight of an end that stays
            share = slopes[0] / (slopes[0] - slopes[1])
            at = ends[0][0] + share * (ends[1][0] - ends[0][0])
            nearest = min(ends, key=lambda e: abs(e[0] - at))[1]
            guess = ends[0][1] + share * (ends[1][1] - ends[0][1])
            u = self.corrected(guess, nearest, chord, float(chord @ (before + at * chord)))
            slope = self.tangent(u, chord)[-1]
            if abs(slope) < 1e-9 or ends[1][0] - ends[0][0] < 1e-12:
                break
            side = 0 if slope * slopes[0] > 0 else 1
            ends[side], slopes[side] = (at, u), slope
            slopes[1 - side] *= 0.5
        return u

    def folds(self, branch: np.ndarray) -> list[np.ndarray]:
        """Every fold of a branch: where the parameter, from one point to the next, turns.

        Raises:
            CycleError: as for `fold`.
        """
        turns = np.diff(branch[:, -1])
        where = np.flatnonzero(turns[1:] * turns[:-1] < 0)
        return [self.fold(branch[k], branch[k + 2]) for k in where]


def _residual(family: Family, steps: int, numbers: Any, u: Array, reference: Array, scale: Array) -> Array:
    d = u.shape[0] - 2
    field = family(numbers, u[d + 1] * scale[d])
    state, origin = u[:d] * scale[:d], reference[:d] * scale[:d]
    along = family(numbers, reference[d + 1] * scale[d])(0.0, origin) / scale[:d]
    closed = (flow(field, state, jnp.exp(u[d]), steps) - state) / scale[:d]
    phase = jnp.vdot(along, u[:d] - reference[:d]) / jnp.linalg.norm(along)
    return jnp.append(closed, phase)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _linearized(
    family: Family, steps: int, numbers: Any, u: Array, reference: Array, scale: Array
) -> tuple[Array, Array]:
    def both(v: Array) -> tuple[Array, Array]:
        value = _residual(family, steps, numbers, v, reference, scale)
        return value, value

    jacobian, value = jax.jacfwd(both, has_aux=True)(u)
    return value, jacobian


@functools.partial(jax.jit, static_argnums=(0, 1))
def _monodromy(family: Family, steps: int, numbers: Any, u: Array, scale: Array) -> Array:
    d = u.shape[0] - 2
    field = family(numbers, u[d + 1] * scale[d])
    return jax.jacfwd(lambda y: flow(field, y, jnp.exp(u[d]), steps))(u[:d] * scale[:d])
