"""Signal: how an activation scales signals and gradients in a wide random network."""

from actlab.signal.criticality import CriticalPoint, NoCriticalPointError, critical_point, critical_points
from actlab.signal.dual import Dual, dual
from actlab.signal.kernels import Kernels, kernels
from actlab.signal.mean_field import (
    FixedPoint,
    NoFixedPointError,
    Stability,
    correlation_map,
    fixed_point,
    susceptibility,
    variance_map,
    variance_slope,
)
from actlab.signal.moments import Moments, gain, layer_gains, moments
from actlab.signal.propagation import Growth, gradient_growth, jacobian_spread, predicted_gradient_growth
from actlab.signal.quadrature import QuadratureError
from actlab.signal.rank import effective_rank, stable_rank
from actlab.signal.self_normalizing import (
    NormalizingPoint,
    NotNormalizingError,
    normalizing_point,
    self_normalizing,
)
from actlab.signal.tailoring import Tailored, TailoringError, dks, plain, residual, tat, tat_leaky_relu
from actlab.signal.trainability import GradientPath, correlation_bound, gradient_path, trainable_depth

__all__ = [
    "CriticalPoint",
    "Dual",
    "FixedPoint",
    "GradientPath",
    "Growth",
    "Kernels",
    "Moments",
    "NoCriticalPointError",
    "NoFixedPointError",
    "NormalizingPoint",
    "NotNormalizingError",
    "QuadratureError",
    "Stability",
    "Tailored",
    "TailoringError",
    "correlation_bound",
    "correlation_map",
    "critical_point",
    "critical_points",
    "dks",
    "dual",
    "effective_rank",
    "fixed_point",
    "gain",
    "gradient_growth",
    "gradient_path",
    "jacobian_spread",
    "kernels",
    "layer_gains",
    "moments",
    "normalizing_point",
    "plain",
    "predicted_gradient_growth",
    "residual",
    "self_normalizing",
    "stable_rank",
    "susceptibility",
    "tat",
    "tat_leaky_relu",
    "trainable_depth",
    "variance_map",
    "variance_slope",
]
