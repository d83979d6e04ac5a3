"""The zero of a function of one number between two ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq


def zero_between(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-14) -> float:
    """Where a continuous function is 0, by Brent's method, to the tolerance in absolute and relative terms.

    Raises:
        ValueError: the function has the same sign at both ends.
    """
    relative = max(tolerance, 4 * float(np.finfo(float).eps))  # the least that scipy takes
    return float(brentq(function, low, high, xtol=tolerance, rtol=relative))  # pyright: ignore[reportArgumentType]
