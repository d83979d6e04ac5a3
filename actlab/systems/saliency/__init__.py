"""Saliency: which inputs a score depends on, and what the activation lets such a map say."""

from actlab.systems.saliency.attribution import (
    SaliencyError,
    Score,
    class_score,
    expected_gradients,
    gradient,
    input_times_gradient,
    integrated_gradients,
    smooth_gradient,
)
from actlab.systems.saliency.faithfulness import infidelity, perturbation_curve, sensitivity_max
from actlab.systems.saliency.graph_rules import deep_lift, exact_integrated_gradients, node_values, relevance
from actlab.systems.saliency.maps import complexity, gini, rank_correlation, zero_fraction
from actlab.systems.saliency.randomization import cascading_randomization
from actlab.systems.saliency.stability import gradient_lipschitz, largest_change

__all__ = [
    "SaliencyError",
    "Score",
    "cascading_randomization",
    "class_score",
    "complexity",
    "deep_lift",
    "exact_integrated_gradients",
    "expected_gradients",
    "gini",
    "gradient",
    "gradient_lipschitz",
    "infidelity",
    "input_times_gradient",
    "integrated_gradients",
    "largest_change",
    "node_values",
    "perturbation_curve",
    "rank_correlation",
    "relevance",
    "sensitivity_max",
    "smooth_gradient",
    "zero_fraction",
]
