"""Neurons whose sodium current spikes and inactivates, and the cubic caricature of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from actlab.systems.neurons.conductance import Gate, Neuron
from actlab.systems.neurons.models import Channel, ConstantRate
from actlab.systems.neurons.rates import (
    ExponentialRate,
    LinoidRate,
    OpenShare,
    SigmoidRate,
    gate_of_rates,
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SodiumPotassium:
    """g_Na m^3 h (V - E_Na) + g_K n^4 (V - E_K) + leak, of the gates (m, h, n).

    Attributes:
        sodium: m^3 h of it open.
        potassium: n^4 of it open.
        leak: always open.
    """

    sodium: Channel
    potassium: Channel
    leak: Channel

    def __call__(self, voltage: Any, opened: tuple[Any, ...]) -> Any:
        """The sum, uA/cm^2."""
        m, h, n = opened
        return (
            self.sodium(voltage, m * m * m * h)
            + self.potassium(voltage, jnp.square(jnp.square(n)))
            + self.leak(voltage)
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InstantSodium:
    """The same with m at rest at every moment, of the gates (h, n).

    Attributes:
        currents: of all three gates.
        activation: the curve of m.
    """

    currents: SodiumPotassium
    activation: Callable[[Any], Any]

    def __call__(self, voltage: Any, opened: tuple[Any, ...]) -> Any:
        """The sum, uA/cm^2."""
        return self.currents(voltage, (self.activation(voltage), *opened))


def hodgkin_huxley(
    *,
    gNa: Any = 120.0,
    gK: Any = 36.0,
    gL: Any = 0.3,
    EL: Any = -54.387,
    m: Gate | None = None,
    h: Gate | None = None,
    n: Gate | None = None,
) -> Neuron:
    """The squid's giant axon at 6.3 degrees C, with rest near -65 mV.

    Args:
        gNa: sodium conductance, mS/cm^2.
        gK: potassium conductance, mS/cm^2.
        gL: leak conductance, mS/cm^2.
        EL: reversal of the leak, mV; some books round it to -54.4, which moves every current by 0.0039 uA/cm^2.
        m: the gate that activates sodium, in place of the published one.
        h: the gate that inactivates it.
        n: the gate of potassium.

    Source: Hodgkin & Huxley 1952, J. Physiol. 117:500, voltages turned and shifted.
    """
    m = gate_of_rates(LinoidRate(1.0, -40.0, 10.0), ExponentialRate(4.0, -65.0, 18.0)) if m is None else m
    h = gate_of_rates(ExponentialRate(0.07, -65.0, 20.0), SigmoidRate(1.0, -35.0, 10.0)) if h is None else h
    n = gate_of_rates(LinoidRate(0.1, -55.0, 10.0), ExponentialRate(0.125, -65.0, 80.0)) if n is None else n
    ionic = SodiumPotassium(Channel(gNa, 50.0), Channel(gK, -77.0), Channel(gL, EL))
    return Neuron(1.0, (m, h, n), ionic, (-100.0, 60.0), "Hodgkin-Huxley")


def wang_buzsaki(
    *, phi: Any = 5.0, gNa: Any = 35.0, gK: Any = 9.0, gL: Any = 0.1, h: Gate | None = None, n: Gate | None = None
) -> Neuron:
    """A fast-spiking interneuron of the hippocampus; sodium activates at once.

    Args:
        phi: factor of temperature on the rates of h and n.
        gNa: sodium conductance, mS/cm^2.
        gK: potassium conductance, mS/cm^2.
        gL: leak conductance, mS/cm^2.
        h: the gate that inactivates sodium, in place of the published one.
        n: the gate of potassium.

    Source: Wang & Buzsaki 1996, J. Neurosci. 16:6402.
    """
    activation = OpenShare(LinoidRate(1.0, -35.0, 10.0), ExponentialRate(4.0, -60.0, 18.0))
    h = gate_of_rates(ExponentialRate(0.07, -58.0, 20.0), SigmoidRate(1.0, -28.0, 10.0), factor=phi) if h is None else h
    n = gate_of_rates(LinoidRate(0.1, -34.0, 10.0), ExponentialRate(0.125, -44.0, 80.0), factor=phi) if n is None else n
    ionic = InstantSodium(SodiumPotassium(Channel(gNa, 55.0), Channel(gK, -90.0), Channel(gL, -65.0)), activation)
    return Neuron(1.0, (h, n), ionic, (-100.0, 70.0), "Wang-Buzsaki")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Cubic:
    """v^3/3 - v + w: the current of FitzHugh's membrane."""

    def __call__(self, voltage: Any, opened: tuple[Any, ...]) -> Any:
        """Without unit."""
        return voltage * voltage * voltage / 3 - voltage + opened[0]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Recovery:
    """(v + a)/b: where FitzHugh's recovery variable tends.

    Attributes:
        a: without unit.
        b: without unit, positive.
    """

    a: Any
    b: Any

    def __call__(self, voltage: Any) -> Any:
        """Without unit."""
        return (voltage + self.a) / self.b


def fitzhugh_nagumo(*, a: Any = 0.7, b: Any = 0.8, epsilon: Any = 0.08) -> Neuron:
    """The cubic membrane v' = v - v^3/3 - w + I with the recovery w' = epsilon (v + a - b w), all without unit.

    Its Hopf points are at v = -+ sqrt(1 - epsilon b); for b < 1 it has no saddle-node.

    Args:
        a: of the recovery.
        b: of the recovery, positive.
        epsilon: how slow it is, positive.

    Source: FitzHugh 1961, Biophys. J. 1:445; Nagumo, Arimoto & Yoshizawa 1962.
    """
    gate = Gate(Recovery(a, b), ConstantRate(epsilon * b))
    return Neuron(1.0, (gate,), Cubic(), (-4.0, 4.0), "FitzHugh-Nagumo")
