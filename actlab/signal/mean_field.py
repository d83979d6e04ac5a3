"""Mean-field theory of wide random nets: maps of variance and correlation, their fixed points, slopes and depth scales.

Weights are N(0, weight_variance / fan_in), biases N(0, bias_variance); q is the variance of preactivations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp

from actlab.activations import Activation
from actlab.signal.dual import dual
from actlab.signal.moments import moments
from actlab.signal.quadrature import gaussian_means
from actlab.signal.roots import zero_between

Stability = Literal["stable", "marginal", "unstable"]
MARGIN = 1e-9
"""A slope this near to 1 counts as 1."""
ESCAPED, VANISHED = 1e8, 1e-200
"""Variances beyond which an iteration has left for good."""


class NoFixedPointError(ValueError):
    """The variance of preactivations grows without bound, or its iteration does not settle."""


def variance_map(activation: Activation, q: Any, weight_variance: Any, bias_variance: Any = 0.0) -> Any:
    """V(q) = weight_variance E[f(sqrt(q) z)^2] + bias_variance: the variance one layer on. Traced arguments welcome.

    Source: Poole et al. 2016, eq. 3.
    """
    return weight_variance * gaussian_means(activation, ("second",), 0.0, _root(q))[0] + bias_variance


def variance_slope(activation: Activation, q: Any, weight_variance: Any) -> Any:
    """V'(q) = weight_variance (E[f'^2] + E[f f'']): below 1 at a stable fixed point. Traced arguments welcome."""
    names = ("slope_second", "value_curvature")
    slope_second, value_curvature = gaussian_means(activation, names, 0.0, _root(q))
    return weight_variance * (slope_second + value_curvature)


def susceptibility(activation: Activation, q: Any, weight_variance: Any) -> Any:
    """chi_1 = weight_variance E[f'(sqrt(q) z)^2]: the factor of the squared gradient norm from layer to layer.

    Also the slope of the correlation map at correlation 1: above 1 nearby inputs part (chaos), below 1 they merge.

    Source: Schoenholz et al. 2017, eq. 5; Poole et al. 2016, eq. 6.
    """
    return weight_variance * gaussian_means(activation, ("slope_second",), 0.0, _root(q))[0]


def correlation_map(
    activation: Activation, correlation: Any, q: Any, weight_variance: Any, bias_variance: Any = 0.0
) -> Any:
    """C(correlation): that of two inputs' preactivations one layer on, both of variance q now.

    Source: Poole et al. 2016, eq. 5.
    """
    value = dual(activation, q, q, correlation).value
    return (weight_variance * value + bias_variance) / variance_map(activation, q, weight_variance, bias_variance)


def _root(q: Any) -> Any:
    return math.sqrt(q) if isinstance(q, (int, float)) else jnp.sqrt(q)


def stability(slope: float) -> Stability:
    """What the slope of the variance map says of its fixed point."""
    return "stable" if slope < 1 - MARGIN else "marginal" if slope <= 1 + MARGIN else "unstable"


@dataclass(frozen=True)
class FixedPoint:
    """Where the variance of preactivations settles.

    Attributes:
        q: the variance, q = V(q).
        weight_variance: of the weights, times fan_in.
        bias_variance: of the biases.
        chi: the factor of the squared gradient norm per layer, chi_1.
        slope: V'(q).
        correlation: where the correlation of two inputs settles: 1 in the ordered phase, less in the chaotic one.
        correlation_slope: the correlation map's slope there.
    """

    q: float
    weight_variance: float
    bias_variance: float
    chi: float
    slope: float
    correlation: float
    correlation_slope: float

    @property
    def stability(self) -> Stability:
        """Whether the variance returns to q after a disturbance; where marginal, neither returns nor runs away fast."""
        return stability(self.slope)

    @property
    def variance_depth(self) -> float:
        """xi_q: layers over which a disturbance of the variance falls by e (Schoenholz et al. 2017, eq. 10)."""
        return _depth(self.slope)

    @property
    def correlation_depth(self) -> float:
        """xi_c: layers over which the correlation's distance from its fixed point falls by e (eq. 9 there)."""
        return _depth(self.correlation_slope)

    @property
    def gradient_depth(self) -> float:
        """Layers over which the squared gradient norm changes by e, up or down: 1 / |log chi_1|."""
        return _depth(self.chi)


def _depth(slope: float) -> float:
    if slope == 0:
        return 0.0
    return math.inf if abs(abs(slope) - 1) <= MARGIN else 1 / abs(math.log(abs(slope)))


def fixed_point(
    activation: Activation,
    weight_variance: float,
    bias_variance: float = 0.0,
    *,
    start: float = 1.0,
    layers: int = 10_000,
) -> FixedPoint:
    """The fixed point of the variance map that a deep net reaches from variance `start`.

    Args:
        activation: scalar, with number parameters.
        weight_variance: of the weights, times fan_in; positive.
        bias_variance: of the biases, not negative.
        start: variance of the first layer's preactivations.
        layers: iterations at most.

    Raises:
        ValueError: variances that are not positive.
        NoFixedPointError: the variance grows without bound, vanishes, or has not settled after so many layers.
        QuadratureError: as for `moments`.
    """
    if not (weight_variance > 0 and bias_variance >= 0 and start > 0):
        raise ValueError(
            f"fixed_point: weight_variance = {weight_variance} and start = {start} must be positive, "
            f"bias_variance = {bias_variance} not negative"
        )
    q = start
    for _ in range(layers):
        m = moments(activation, 0.0, math.sqrt(q))
        after = weight_variance * m.second + bias_variance
        slope = weight_variance * (m.slope_second + m.value_curvature)
        if abs(after - q) <= 1e-13 * q:
            return _described(activation, q, weight_variance, bias_variance, weight_variance * m.slope_second, slope)
        if not VANISHED < after < ESCAPED:
            what = "does not settle above 0" if after <= VANISHED else "grows without bound"
            break
        step = (after - q) / (1 - slope) if slope < 1 else math.inf
        q = q + step if abs(step) < 0.05 * q else after  # Newton's step near a fixed point that attracts
    else:
        what = f"has not settled after {layers} layers"
    raise NoFixedPointError(
        f"{activation.name} with weight variance {weight_variance:g} and bias variance {bias_variance:g}: the variance "
        f"of preactivations {what} (it reached {q:.3g})"
    )


def _described(activation: Activation, q: float, weights: float, biases: float, chi: float, slope: float) -> FixedPoint:
    """With the correlation's fixed point: 1 where chi_1 <= 1, else the solution below 1."""
    if chi <= 1 + MARGIN:
        return FixedPoint(q, weights, biases, chi, slope, 1.0, chi)

    def excess(correlation: float) -> float:
        return (weights * float(dual(activation, q, q, correlation).value) + biases) / q - correlation

    low, high = 0.0, 1 - 1e-9
    if excess(low) <= 0:  # an odd function without biases: uncorrelated inputs stay so
        correlation = low
    elif excess(high) >= 0:  # so little chaos that the solution is 1 for float64
        correlation = 1.0
    else:
        correlation = zero_between(excess, low, high, 1e-13)
    slope_there = weights * float(dual(activation, q, q, correlation).slope)
    return FixedPoint(q, weights, biases, chi, slope, correlation, slope_there)
