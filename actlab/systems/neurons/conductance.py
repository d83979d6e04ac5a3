"""Conductance-based neurons: a membrane, gates along activation curves, currents.

Units: mV, ms, uA/cm^2, mS/cm^2, uF/cm^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Activation


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gate:
    """A gate x with x' = rate(V) (steady(V) - x).

    Attributes:
        steady: the open fraction at rest: an Activation of V in mV with values in [0, 1], or another function.
        rate: V in mV -> 1/ms, positive.
    """

    steady: Activation | Callable[[Any], Any]
    rate: Callable[[Any], Any]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Neuron:
    """C V' = I - ionic(V, gates), one more equation a gate.

    Attributes:
        capacitance: uF/cm^2.
        gates: in the order in which `ionic` takes their open fractions.
        ionic: (V in mV, open fractions) -> the sum of the ionic currents, uA/cm^2; gates that are always at rest are
            inside it. A pytree, so that conductances and curves may be swept or trained.
        voltages: mV, between which equilibria are sought.
        name: for errors.
    """

    capacitance: Any
    gates: tuple[Gate, ...]
    ionic: Callable[[Any, tuple[Any, ...]], Any]
    voltages: tuple[float, float] = field(default=(-150.0, 150.0), metadata={"static": True})
    name: str = field(default="neuron", metadata={"static": True})

    def field(self, current: Any) -> Callable[[Any, Array], Array]:
        """The right-hand side (t, state) -> rate under a constant current, uA/cm^2; the state is V, then the gates."""
        parts = self.field_of_parts(current)
        return lambda t, state: jnp.stack(parts(t, tuple(state)))

    def field_of_parts(self, current: Any) -> Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]:
        """The same on a tuple of numbers: under vmap one vector each, which a CPU computes at full width."""

        def rate(t: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
            del t
            voltage, *opened = state
            moved = [g.rate(voltage) * (g.steady(voltage) - x) for g, x in zip(self.gates, opened, strict=True)]
            return ((current - self.ionic(voltage, tuple(opened))) / self.capacitance, *moved)

        return rate

    def at_rest(self, voltage: Any) -> tuple[Any, ...]:
        """The open fractions at equilibrium at a voltage."""
        return tuple(gate.steady(voltage) for gate in self.gates)

    def state(self, voltage: Any) -> Float[Array, " dimension"]:
        """The equilibrium at a voltage: V and the open fractions."""
        return jnp.stack([jnp.asarray(voltage), *self.at_rest(voltage)])

    def current(self, voltage: Any) -> Any:
        """The current, uA/cm^2, whose equilibrium has this voltage: explicit, so equilibria are roots in one number."""
        return self.ionic(voltage, self.at_rest(voltage))
