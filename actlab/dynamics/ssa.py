"""Gillespie's direct method, exact in law, for many runs at once.

All runs step together, each at its own time, from one recording time to the next; a run that would pass the next
recording time waits there, and its waiting time is drawn afresh, which memorylessness allows.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics.reactions import Counts, Reactions, check_counts
from actlab.dynamics.threefry import stream_keys, two_uniforms


class Runs(NamedTuple):
    """What a stochastic simulation returns.

    Attributes:
        counts: of each species, leaves of shape (times, runs), in the floating dtype of the times.
        firings: reactions fired in each run, shape (runs,); of approximate methods, leaps that went below zero.
    """

    counts: Counts
    firings: Array


def ssa(
    key: Array, reactions: Reactions, counts: Counts, times: Float[Array, " times"], runs: int, *, block: int = 8
) -> Runs:
    """Exact sample paths of the chemical master equation at the given times.

    A thousand runs at a time are fastest on a CPU, as they stay in its cache and none waits long for the slowest: for
    more, `jax.lax.map` over keys.

    Args:
        key: for all randomness; any implementation of keys.
        reactions: the network.
        counts: at time 0, a number of each species.
        times: of recording, increasing, the first at least 0; their dtype is that of the computation. In float32 counts
            are exact below 2^24, and a reaction less likely than 2^-24 of the others is not resolved.
        runs: independent runs.
        block: steps between two looks at whether every run has arrived.

    Raises:
        ValueError: the counts are not of the network's species.
    """
    check_counts(reactions, counts)
    dtype = times.dtype
    state = {name: jnp.full((runs,), jnp.asarray(counts[name], dtype)) for name in reactions.species}

    keys, lanes = stream_keys(key, dtype), jnp.arange(runs, dtype=jnp.uint32)

    def fire(_: Any, carry: tuple[Counts, Array, Array, Array]) -> tuple[Counts, Array, Array, Array]:
        state, left, fired, step = carry
        uniform, other = two_uniforms(keys, step, lanes, dtype)
        rates = [jnp.broadcast_to(jnp.asarray(r, dtype), left.shape) for r in reactions.rates(state)]
        rates = jax.lax.optimization_barrier(rates)  # computed once, not again for each of their uses
        # Sums over the reactions are written out: each is one operation on a whole vector of runs.
        ends = functools.reduce(lambda sums, rate: [*sums, sums[-1] + rate], rates[1:], [rates[0]])
        waiting = -jnp.log(1 - uniform) / ends[-1]
        fires = waiting <= left
        target = other * ends[-1]
        # The first reaction whose end lies above the target. It is below the last end: the uniform is below 1; the
        # last reaction takes what rounding might leave over.
        reached = [target < end for end in ends[:-1]]
        chosen, before = [], ~fires
        for hit in reached:
            chosen.append(hit & ~before)
            before = before | hit
        chosen.append(~before)
        state = reactions.changed(state, [c.astype(dtype) for c in chosen])
        return state, jnp.where(fires, left - waiting, -1), fired + fires, step + jnp.uint32(1)

    def interval(carry: tuple[Counts, Array, Array], span: Array) -> tuple[tuple[Counts, Array, Array], Counts]:
        state, fired, step = carry
        state, _, fired, step = jax.lax.while_loop(
            lambda inner: jnp.any(inner[1] >= 0),
            lambda inner: jax.lax.fori_loop(0, block, fire, inner),
            (state, jnp.full((runs,), span), fired, step),
        )
        return (state, fired, step), state

    spans = jnp.diff(times, prepend=jnp.zeros(1, dtype))
    start = (state, jnp.zeros((runs,), jnp.int32), jnp.zeros((), jnp.uint32))
    (_, fired, _), recorded = jax.lax.scan(interval, start, spans)
    return Runs(recorded, fired)
