"""Self-normalizing activations: mean and variance of the outputs that a layer returns to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from actlab.activations import Activation, affine
from actlab.signal.quadrature import gaussian_means

STEP = 1e-5


class NotNormalizingError(ValueError):
    """Mean and variance of the outputs do not settle."""


@dataclass(frozen=True)
class NormalizingPoint:
    """A fixed point of the map of (mean, variance) of one layer's outputs to the next's.

    Attributes:
        mean: of the outputs f.
        variance: of the outputs.
        jacobian: of the map, rows (mean, variance), shape (2, 2).
    """

    mean: float
    variance: float
    jacobian: np.ndarray

    @property
    def contraction(self) -> float:
        """The largest size of an eigenvalue of the Jacobian: below 1 the point attracts."""
        return float(np.max(np.abs(np.linalg.eigvals(self.jacobian))))

    @property
    def attracting(self) -> bool:
        """Whether nearby means and variances are drawn to the point."""
        return self.contraction < 1


def normalizing_point(
    activation: Activation,
    *,
    weight_sum: float = 0.0,
    weight_square_sum: float = 1.0,
    start: tuple[float, float] = (0.0, 1.0),
    layers: int = 10_000,
) -> NormalizingPoint:
    """Where mean and variance of the outputs settle; (0, 1) for SELU with weights of sum 0 and sum of squares 1.

    The map is (m, v) -> (E[f(z)], Var[f(z)]) with z ~ N(weight_sum m, weight_square_sum v).

    Args:
        activation: scalar.
        weight_sum: of the weights into a unit, the paper's omega.
        weight_square_sum: of their squares, tau; positive.
        start: mean and variance to begin with.
        layers: iterations at most.

    Raises:
        NotNormalizingError: no such point was reached.

    Source: Klambauer et al. 2017, "Self-normalizing neural networks", eqs. 3 to 5.
    """

    def step(m: float, v: float) -> np.ndarray:
        first, second = gaussian_means(
            activation, ("first", "second"), weight_sum * m, math.sqrt(weight_square_sum * v)
        )
        return np.array([first, second - first**2])

    point = np.array(start, np.float64)
    for _ in range(layers):
        after = step(*point)
        if not 1e-12 < after[1] < 1e8:
            break
        if np.all(np.abs(after - point) <= 1e-13 * (1 + np.abs(point))):
            m, v = (float(value) for value in after)
            h = STEP * v
            columns = [step(m + STEP, v) - step(m - STEP, v), step(m, v + h) - step(m, v - h)]
            jacobian = np.stack([columns[0] / (2 * STEP), columns[1] / (2 * h)], axis=1)
            return NormalizingPoint(m, v, jacobian)
        point = after
    raise NotNormalizingError(
        f"{activation.name}: mean and variance of the outputs do not settle with weights of sum {weight_sum:g} and "
        f"sum of squares {weight_square_sum:g} (they reached {after[0]:.3g} and {after[1]:.3g}); see self_normalizing"  # pyright: ignore[reportPossiblyUnboundVariable]
    )


def self_normalizing(activation: Activation, *, input_scale: float = 1.0) -> Activation:
    """`scale f(input_scale x) + shift` with E = 0 and E[square] = 1 on N(0, 1): (0, 1) is its fixed point.

    Whether the point attracts is the activation's affair: ask `normalizing_point(...).attracting`. A larger input
    scale makes a bounded f attract more.

    Raises:
        ValueError: f is constant.
    """
    first, second = gaussian_means(activation, ("first", "second"), 0.0, input_scale)
    variance = second - first**2
    if not variance > 0:
        raise ValueError(f"self_normalizing: {activation.name} is constant on N(0, {input_scale:g}^2)")
    scale = 1 / math.sqrt(variance)
    return affine(activation, scale=scale, shift=-scale * first, input_scale=input_scale)
