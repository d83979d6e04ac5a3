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
from actlab.systems.saliency.exact_paths import exact_integrated_gradients
from actlab.systems.saliency.faithfulness import (
    infidelity,
    infidelity_at,
    perturbation_curve,
    sensitivity_at,
    sensitivity_max,
)
from actlab.systems.saliency.grad_cam import grad_cam
from actlab.systems.saliency.graph_rules import deep_lift, node_values, relevance
from actlab.systems.saliency.imputation import noisy_linear_imputation, road
from actlab.systems.saliency.maps import complexity, effective_complexity, gini, rank_correlation, zero_fraction
from actlab.systems.saliency.quadrature import quadrature_nodes
from actlab.systems.saliency.randomization import cascading_randomization
from actlab.systems.saliency.stability import gradient_lipschitz, largest_change

__all__ = [
    "SaliencyError",
    "Score",
    "cascading_randomization",
    "class_score",
    "complexity",
    "deep_lift",
    "effective_complexity",
    "exact_integrated_gradients",
    "expected_gradients",
    "gini",
    "grad_cam",
    "gradient",
    "gradient_lipschitz",
    "infidelity",
    "infidelity_at",
    "input_times_gradient",
    "integrated_gradients",
    "largest_change",
    "node_values",
    "noisy_linear_imputation",
    "perturbation_curve",
    "quadrature_nodes",
    "rank_correlation",
    "relevance",
    "road",
    "sensitivity_at",
    "sensitivity_max",
    "smooth_gradient",
    "zero_fraction",
]
