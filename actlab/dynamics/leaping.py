"""Approximate stochastic simulation with fixed steps: tau-leaping and the chemical Langevin equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics.reactions import Counts, Reactions, check_counts
from actlab.dynamics.ssa import Runs

Draw = Callable[[Array, Any, Any], Any]
"""(key, propensity, step) -> firings within the step."""


def tau_leaping(
    key: Array, reactions: Reactions, counts: Counts, times: Float[Array, " times"], runs: int, *, steps: int
) -> Runs:
    """Poisson numbers of firings with the propensities of each step's beginning (Gillespie 2001).

    The mean is off by the order of the step; exact for propensities that are constant. A count that a leap took below
    0 is set to 0, and `firings` counts those leaps for each run: with any of them, take smaller steps.

    Args:
        key: a threefry key (the default): Poisson variates need one.
        reactions: the network.
        counts: at time 0.
        times: of recording, increasing, the first at least 0.
        runs: independent runs.
        steps: between two recording times.

    Raises:
        ValueError: the counts are not of the network's species.
    """

    def draw(key: Array, rate: Array, dt: Array) -> Array:
        return jax.random.poisson(key, rate * dt, rate.shape).astype(rate.dtype)

    return _leaps(key, reactions, counts, times, runs, steps, draw)


def langevin(
    key: Array, reactions: Reactions, counts: Counts, times: Float[Array, " times"], runs: int, *, steps: int
) -> Runs:
    """The chemical Langevin equation (Gillespie 2000) by Euler and Maruyama: one Wiener process for each reaction.

    For counts that are large at all times. Counts are real numbers; one that fell below 0 is set to 0, and `firings`
    counts those steps for each run.

    Args:
        key: for all randomness.
        reactions: the network.
        counts: at time 0.
        times: of recording, increasing, the first at least 0.
        runs: independent runs.
        steps: between two recording times.

    Raises:
        ValueError: the counts are not of the network's species.
    """

    def draw(key: Array, rate: Array, dt: Array) -> Array:
        mean = rate * dt
        return mean + jnp.sqrt(mean) * jax.random.normal(key, rate.shape, rate.dtype)

    return _leaps(key, reactions, counts, times, runs, steps, draw)


def _leaps(key: Array, reactions: Reactions, counts: Counts, times: Array, runs: int, steps: int, draw: Draw) -> Runs:
    check_counts(reactions, counts)
    dtype = times.dtype
    state = {name: jnp.full((runs,), jnp.asarray(counts[name], dtype)) for name in reactions.species}

    def leap(carry: tuple[Counts, Array], dt_and_key: tuple[Array, Array]) -> tuple[tuple[Counts, Array], None]:
        (state, below), (dt, key) = carry, dt_and_key
        rates: Sequence[Any] = [jnp.broadcast_to(jnp.asarray(r, dtype), (runs,)) for r in reactions.rates(state)]
        keys = jax.random.split(key, len(rates))
        state = reactions.changed(state, [draw(k, r, dt) for k, r in zip(keys, rates, strict=True)])
        negative = jnp.any(jnp.stack([v < 0 for v in state.values()]), axis=0)
        return ({name: jnp.maximum(v, 0) for name, v in state.items()}, below + negative), None

    def interval(carry: tuple[Counts, Array], span_and_key: tuple[Array, Array]) -> tuple[Any, Counts]:
        span, key = span_and_key
        carry, _ = jax.lax.scan(leap, carry, (jnp.full((steps,), span / steps), jax.random.split(key, steps)))
        return carry, carry[0]

    spans = jnp.diff(times, prepend=jnp.zeros(1, dtype))
    start = (state, jnp.zeros((runs,), jnp.int32))
    (_, below), recorded = jax.lax.scan(interval, start, (spans, jax.random.split(key, times.shape[0])))
    return Runs(recorded, below)
