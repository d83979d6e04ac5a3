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
from actlab.systems.neurons.cycles import CycleBranch, PhaseResponse, cycle_at, cycle_branch, phase_response, shooting
from actlab.systems.neurons.design import Boundary, SpikeFit, class_boundary, fit_spikes, spike_times
from actlab.systems.neurons.firing import Excitability, classify, firing_rate, spike_count
from actlab.systems.neurons.homoclinic import Homoclinic, homoclinic
from actlab.systems.neurons.invariant_circle import on_invariant_circle
from actlab.systems.neurons.models import (
    Channel,
    ConstantRate,
    FastInward,
    HyperbolicRate,
    morris_lecar,
    persistent_sodium_potassium,
)
from actlab.systems.neurons.rates import (
    ExponentialRate,
    LinoidRate,
    OpenShare,
    SigmoidRate,
    TotalRate,
    gate_of_rates,
    linoid,
)
from actlab.systems.neurons.response import (
    Zap,
    doublet_response,
    impedance,
    peak_response,
    pulses,
    rebound_response,
    zap,
)
from actlab.systems.neurons.spike_models import fitzhugh_nagumo, hodgkin_huxley, wang_buzsaki

__all__ = [
    "Bifurcation",
    "Boundary",
    "Channel",
    "ConstantRate",
    "CycleBranch",
    "Excitability",
    "ExponentialRate",
    "FastInward",
    "Gate",
    "Homoclinic",
    "HyperbolicRate",
    "LinoidRate",
    "Neuron",
    "OpenShare",
    "PhaseResponse",
    "SigmoidRate",
    "SpikeFit",
    "TotalRate",
    "Zap",
    "bifurcations",
    "characteristic",
    "class_boundary",
    "classify",
    "current_at",
    "cycle_at",
    "cycle_branch",
    "doublet_response",
    "equilibria",
    "firing_rate",
    "fit_spikes",
    "fitzhugh_nagumo",
    "gate_curve",
    "gate_of_rates",
    "hodgkin_huxley",
    "homoclinic",
    "hurwitz",
    "impedance",
    "linoid",
    "morris_lecar",
    "on_invariant_circle",
    "peak_response",
    "persistent_sodium_potassium",
    "phase_response",
    "pulses",
    "rebound_response",
    "shooting",
    "spike_count",
    "spike_times",
    "wang_buzsaki",
    "zap",
]
