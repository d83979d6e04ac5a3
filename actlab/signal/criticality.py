"""Critical initialization: where gradients neither explode nor vanish, and whether a net stays there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from actlab.activations import Activation
from actlab.signal.mean_field import MARGIN, Stability, stability
from actlab.signal.moments import moments
from actlab.signal.quadrature import QuadratureError, gaussian_means
from actlab.signal.roots import zero_between

GRID = np.geomspace(1e-6, 400.0, 161)
"""Variances of preactivations among which critical points are looked for."""
USUAL = (0.25, 16.0)
"""Weight variances that a net is commonly initialized with."""


class NoCriticalPointError(ValueError):
    """No weight variance makes chi_1 = 1 at a fixed point of the variance map."""


@dataclass(frozen=True)
class CriticalPoint:
    """Weight and bias variance with q = V(q) and chi_1(q) = 1.

    Attributes:
        activation: its name.
        q: variance of preactivations; 0 in the limit of small signals.
        weight_variance: of the weights, times fan_in.
        bias_variance: of the biases.
        chi: chi_1, 1 up to rounding.
        slope: V'(q).
        any_scale: f is positively homogeneous: every q is a fixed point, and `q` an arbitrary one.
        drift: V'(q) - 1 at q = 1e-4, for the small-signal limit q = 0, where V' itself is 1; else 0.
    """

    activation: str
    q: float
    weight_variance: float
    bias_variance: float
    chi: float
    slope: float
    any_scale: bool = False
    drift: float = 0.0

    @property
    def stability(self) -> Stability:
        """Stable: a disturbed variance returns to q. Unstable: it runs away, and chi_1 with it."""
        return "unstable" if self.drift > MARGIN else stability(self.slope)

    @property
    def stable(self) -> bool:
        """Whether the variance map attracts, V'(q) < 1."""
        return self.stability == "stable"

    def __str__(self) -> str:
        where = "any q" if self.any_scale else f"q = {self.q:.9g}"
        text = (
            f"{self.activation}: chi_1 = 1 at {where}, weight variance {self.weight_variance:.9g}, "
            f"bias variance {self.bias_variance:g}; {self.stability}, V'(q) = {self.slope:.3f}"
        )
        if self.stability == "unstable":
            text += ": a net that starts off this q leaves it, so this is no initialization to rely on"
        if not USUAL[0] <= self.weight_variance <= USUAL[1]:
            text += f"; the weight variance is far from the usual {USUAL[0]:g} to {USUAL[1]:g}, useless in practice"
        return text


def critical_points(activation: Activation, bias_variance: float = 0.0) -> tuple[CriticalPoint, ...]:
    """Every critical point with 1e-6 <= q <= 400, by growing q; the small-signal limit q = 0 first where it is one.

    The weight variance is 1 / E[f'^2], so q solves q = E[f^2] / E[f'^2] + bias_variance. V' = 1 + E[f f''] / E[f'^2]
    there: a critical point is stable just where E[f f''] < 0.

    Raises:
        ValueError: a negative bias variance, or an f that jumps (its slope has no second moment).
        QuadratureError: the moments of f do not exist at some q below 1; at larger ones no critical point is found.
    """
    if not (bias_variance >= 0 and math.isfinite(bias_variance)):
        raise ValueError(f"critical_points: bias_variance = {bias_variance} must be finite and not negative")
    if activation.facts.smoothness is not None and activation.facts.smoothness < 0:
        raise ValueError(f"{activation.name} jumps: E[f'^2] is infinite, so chi_1 is; use a continuous activation")
    excess = np.array([_excess(activation, float(q), bias_variance) for q in GRID])
    if bias_variance == 0 and np.all(np.abs(excess) <= 1e-9 * GRID):
        return (_described(activation, 1.0, bias_variance, any_scale=True),)
    found = [] if bias_variance > 0 else _small_signals(activation)
    for i in np.flatnonzero(np.sign(excess[1:]) * np.sign(excess[:-1]) < 0):
        q = zero_between(lambda q: _excess(activation, q, bias_variance), float(GRID[i]), float(GRID[i + 1]), 1e-15)
        found.append(_described(activation, q, bias_variance))
    return tuple(found)


def critical_point(activation: Activation, bias_variance: float = 0.0) -> CriticalPoint:
    """The critical initialization to use: the stable critical point of least q, else a marginal, else an unstable one.

    Print it, or ask for `stability`: for GELU, SiLU and Mish with small biases chi_1 = 1 holds only at an unstable
    fixed point, which no net stays at.

    Raises:
        NoCriticalPointError: there is none with 1e-6 <= q <= 400.
        ValueError: as for `critical_points`.
    """
    found = critical_points(activation, bias_variance)
    if not found:
        raise NoCriticalPointError(
            f"{activation.name} with bias variance {bias_variance:g} has no fixed point with chi_1 = 1 and variance "
            f"between {GRID[0]:g} and {GRID[-1]:g}; transform it (`dks` or `tat`), or choose another bias variance"
        )
    order = ("stable", "marginal", "unstable")
    return min(found, key=lambda point: order.index(point.stability))


def _excess(activation: Activation, q: float, bias_variance: float) -> float:
    try:
        second, slope_second = gaussian_means(activation, ("second", "slope_second"), 0.0, math.sqrt(q))
    except QuadratureError:
        if q < 1:
            raise
        return math.nan  # too large for float64, as exp is from some q on
    return q - bias_variance - second / slope_second if slope_second > 0 else math.nan


def _small_signals(activation: Activation) -> list[CriticalPoint]:
    """The limit q -> 0 without biases: critical where f(x) is a x + o(x) on each side of 0, with E[f^2] = q E[f'^2]."""
    tiny, small = 1e-16, 1e-4
    try:
        second, slope_second = gaussian_means(activation, ("second", "slope_second"), 0.0, math.sqrt(tiny))
        m = moments(activation, 0.0, math.sqrt(small))
    except QuadratureError:
        return []
    if slope_second < 1e-10 or abs(second / (tiny * slope_second) - 1) > 1e-5:
        return []
    drift = (m.slope_second + m.value_curvature) / slope_second - 1
    return [CriticalPoint(activation.name, 0.0, 1 / slope_second, 0.0, 1.0, 1.0, drift=drift)]


def _described(activation: Activation, q: float, bias_variance: float, *, any_scale: bool = False) -> CriticalPoint:
    m = moments(activation, 0.0, math.sqrt(q))
    weights = 1 / m.slope_second
    slope = 1 + m.value_curvature * weights
    return CriticalPoint(activation.name, q, weights, bias_variance, weights * m.slope_second, slope, any_scale)
