"""Published neurons, their gates Activations that can be exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

import actlab.activations as al
from actlab.activations import Activation
from actlab.systems.neurons.conductance import Gate, Neuron


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Channel:
    """A current g p(open fractions) (V - E).

    Attributes:
        conductance: g, mS/cm^2.
        reversal: E, mV.
    """

    conductance: Any
    reversal: Any

    def __call__(self, voltage: Any, opened: Any = 1.0) -> Any:
        """The current, uA/cm^2, with this share of the channels open."""
        return self.conductance * opened * (voltage - self.reversal)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FastInward:
    """Currents of a cell whose inward gate follows the voltage at once and whose outward gate is slow.

    Attributes:
        inward: calcium or sodium.
        fast: the inward gate's curve.
        outward: potassium.
        leak: always open.
    """

    inward: Channel
    fast: Activation
    outward: Channel
    leak: Channel

    def __call__(self, voltage: Any, opened: tuple[Any, ...]) -> Any:
        """The sum, uA/cm^2."""
        return self.inward(voltage, self.fast(voltage)) + self.outward(voltage, opened[0]) + self.leak(voltage)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HyperbolicRate:
    """phi cosh((V - half) / (2 width)), 1/ms: fastest far from the half-voltage.

    Attributes:
        phi: 1/ms at the half-voltage.
        half: mV.
        width: mV.
    """

    phi: Any
    half: Any
    width: Any

    def __call__(self, voltage: Any) -> Any:
        """1/ms."""
        return self.phi * jnp.cosh((voltage - self.half) / (2 * self.width))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ConstantRate:
    """The same at every voltage.

    Attributes:
        value: 1/ms.
    """

    value: Any

    def __call__(self, voltage: Any) -> Any:
        """1/ms."""
        return self.value + 0.0 * voltage


def morris_lecar(
    *,
    gCa: Any = 4.4,
    phi: Any = 0.04,
    V3: Any = 2.0,
    V4: Any = 30.0,
    V1: Any = -1.2,
    V2: Any = 18.0,
    gK: Any = 8.0,
    gL: Any = 2.0,
    fast: Activation | None = None,
    slow: Activation | None = None,
) -> Neuron:
    """The barnacle muscle fibre in its two variables; by default the set with Hopf bifurcations.

    The curves are (1 + tanh((V - V1)/V2))/2, that is the Boltzmann curve of half-voltage V1 and width V2/2; `fast` and
    `slow` replace them. V4 and V3 also set the rate of the slow gate. With gCa = 4, phi = 0.067, V3 = 12, V4 = 17.4
    firing starts by a saddle-node on an invariant circle.

    Args:
        gCa: calcium conductance, mS/cm^2.
        phi: rate of the potassium gate at its half-voltage, 1/ms. Books have 0.067 for the second set, the web
            appendix 1/15: they differ in the third digit of every Hopf point.
        V3: half-voltage of the potassium gate, mV.
        V4: twice its width, mV.
        V1: half-voltage of the calcium gate, mV.
        V2: twice its width, mV.
        gK: potassium conductance, mS/cm^2.
        gL: leak conductance, mS/cm^2.
        fast: the calcium gate's curve.
        slow: the potassium gate's curve.

    Source: Morris & Lecar 1981, Biophys. J. 35:193; sets of Rinzel & Ermentrout 1998, Methods in Neuronal Modeling,
    table 7.1.
    """
    fast = al.boltzmann.bind(V_half=V1, k=V2 / 2) if fast is None else fast
    slow = al.boltzmann.bind(V_half=V3, k=V4 / 2) if slow is None else slow
    ionic = FastInward(Channel(gCa, 120.0), fast, Channel(gK, -84.0), Channel(gL, -60.0))
    return Neuron(20.0, (Gate(slow, HyperbolicRate(phi, V3, V4)),), ionic, (-100.0, 150.0), "Morris-Lecar")


def persistent_sodium_potassium(
    *, V_half: Any = -25.0, tau: Any = 1.0, fast: Activation | None = None, slow: Activation | None = None
) -> Neuron:
    """The I_Na,p + I_K cell; by default with the high-threshold potassium gate.

    Args:
        V_half: half-voltage of the potassium gate, mV; -45 is the low threshold.
        tau: time constant of the potassium gate, ms.
        fast: the sodium gate's curve.
        slow: the potassium gate's curve.

    Source: Izhikevich 2007, Dynamical Systems in Neuroscience, figure 4.1.
    """
    fast = al.boltzmann.bind(V_half=-20.0, k=15.0) if fast is None else fast
    slow = al.boltzmann.bind(V_half=V_half, k=5.0) if slow is None else slow
    ionic = FastInward(Channel(20.0, 60.0), fast, Channel(10.0, -90.0), Channel(8.0, -80.0))
    return Neuron(1.0, (Gate(slow, ConstantRate(1 / tau)),), ionic, (-95.0, 65.0), "I_Na,p + I_K")
