"""Bounds: what facts about an activation imply for whole networks, sound in floating point."""

from actlab.bounds.certificates import curvature_radius, hessian_bound, lipschitz_radius, margins
from actlab.bounds.errors import UnsupportedLayerError
from actlab.bounds.graph import Network
from actlab.bounds.interval_propagation import interval_bounds, node_intervals
from actlab.bounds.linear_propagation import linear_bounds, specified_interval_bounds
from actlab.bounds.lines import Lines, bounding_lines
from actlab.bounds.lipschitz import lipschitz_bound
from actlab.bounds.region import jacobian_bounds, local_lipschitz_bound
from actlab.bounds.slopes import optimized_linear_bounds
from actlab.bounds.spectral import convolution_norm, spectral_norm
from actlab.bounds.tracing import network

__all__ = [
    "Lines",
    "Network",
    "UnsupportedLayerError",
    "bounding_lines",
    "convolution_norm",
    "curvature_radius",
    "hessian_bound",
    "interval_bounds",
    "jacobian_bounds",
    "linear_bounds",
    "lipschitz_bound",
    "lipschitz_radius",
    "local_lipschitz_bound",
    "margins",
    "network",
    "node_intervals",
    "optimized_linear_bounds",
    "specified_interval_bounds",
    "spectral_norm",
]
