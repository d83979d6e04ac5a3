"""Measures of a response to a step: pulse, response time, adaptation (Ma et al. 2009), and their sensitivities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics import crossing, extreme
from actlab.systems.circuits.circuit import Circuit
from actlab.systems.circuits.simulation import simulate, steady_state


class Pulse(NamedTuple):
    """The pulse of a gene after a step of the input.

    Attributes:
        peak_time: of the highest level; nan where the level rises to the end.
        height: the level then, in concentration; nan likewise.
        steady: the level at rest afterwards.
        half_time: when half of the steady level is passed for the first time.
    """

    peak_time: Any
    height: Any
    steady: Any
    half_time: Any

    @property
    def overshoot(self) -> Any:
        """Height over steady level."""
        return self.height / self.steady

    def acceleration(self, removal: Any = 1.0) -> Any:
        """How many times sooner half-way than simple regulation with this removal rate, which needs ln 2 / removal."""
        return math.log(2) / removal / self.half_time


def pulse(
    circuit: Circuit,
    inputs: Mapping[str, Any],
    times: Float[Array, " times"],
    gene: str = "Z",
    initial: Mapping[str, Any] | None = None,
) -> Pulse:
    """The pulse of a gene from the initial state (0 where not given) under constant inputs; differentiable.

    Args:
        circuit: feed-forward, without delays.
        inputs: concentrations from time 0 on.
        times: the steps of the integration, from 0 on, fine where the circuit is fast.
        gene: whose pulse.
        initial: concentrations at time 0.
    """
    field, (_, levels) = circuit.field(inputs), simulate(circuit, inputs, times, initial)
    steady = steady_state(circuit, inputs)[gene]
    top = extreme(field, times, levels, lambda y: y[gene])
    half = crossing(field, times, levels, lambda y: y[gene], 0.5 * steady)
    height = jnp.where(top.found, top.state[gene], jnp.nan)
    return Pulse(top.time, height, steady, half.time)


class Adaptation(NamedTuple):
    """Response to a step of the input from rest (Ma et al. 2009, eq. 1 and 2).

    Attributes:
        sensitivity: relative change of the output at its extreme over that of the input.
        precision: relative change of the input over that of the output at rest; infinite for perfect adaptation.
        before: output at rest before the step.
        extreme: output farthest from it afterwards.
        after: output at rest after the step.
    """

    sensitivity: Any
    precision: Any
    before: Any
    extreme: Any
    after: Any


def adaptation(
    circuit: Circuit,
    source: str,
    step: tuple[Any, Any],
    times: Float[Array, " times"],
    gene: str = "Z",
) -> Adaptation:
    """Sensitivity and precision of a gene's response when one input steps from the first to the second level.

    Args:
        circuit: feed-forward, without delays, with one input.
        source: the input.
        step: its concentrations before and after.
        times: the steps of the integration, long enough to come to rest.
        gene: the output.
    """
    rest = steady_state(circuit, {source: step[0]})
    after = steady_state(circuit, {source: step[1]})[gene]
    levels = simulate(circuit, {source: step[1]}, times, rest).levels[gene]
    before = rest[gene]
    seen = jnp.append(levels, after)
    far = seen[jnp.argmax(jnp.abs(seen - before))]
    relative_input = abs(step[1] - step[0]) / step[0]
    return Adaptation(
        jnp.abs((far - before) / before) / relative_input,
        relative_input / jnp.abs((after - before) / before),
        before,
        far,
        after,
    )


def half_way_time(
    circuit: Circuit, source: str, step: tuple[Any, Any], times: Float[Array, " times"], gene: str = "Z"
) -> Array:
    """When a gene's level is first half-way between its levels at rest before and after a step of one input.

    ln 2 / removal for simple regulation: above that the circuit delays, below it accelerates. nan where both levels
    are equal.

    Args:
        circuit: feed-forward, without delays, with one input.
        source: the input.
        step: its concentrations before and after.
        times: the steps of the integration, long enough to come to rest.
        gene: the output.
    """
    rest, inputs = steady_state(circuit, {source: step[0]}), {source: step[1]}
    levels = simulate(circuit, inputs, times, rest).levels
    half = 0.5 * (rest[gene] + steady_state(circuit, inputs)[gene])
    return crossing(circuit.field(inputs), times, levels, lambda y: y[gene], half).time


def log_sensitivities(measure: Callable[[Circuit], Array], circuit: Circuit) -> Circuit:
    """The log sensitivities d ln(measure) / d ln(parameter) to every rate, K and n: a circuit whose leaves hold them.

    0 where the parameter is 0.

    Args:
        measure: a positive number of a circuit, differentiable.
        circuit: where.
    """
    parameters = jax.tree.map(jnp.asarray, circuit)
    value, slopes = jax.value_and_grad(measure)(parameters)
    return jax.tree.map(lambda p, s: p * s / value, parameters, slopes)
