"""Gillespie's direct method, exact in law, for many runs at once.

All runs step together, each at its own time, from one recording time to the next; a run that would pass the next
recording time waits there, and its waiting time is drawn afresh, which memorylessness allows. Random numbers are drawn
for a block of steps at a time.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics.reactions import Counts, Reactions, check_counts


class Runs(NamedTuple):
    """What a stochastic simulation returns.

    Attributes:
        counts: of each species, leaves of shape (times, runs), in the floating dtype of the times.
        firings: reactions fired in each run, shape (runs,); of approximate methods, leaps that went below zero.
    """

    counts: Counts
    firings: Array


def ssa(
    key: Array, reactions: Reactions, counts: Counts, times: Float[Array, " times"], runs: int, *, block: int = 16
) -> Runs:
    """Exact sample paths of the chemical master equation at the given times.

    Args:
        key: for all randomness; any implementation of keys.
        reactions: the network.
        counts: at time 0, a number of each species.
        times: of recording, increasing, the first at least 0; their dtype is that of the computation. In float32 counts
            are exact below 2^24, and a reaction less likely than 2^-23 of the others is not resolved.
        runs: independent runs.
        block: steps between two looks at whether every run has arrived.

    Raises:
        ValueError: the counts are not of the network's species.
    """
    check_counts(reactions, counts)
    dtype = times.dtype
    state = {name: jnp.full((runs,), jnp.asarray(counts[name], dtype)) for name in reactions.species}

    def fire(carry: tuple[Counts, Array, Array], uniforms: Array) -> tuple[tuple[Counts, Array, Array], None]:
        state, left, fired = carry
        rates = [jnp.broadcast_to(jnp.asarray(r, dtype), left.shape) for r in reactions.rates(state)]
        # Sums over the reactions are written out: each is one operation on a whole vector of runs.
        ends = functools.reduce(lambda sums, rate: [*sums, sums[-1] + rate], rates[1:], [rates[0]])
        waiting = -jnp.log1p(-uniforms[0]) / ends[-1]
        fires = waiting <= left
        target = uniforms[1] * ends[-1]
        # The first reaction whose end lies above the target. It is below the last end: the uniform is below 1; the
        # last reaction takes what rounding might leave over.
        reached = [target < end for end in ends[:-1]]
        chosen, before = [], ~fires
        for hit in reached:
            chosen.append(hit & ~before)
            before = before | hit
        chosen.append(~before)
        state = reactions.changed(state, [c.astype(dtype) for c in chosen])
        return (state, jnp.where(fires, left - waiting, -1), fired + fires), None

    def interval(carry: tuple[Counts, Array, Array], span: Array) -> tuple[tuple[Counts, Array, Array], Counts]:
        state, fired, number = carry

        def some_left(inner: Any) -> Array:
            return jnp.any(inner[0][1] >= 0)

        def advance(inner: Any) -> Any:
            carry, number = inner
            uniforms = jax.random.uniform(jax.random.fold_in(key, number), (block, 2, runs), dtype)
            carry, _ = jax.lax.scan(fire, carry, uniforms)
            return carry, number + 1

        left = jnp.full((runs,), span)
        (state, _, fired), number = jax.lax.while_loop(some_left, advance, ((state, left, fired), number))
        return (state, fired, number), state

    spans = jnp.diff(times, prepend=jnp.zeros(1, dtype))
    start = (state, jnp.zeros((runs,), jnp.int32), jnp.zeros((), jnp.uint32))
    (_, fired, _), recorded = jax.lax.scan(interval, start, spans)
    return Runs(recorded, fired)
