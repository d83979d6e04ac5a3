"""The potentials of LIF neurons at all steps, their derivative as one linear recurrence, spikes summed as they come."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from actlab.activations.definition import aligned
from actlab.dynamics import linear_recurrence, unrolling
from actlab.systems.spiking.lif import LIF, carried, carried_slope, emitted, input_gain, is_detached, slope_is_decay


def potentials(
    neuron: LIF, current: Float[Array, "times *shape"], start: Any = 0.0, *, parallel: bool = False
) -> Float[Array, "times *shape"]:
    """The potential at every step, before the reset; `emitted` gives its spikes.

    Its derivative is not that of the loop step by step, but the same numbers as one linear recurrence
    du_t = carried'(u_(t-1)) du_(t-1) + ..., which keeps nothing but u: forward, reverse and higher derivatives.

    Args:
        neuron: the parameters.
        current: the input, time first; the last axis is that of the units.
        start: the potential before the first step.
        parallel: all steps at once, as `parallel_potentials`: the same bits; derivatives by an associative scan.
    """
    start = jnp.broadcast_to(jnp.asarray(start, current.dtype), current.shape[1:])
    return _potentials(is_detached(neuron), parallel, neuron, current, start)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _potentials(detached: bool, parallel: bool, neuron: LIF, current: Array, start: Array) -> Array:
    del detached
    if parallel:
        return parallel_potentials(neuron, current, start).potentials
    return _loop(neuron, current, start, None)[0]


def _loop(neuron: LIF, current: Array, start: Array, weights: Array | None) -> tuple[Array, Array]:
    """Potentials of all steps, and the sum of weights_t s_t over t (0 without weights).

    The loop carries the input and overwrites each step of it by its potential: one array in memory instead of two.
    """
    gain = input_gain(neuron, start)

    def step(t: Any, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        u, written, total = state
        u = carried(neuron, u) + gain * jax.lax.dynamic_index_in_dim(written, t, keepdims=False)
        if weights is not None:
            total += weights[t] * emitted(neuron, u)
        return u, jax.lax.dynamic_update_index_in_dim(written, u, t, 0), total

    state = (start, current, jnp.zeros_like(start))
    return jax.lax.fori_loop(0, current.shape[0], step, state, unroll=unrolling())[1:]


@functools.partial(_potentials.defjvp, symbolic_zeros=True)
def _potentials_jvp(detached: bool, parallel: bool, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    u = _potentials(detached, parallel, *primals)
    return u, _moved(detached, parallel, u, primals, tangents)


def _moved(detached: bool, parallel: bool, u: Array, primals: tuple, tangents: tuple) -> Array:
    """The tangent of the potentials u."""
    (neuron, current, start), (dneuron, dcurrent, dstart) = primals, tangents
    previous = jnp.concatenate([start[None], u[:-1]])
    drive = input_gain(neuron, current) * _materialized(dcurrent)
    if _trained(dneuron):  # else these passes over the arrays would add zeros
        moved = jax.tree.map(_materialized, dneuron)
        drive += jax.jvp(lambda n: carried(n, previous) + input_gain(n, current) * current, (neuron,), (moved,))[1]
    dstart = _materialized(dstart)
    return linear_recurrence(carried_slope(neuron, previous, detached), drive, dstart, parallel=parallel)


def _trained(tangent: Any) -> bool:
    return not all(isinstance(d, SymbolicZero) for d in jax.tree.leaves(tangent))


def _materialized(tangent: Any) -> Any:
    """A tangent as an array, zeros where JAX knows it to be zero."""
    shape: Any = tangent.aval if isinstance(tangent, SymbolicZero) else None
    return tangent if shape is None else jnp.zeros(shape.shape, shape.dtype)


class Parallel(NamedTuple):
    """Potentials found for all steps at once.

    Attributes:
        potentials: as the loop over the steps computes them, to the bit.
        scans: associative scans until the spikes no longer changed.
        sweeps: further sweeps of the step itself until no bit changed: the certificate.
    """

    potentials: Array
    scans: Array
    sweeps: Array


def parallel_potentials(neuron: LIF, current: Float[Array, "times *shape"], start: Any = 0.0) -> Parallel:
    """The potentials of the loop, its resets included, by iterations that are parallel in time.

    Given all spikes, potentials are a linear recurrence, solved by an associative scan; given potentials, spikes are
    read. When they no longer change, the step is applied to all times at once until no bit does. That map is strictly
    causal, u_t depends on u_(t-1) alone, so its fixed point is unique: it is the loop's result. After k sweeps the
    first k steps are exact, so that it ends; it takes few where spikes are sparse or the leak is fast.
    """
    start = jnp.broadcast_to(jnp.asarray(start, current.dtype), current.shape[1:])
    gain = input_gain(neuron, current)
    driven, decay, theta = gain * current, aligned(neuron.decay, current), aligned(neuron.threshold, current)

    def before(u: Array) -> Array:
        return jnp.concatenate([start[None], u[:-1]])

    def scanned(s: Array) -> Array:
        if neuron.reset == "zero":
            return linear_recurrence(decay * (1 - s), driven, start, parallel=True)
        taken = {"none": 0.0, "subtract": theta, "subtract and decay": decay * theta}[neuron.reset]
        return linear_recurrence(neuron.decay, driven - taken * s, start, parallel=True)

    def scan_again(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        s, _, _, count = state
        u = scanned(s)
        new = emitted(neuron, before(u))
        return new, u, jnp.all(new == s), count + 1

    def sweep_again(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        u, _, count = state
        new = carried(neuron, before(u)) + driven
        return new, jnp.all(new == u), count + 1

    zero, steps = jnp.zeros((), jnp.int32), current.shape[0]
    silent = (jnp.zeros_like(current), jnp.zeros_like(current), jnp.zeros((), bool), zero)
    _, u, _, scans = jax.lax.while_loop(lambda v: ~v[2] & (v[3] <= steps), scan_again, silent)
    u, _, sweeps = jax.lax.while_loop(lambda v: ~v[1] & (v[2] <= steps), sweep_again, (u, jnp.zeros((), bool), zero))
    return Parallel(u, scans, sweeps)


def lif(neuron: LIF, current: Float[Array, "times *shape"]) -> tuple[Array, Array]:
    """Spikes and potentials of neurons that do not see each other, both of the shape of the input, time first."""
    u = potentials(neuron, current)
    return emitted(neuron, u), u


def weighted_spikes(
    neuron: LIF, current: Float[Array, "times *shape"], weights: Float[Array, " times"]
) -> tuple[Array, Array]:
    """The sum of weights_t s_t over t, and the potentials of `lif`: spikes are added as they come and never stored.

    Args:
        neuron: the parameters.
        current: the input, time first; the last axis is that of the units.
        weights: of the spikes of each step: ones count them, those of `mean_leaky_weights` read them out.
    """
    start, weights = jnp.zeros(current.shape[1:], current.dtype), jnp.asarray(weights, current.dtype)
    u, total = _weighted(is_detached(neuron), neuron, current, start, weights)
    return total, u


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _weighted(detached: bool, neuron: LIF, current: Array, start: Array, weights: Array) -> tuple[Array, Array]:
    del detached
    return _loop(neuron, current, start, weights)


@functools.partial(_weighted.defjvp, symbolic_zeros=True)
def _weighted_jvp(detached: bool, primals: tuple, tangents: tuple) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    (neuron, *_, weights), (dneuron, *_, dweights) = primals, tangents
    u, total = _weighted(detached, *primals)
    if slope_is_decay(neuron, detached) and not _trained(dneuron):
        du, dtotal = _loop_moved(u, primals, tangents)
    else:
        du = _moved(detached, False, u, primals[:3], tangents[:3])
        moved = jax.tree.map(_materialized, dneuron)
        dtotal = jnp.tensordot(weights, jax.jvp(emitted, (neuron, u), (moved, du))[1], axes=1)
    if _trained(dweights):
        dtotal += jnp.tensordot(_materialized(dweights), emitted(neuron, u), axes=1)
    return (u, total), (du, dtotal)


def _loop_moved(u: Array, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """The tangents where the slope of `carried` is the decay: one loop, whose reverse keeps no slope of a spike."""
    (neuron, current, _, weights), (_, dcurrent, dstart, _) = primals, tangents
    decay, theta = aligned(neuron.decay, u[0]), aligned(neuron.threshold, u[0])

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def step(moved: tuple[Array, Array], entering: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        du, dtotal = moved
        u, drive, weight = entering
        du = decay * du + drive
        return (du, dtotal + weight * neuron.surrogate.evaluate(u - theta) * du), du

    drive = input_gain(neuron, current) * _materialized(dcurrent)
    start = _materialized(dstart), jnp.zeros_like(u[0])
    (_, dtotal), du = jax.lax.scan(step, start, (u, drive, weights), unroll=unrolling())
    return du, dtotal
