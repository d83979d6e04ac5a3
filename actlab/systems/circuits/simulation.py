"""Trajectories and steady states of circuits."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics import equilibrium, integrate, rk4, rk4_delayed
from actlab.systems.circuits.circuit import Circuit, CircuitError, Levels, at_time, check_inputs, check_levels

Solver = Literal["rk4", "tsit5", "dopri8", "kvaerno5"]


class Trajectory(NamedTuple):
    """Concentrations over time.

    Attributes:
        times: shape (times,).
        levels: of each entry of the state, shape (times,).
    """

    times: Float[Array, " times"]
    levels: Levels


def start(circuit: Circuit, levels: Mapping[str, Any] | None = None, dtype: Any = None) -> Levels:
    """A full state: the given concentrations, 0 for the others.

    Raises:
        CircuitError: a name that is none of the circuit's.
    """
    given = check_levels(circuit, levels)
    dtype = jnp.result_type(float) if dtype is None else dtype
    return {name: jnp.asarray(given.get(name, 0.0), dtype) for name in circuit.names}


def simulate(
    circuit: Circuit,
    inputs: Mapping[str, Any] | None,
    times: Float[Array, " times"],
    initial: Mapping[str, Any] | None = None,
    *,
    solver: Solver = "rk4",
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> Trajectory:
    """The concentrations at the times.

    Args:
        circuit: without delays; with them, `simulate_delayed`.
        inputs: concentrations from outside: numbers, or functions of time.
        times: increasing; "rk4" takes one step from each to the next. Their dtype is that of the computation.
        initial: at `times[0]`; 0 where not given.
        solver: fixed steps, or adaptive ones: "tsit5", "dopri8", and "kvaerno5" where the circuit is stiff.
        rtol: of adaptive steps.
        atol: of adaptive steps.

    Raises:
        CircuitError: inputs or initial concentrations do not fit the circuit, or it has delays.
    """
    if circuit.delays:
        raise CircuitError("this circuit has delays; use simulate_delayed")
    field, y0 = circuit.field(inputs), start(circuit, initial, times.dtype)
    if solver == "rk4":
        return Trajectory(times, rk4(field, y0, times))
    return Trajectory(times, integrate(field, y0, times, method=solver, rtol=rtol, atol=atol).states)


def simulate_delayed(
    circuit: Circuit,
    inputs: Mapping[str, Any] | None,
    dt: float,
    steps: int,
    initial: Mapping[str, Any] | None = None,
) -> Trajectory:
    """The concentrations of a circuit with delays, by fixed steps; before time 0 they were the initial ones.

    Args:
        circuit: with or without delays.
        inputs: numbers, or functions of time that are defined before 0 too.
        dt: the step, of which every delay is a multiple.
        steps: how many.
        initial: concentrations at and before time 0; 0 where not given.

    Raises:
        CircuitError: inputs or initial concentrations do not fit the circuit.
        DelayError: a delay is no multiple of the step.
    """
    given, delays = check_inputs(circuit, inputs), circuit.delays

    def field(t: Any, y: Levels, past: tuple[Levels, ...]) -> Levels:
        lagged = {d: {**at_time(given, t - d), **p} for d, p in zip(delays, past, strict=True)}
        return circuit.rates({**at_time(given, t), **y}, lagged)

    return Trajectory(*rk4_delayed(field, start(circuit, initial), dt, steps, delays))


def feed_forward_order(circuit: Circuit) -> tuple[str, ...] | None:
    """The genes ordered so that each comes after its regulators, or None where the graph has a cycle."""
    regulators = {g.name: [r.source for r in g.regulations if r.source not in circuit.inputs] for g in circuit.genes}
    try:
        return tuple(graphlib.TopologicalSorter(regulators).static_order())
    except graphlib.CycleError:
        return None


def steady_state(
    circuit: Circuit, inputs: Mapping[str, Any] | None = None, guess: Mapping[str, Any] | None = None
) -> Levels:
    """Levels that do not change: in closed form along the arrows, or by Newton's method where they form a cycle.

    Args:
        circuit: delays do not matter.
        inputs: numbers.
        guess: where Newton's method starts; which of several states is found depends on it.

    Raises:
        CircuitError: inputs or guess do not fit the circuit.
    """
    given, order = check_inputs(circuit, inputs), feed_forward_order(circuit)
    if order is None:

        def rate(y: Levels) -> Levels:
            levels = {**given, **y}
            return circuit.rates(levels, dict.fromkeys(circuit.delays, levels))

        return equilibrium(rate, start(circuit, guess))
    levels = dict(given)
    for name in order:
        g = circuit.gene(name)
        made = g.basal + g.production * g.promoter(levels)
        if g.translation is None:
            levels[name] = made / g.removal
        else:
            levels[g.mrna] = made / g.mrna_removal
            levels[name] = g.translation * levels[g.mrna] / g.removal
    return {name: jnp.asarray(levels[name]) for name in circuit.names}


def log_gain(circuit: Circuit, inputs: Mapping[str, Any], source: str, gene: str) -> Array:
    """The log gain d ln(steady level) / d ln(an input): 0 for perfect adaptation, 1 for proportional response."""

    def level(log_x: Array) -> Array:
        return jnp.log(steady_state(circuit, {**inputs, source: jnp.exp(log_x)})[gene])

    return jax.grad(level)(jnp.log(jnp.asarray(inputs[source], jnp.result_type(float))))
