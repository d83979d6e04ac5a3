"""The functions of the C library and of scipy, and by how much their values are taken to be off: an assumption."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, no_type_check

import numpy as np

ULPS = 8
SMALLEST = 5e-324
AT_ZERO = {"exp": 1.0, "cosh": 1.0, "logistic": 0.5, "erfc": 1.0}
"""Values at 0, exactly."""
UNDERFLOWING = ("exp", "logistic", "erfc", "softplus")
"""May underflow to 0."""


@no_type_check
def widened(v: np.ndarray, sign: float) -> np.ndarray:
    """Moved by ULPS units in the last place; 0 is exact (no function here has an inexact zero save by underflow)."""
    with np.errstate(all="ignore"):
        moved = v + sign * (np.abs(v) * (ULPS * 2.0**-52) + ULPS * SMALLEST)
    moved = np.where(np.isinf(v), np.where(v * sign > 0, v, np.copysign(np.finfo(float).max, v)), moved)
    return np.where(v == 0, v, moved)


@functools.cache
@no_type_check
def function(name: str) -> tuple[Callable[..., Any], float, float]:
    """The function of the C library or of scipy, and the bounds of its values."""
    inf = math.inf
    plain: dict[str, tuple[Any, float, float]] = {
        "exp": (np.exp, 0.0, inf),
        "expm1": (np.expm1, -1.0, inf),
        "log": (np.log, -inf, inf),
        "log1p": (np.log1p, -inf, inf),
        "tanh": (np.tanh, -1.0, 1.0),
        "sinh": (np.sinh, -inf, inf),
        "cosh": (np.cosh, 1.0, inf),
        "asin": (np.arcsin, -1.5707963267948968, 1.5707963267948968),
        "acos": (np.arccos, 0.0, 3.1415926535897936),
        "atan": (np.arctan, -1.5707963267948968, 1.5707963267948968),
        "asinh": (np.arcsinh, -inf, inf),
        "acosh": (np.arccosh, 0.0, inf),
        "atanh": (np.arctanh, -inf, inf),
        "cbrt": (np.cbrt, -inf, inf),
        "tan": (np.tan, -inf, inf),
        "softplus": (lambda v: np.maximum(v, 0.0) + np.log1p(np.exp(-np.abs(v))), 0.0, inf),
    }
    if name in plain:
        return plain[name]
    from scipy import special

    return {
        "logistic": (special.expit, 0.0, 1.0),
        "erf": (special.erf, -1.0, 1.0),
        "erfc": (special.erfc, 0.0, 2.0),
        "erf_inv": (special.erfinv, -inf, inf),
    }[name]
