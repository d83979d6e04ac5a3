"""Spiking networks: neurons that integrate and fire, and what the surrogate of their derivative does to gradients."""

from actlab.systems.spiking.adaptive import AdaptiveLIF
from actlab.systems.spiking.budget import Budget, LayerBudget, advice, gradient_budget, potential_bound
from actlab.systems.spiking.encoding import (
    NEVER,
    linear_latency,
    logarithmic_latency,
    raster,
    rate_code,
    shuffled_in_time,
)
from actlab.systems.spiking.laws import (
    Moments,
    convergence_order,
    critical_beta,
    critical_peak,
    gaussian_moments,
    largest_factor,
    limit_moments,
)
from actlab.systems.spiking.lif import LIF, RESETS, carried, carried_slope, emitted, run
from actlab.systems.spiking.losses import (
    activity_penalty,
    count_loss,
    first_spike_loss,
    first_spike_steps,
    max_over_time_loss,
)
from actlab.systems.spiking.model import Activity, Recipe, SpikingNet, accuracy, train_classifier
from actlab.systems.spiking.potentials import Parallel, lif, parallel_potentials, potentials, weighted_spikes
from actlab.systems.spiking.randman import Randman, randman
from actlab.systems.spiking.reading import surrogate_of
from actlab.systems.spiking.surrogates import (
    ALIASES,
    SHAPES,
    Shape,
    ShapeFacts,
    SpikingError,
    Surrogate,
    spike,
    surrogate,
)
from actlab.systems.spiking.synapses import (
    alpha_synapse,
    delayed,
    exponential_synapse,
    leaky_readout,
    mean_leaky_readout,
    mean_leaky_weights,
    synaptic_current,
)

__all__ = [
    "ALIASES",
    "LIF",
    "NEVER",
    "RESETS",
    "SHAPES",
    "Activity",
    "AdaptiveLIF",
    "Budget",
    "LayerBudget",
    "Moments",
    "Parallel",
    "Randman",
    "Recipe",
    "Shape",
    "ShapeFacts",
    "SpikingError",
    "SpikingNet",
    "Surrogate",
    "accuracy",
    "activity_penalty",
    "advice",
    "alpha_synapse",
    "carried",
    "carried_slope",
    "convergence_order",
    "count_loss",
    "critical_beta",
    "critical_peak",
    "delayed",
    "emitted",
    "exponential_synapse",
    "first_spike_loss",
    "first_spike_steps",
    "gaussian_moments",
    "gradient_budget",
    "largest_factor",
    "leaky_readout",
    "lif",
    "limit_moments",
    "linear_latency",
    "logarithmic_latency",
    "max_over_time_loss",
    "mean_leaky_readout",
    "mean_leaky_weights",
    "parallel_potentials",
    "potential_bound",
    "potentials",
    "randman",
    "raster",
    "rate_code",
    "run",
    "shuffled_in_time",
    "spike",
    "surrogate",
    "surrogate_of",
    "synaptic_current",
    "train_classifier",
    "weighted_spikes",
]
