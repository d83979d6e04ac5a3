"""Gaussian heads: usual, bounded and natural; what their gradients can reach follows from the activation's facts."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.nets.head import LOG_TWO_PI, Head, Raw, Target
from actlab.systems.uncertainty import distributions
from actlab.systems.uncertainty.positive import EXPONENTIAL, SOFTPLUS, Positive, bounded, positive, widened


class NormalHead(Head):
    """A normal distribution, by its moments as the raw outputs tell them."""

    @abc.abstractmethod
    def moments(self, raw: Raw) -> tuple[Target, Target]:
        """Mean and logarithm of the variance."""

    def distribution(self, raw: Raw) -> distributions.Distribution:
        """distrax.Normal."""
        mean, log_variance = self.moments(raw)
        return distributions.normal(mean, jnp.exp(0.5 * log_variance))

    def nll(self, raw: Raw, y: Target) -> Target:
        """Half of squared residual / variance + log variance + log 2 pi, in terms of the log variance throughout."""
        mean, log_variance = self.moments(raw)
        return gaussian_nll(y - mean, log_variance)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gaussian(NormalHead):
    """Mean and variance: raw outputs (mean, raw variance).

    Attributes:
        variance: the map from the raw output to the variance; bounded on both sides, the head cannot explode.
    """

    variance: Positive
    outputs = 2

    def moments(self, raw: Raw) -> tuple[Target, Target]:
        """Mean and logarithm of the variance."""
        raw = widened(raw)
        return raw[..., 0], self.variance.log(raw[..., 1])

    def gradient_bound(self, residual: Any) -> tuple[Any, Any]:
        """Largest |d nll / d mean| and |d nll / d raw variance| at |y - mean| <= residual, by the facts alone.

        With v in [v0, v1] and an activation of slope at most L: |r| / v0; and L/2 max(1, r^2/v0 - 1) where the
        activation is the log variance, L/(2 v0) max(1, r^2/v0 - 1) where it is the variance. Infinity where the facts
        give no bound.
        """
        lowest, steepness = float(self.variance.bounds.lower), self.variance.steepness
        residual = np.abs(np.asarray(residual, np.float64))
        if lowest == 0.0:
            return np.full_like(residual, np.inf), np.full_like(residual, np.inf)
        slope = steepness if self.variance.space == "logarithm" else steepness / lowest
        return residual / lowest, 0.5 * slope * np.maximum(1.0, np.square(residual) / lowest - 1.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NaturalGaussian(NormalHead):
    """Natural parameters eta_1 = raw[0], eta_2 = -precision / 2: the negative log-likelihood is convex in them.

    Mean eta_1 / precision, variance 1 / precision.

    Source: Immer et al. 2023, Effective Bayesian Heteroscedastic Regression, arXiv 2304.03571, section 3.
    """

    precision: Positive = field(default_factory=lambda: bounded(1e-3, 1e5))
    outputs = 2

    def moments(self, raw: Raw) -> tuple[Target, Target]:
        """Mean and logarithm of the variance."""
        raw = widened(raw)
        log_precision = self.precision.log(raw[..., 1])
        return raw[..., 0] * jnp.exp(-log_precision), -log_precision


def gaussian_nll(residual: Target, log_variance: Target) -> Target:
    """-log N(residual; 0, variance), nats.

    The residual is scaled before it is squared, so that neither factor overflows where the result does not.
    """
    scaled = residual * jnp.exp(-0.5 * log_variance)
    return 0.5 * (scaled * scaled + log_variance + LOG_TWO_PI)


def beta_nll(head: NormalHead, raw: Raw, y: Target, beta: float = 0.5) -> Target:
    """The negative log-likelihood weighted by the variance to the power beta, which gets no gradient.

    beta 0 is the likelihood itself; at beta 1 the mean's gradient is that of the squared error, so that points of large
    variance are not given up early.

    Source: Seitzer et al. 2022, On the Pitfalls of Heteroscedastic Uncertainty Estimation, eq. 4.
    """
    _, log_variance = head.moments(raw)
    return jax.lax.stop_gradient(jnp.exp(beta * log_variance)) * head.nll(raw, y)


def usual_softplus(floor: float = 1e-6) -> Gaussian:
    """Variance softplus(raw) + floor: the head of Deep Ensembles (Lakshminarayanan et al. 2017) at floor 1e-6."""
    return Gaussian(Positive(SOFTPLUS.activation, "value", floor))


def usual_exponential() -> Gaussian:
    """Log variance = raw output: overflows on both sides."""
    return Gaussian(EXPONENTIAL)


def bounded_gaussian(lower: float = 1e-5, upper: float = 20.0) -> Gaussian:
    """The head that cannot explode: variance in (lower, upper), for targets scaled to unit variance."""
    return Gaussian(bounded(lower, upper))


def gaussian_of(activation: al.Activation, floor: float = 0.0) -> Gaussian:
    """Variance `activation(raw) + floor`.

    Raises:
        FactError: the activation's values are not known to lie above `-floor`.
    """
    return Gaussian(
        positive(
            activation,
            floor=floor,
            because="a variance must be positive" + f" (here with {floor:g} added)" * (floor > 0),
        )
    )
