"""The Hill function's laws that circuits rely on: steepest slope, slope on an interval, the logarithmic form."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation, FactError


def steepest(n: float, K: float = 1.0) -> tuple[float, float]:
    """Where the Hill activation x^n / (K^n + x^n) is steepest, and its slope there.

    x* = K ((n-1)/(n+1))^(1/n) and (n-1)^(1-1/n) (n+1)^(1+1/n) / (4nK) for n > 1; 0 and 1/K for n = 1. At x = K the
    slope is n/(4K), which is less. The repression's slope is the negative.

    Raises:
        FactError: n < 1, whose slope is unbounded at 0.
    """
    if n < 1:
        raise FactError(
            f"a Hill function with n = {n:g} < 1 has an unbounded slope at 0, so no Lipschitz constant; take n >= 1, "
            "or al.michaelis_menten for n = 1"
        )
    if n == 1:
        return 0.0, 1 / K
    return K * ((n - 1) / (n + 1)) ** (1 / n), (n - 1) ** (1 - 1 / n) * (n + 1) ** (1 + 1 / n) / (4 * n * K)


def steepest_between(n: float, K: float, lower: float, upper: float) -> float:
    """The largest slope of the Hill activation on [lower, upper] (0 <= lower): it rises to x*, then falls.

    Raises:
        FactError: n < 1 and lower = 0, where it is unbounded.
    """
    where = lower if n < 1 else min(max(steepest(n, K)[0], lower), upper)
    if where == 0:
        return steepest(n, K)[1] if n <= 1 else 0.0
    r = math.exp(n * math.log(where / K)) if n * math.log(where / K) < 700 else math.inf
    return 0.0 if math.isinf(r) else n * r / (where * (1 + r) ** 2)


def hill_of_log(log_x: Float[Array, "*shape"], n: Any, log_K: Any) -> Float[Array, "*shape"]:
    """The Hill activation of ln x: the logistic function of n (ln x - ln K).

    Its slope in ln x is n a (1 - a), in [0, n/4]; nothing overflows, and d/dn vanishes as x -> 0.
    """
    return jax.nn.sigmoid(n * (log_x - log_K))


def log_sensitivity(curve: Activation, x: Any) -> Array:
    """The log sensitivity d ln f / d ln x = x f'(x) / f(x): a small fold change of x, times this, is that of f.

    n (1 - a) for the Hill activation a, -n a for the repression.

    Args:
        curve: an activation with positive values at x.
        x: concentrations, positive.
    """
    x = jnp.asarray(x)
    return x * curve.slope(x) / curve(x)


def log_sensitivity_bounds(n: Any) -> al.Interval:
    """What d ln f / d ln x of the Hill activation can be: [0, n]; of the repression, the negative."""
    return al.Interval(0.0, n)


def hill_parameters(curve: Activation) -> tuple[float, float, int] | None:
    """(n, K, +1 or -1) where the curve is `hill` or `hill_repression` with numbers as parameters, else None."""
    for shape, sign in ((al.hill, 1), (al.hill_repression, -1)):
        if isinstance(curve, al.Elementary) and curve.definition is shape.definition:
            values = [curve.parameters[name] for name in ("n", "K")]
            if all(np.ndim(v) == 0 and not isinstance(v, Tracer) for v in values):
                return float(values[0]), float(values[1]), sign
    return None
