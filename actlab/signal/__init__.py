"""Signal: how an activation scales signals and gradients in a wide random network."""

from actlab.signal.moments import Moments, QuadratureError, gain, moments

__all__ = ["Moments", "QuadratureError", "gain", "moments"]
