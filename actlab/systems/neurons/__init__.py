"""Biological neurons: gates along activation curves, and the bifurcations by which they start to fire."""

from actlab.systems.neurons.bifurcations import (
    Bifurcation,
    bifurcations,
    characteristic,
    current_at,
    equilibria,
    hurwitz,
)
from actlab.systems.neurons.conductance import Gate, Neuron
from actlab.systems.neurons.curve import gate_curve
from actlab.systems.neurons.firing import Excitability, classify, firing_rate
from actlab.systems.neurons.models import (
    Channel,
    ConstantRate,
    FastInward,
    HyperbolicRate,
    morris_lecar,
    persistent_sodium_potassium,
)

__all__ = [
    "Bifurcation",
    "Channel",
    "ConstantRate",
    "Excitability",
    "FastInward",
    "Gate",
    "HyperbolicRate",
    "Neuron",
    "bifurcations",
    "characteristic",
    "classify",
    "current_at",
    "equilibria",
    "firing_rate",
    "gate_curve",
    "hurwitz",
    "morris_lecar",
    "persistent_sodium_potassium",
]
