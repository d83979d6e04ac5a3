"""Signal: how an activation scales signals and gradients in a wide random network."""

from actlab.signal.moments import Moments, gain, moments
from actlab.signal.quadrature import QuadratureError

__all__ = ["Moments", "QuadratureError", "gain", "moments"]
