"""Bounds: what facts about an activation imply for whole networks, sound in floating point."""

from actlab.bounds.errors import UnsupportedLayerError
from actlab.bounds.graph import Network
from actlab.bounds.interval_propagation import interval_bounds, node_intervals
from actlab.bounds.lipschitz import lipschitz_bound
from actlab.bounds.spectral import convolution_norm, spectral_norm
from actlab.bounds.tracing import network

__all__ = [
    "Network",
    "UnsupportedLayerError",
    "convolution_norm",
    "interval_bounds",
    "lipschitz_bound",
    "network",
    "node_intervals",
    "spectral_norm",
]
