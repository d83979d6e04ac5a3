"""Gaussian moments of an activation: what a random layer does to the scale of a signal and of its gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from actlab.activations import Activation
from actlab.signal.quadrature import gaussian_means


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Moments:
    """Expectations over z ~ N(mean, deviation^2), each of the shape of the activation's parameters (scalar as a rule).

    Attributes:
        first: E[f(z)].
        second: E[f(z)^2].
        slope_second: E[f'(z)^2], f' the derivative that autodiff uses.
        value_curvature: E[f(z) f''(z)]; where f' jumps, f'' has a mass there, which counts. The square's moment
            E[f^2] grows by slope_second + value_curvature per unit of variance.
    """

    first: Any
    second: Any
    slope_second: Any
    value_curvature: Any

    @property
    def variance(self) -> Any:
        """Var[f(z)]."""
        return self.second - self.first**2


def moments(activation: Activation, mean: Any = 0.0, deviation: Any = 1.0, *, tolerance: float = 1e-10) -> Moments:
    """E[f(z)], E[f(z)^2], E[f'(z)^2] and E[f(z) f''(z)] for z ~ N(mean, deviation^2).

    Gauss-Legendre quadrature in float64, split at 0 and at the kinks that the facts know, bisected wherever two halves
    disagree with their whole: to 1e-12 of the integral of the absolute value, kinks known or not, x64 enabled or not.
    With traced arguments (inside jit, vmap or grad) a fixed rule in the working precision, 1e-6 or so in float32.

    Args:
        activation: scalar activation f; with array parameters the moments have their shape.
        mean: of z.
        deviation: standard deviation of z, positive.
        tolerance: the estimated error, relative to the integral of the absolute value, above which to raise. An
            activation that computes in float32 whatever it is given reaches 1e-7 or so.

    Raises:
        ValueError: a deviation that is not positive and finite.
        QuadratureError: f has no finite moments, or the estimated error is above the tolerance.

    Source: the quantities of Poole et al. 2016, "Exponential expressivity in deep neural networks", eqs. 3 and 6.
    """
    names = ("first", "second", "slope_second", "value_curvature")
    return Moments(*gaussian_means(activation, names, mean, deviation, tolerance=tolerance))


def gain(activation: Activation) -> Any:
    """1 / sqrt(E[f(z)^2]), z ~ N(0, 1): weights of variance gain^2 / fan_in preserve the variance of preactivations.

    Averaged over the channels of an activation with array parameters. A float, or a traced array if a parameter is.
    As accurate as `moments`; an activation that itself computes in low precision is let pass up to 1e-4.

    Raises:
        QuadratureError: as for `moments`.
        ValueError: f is zero almost everywhere.
    """
    (second,) = gaussian_means(activation, ("second",), tolerance=1e-4)
    if isinstance(second, Tracer):
        return 1 / jnp.sqrt(jnp.mean(second))
    second = float(np.mean(second))
    if second == 0:
        raise ValueError(f"{activation.name} is zero almost everywhere: no weight gain preserves the variance")
    return 1 / math.sqrt(second)


def layer_gains(activation: Activation, layers: int, *, last: float = 1.0) -> list[Any]:
    """The gain of each layer of a net: 1 in the first, `gain(activation)` in the hidden ones, `last` in the last.

    The first layer's inputs are taken as standardized; no activation follows the last. Of one layer it is the last's.
    Errors as of `gain`, which is not asked where there are no hidden layers.

    Args:
        activation: f, after every layer but the last.
        layers: how many, at least 1.
        last: gain of the last one.
    """
    hidden = [gain(activation)] * (layers - 2) if layers > 2 else []
    return [*[1.0] * (layers > 1), *hidden, last]
