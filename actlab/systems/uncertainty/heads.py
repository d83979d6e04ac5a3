"""Heads beyond the Gaussian: heavy tails, positive targets, counts, proportions."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax.scipy.special import betaln, gammaln, xlog1py, xlogy
from jaxtyping import Array, Float

from actlab.nets.head import Head, Raw, Target
from actlab.systems.uncertainty import distributions
from actlab.systems.uncertainty.distributions import Distribution
from actlab.systems.uncertainty.gaussian import Gaussian, bounded_gaussian
from actlab.systems.uncertainty.positive import Positive, bounded, widened


def _shape() -> Positive:
    return bounded(1e-2, 1e4)  # beyond, float32 likelihoods are differences of large gammaln's


def _mean() -> Positive:
    return bounded(1e-6, 1e6)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StudentT(Head):
    """Student's t: raw outputs (location, raw squared scale, raw degrees of freedom).

    Its gradient in the location is bounded for every residual: (nu + 1) / (2 sqrt(nu) scale).
    """

    squared_scale: Positive = field(default_factory=lambda: bounded(1e-5, 20.0))
    degrees: Positive = field(default_factory=lambda: bounded(2.0, 200.0))
    outputs = 3

    def parameters(self, raw: Raw) -> tuple[Target, Target, Target]:
        """Location, logarithm of the scale, degrees of freedom."""
        raw = widened(raw)
        return raw[..., 0], 0.5 * self.squared_scale.log(raw[..., 1]), self.degrees.value(raw[..., 2])

    def distribution(self, raw: Raw) -> Distribution:
        """TFP's StudentT behind distrax's interface."""
        location, log_scale, nu = self.parameters(raw)
        return distributions.student_t(nu, location, jnp.exp(log_scale))

    def nll(self, raw: Raw, y: Target) -> Target:
        """-log of the density; the tail as log1p of the squared standardized residual over nu."""
        location, log_scale, nu = self.parameters(raw)
        t = (y - location) * jnp.exp(-log_scale)
        tail = 0.5 * (nu + 1.0) * jnp.log1p(t * t / nu)
        return tail + log_scale + 0.5 * jnp.log(nu) + betaln(0.5 * nu, jnp.full_like(nu, 0.5))

    def location_gradient_bound(self) -> float:
        """Sup |d nll / d location| over all residuals: (nu + 1) / (2 sqrt(nu)) over the smallest scale."""
        steepest = max(
            (nu + 1.0) / (2.0 * nu**0.5) for nu in map(float, (self.degrees.bounds.lower, self.degrees.bounds.upper))
        )
        return steepest / float(self.squared_scale.bounds.lower) ** 0.5


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LogNormal(Head):
    """Positive targets such as prices: a Gaussian head for log y."""

    logarithm: Gaussian = field(default_factory=bounded_gaussian)
    outputs = 2

    def distribution(self, raw: Raw) -> Distribution:
        """TFP's LogNormal behind distrax's interface."""
        mean, log_variance = self.logarithm.moments(raw)
        return distributions.log_normal(mean, jnp.exp(0.5 * log_variance))

    def nll(self, raw: Raw, y: Target) -> Target:
        """That of log y plus log y (the Jacobian); infinite or nan at y <= 0, which has no density."""
        log_y = jnp.log(y)
        return self.logarithm.nll(raw, log_y) + log_y


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gamma(Head):
    """Positive targets such as energies: raw outputs (raw mean, raw concentration); variance mean^2 / concentration."""

    mean: Positive = field(default_factory=_mean)
    concentration: Positive = field(default_factory=_shape)
    outputs = 2

    def distribution(self, raw: Raw) -> Distribution:
        """distrax.Gamma."""
        mean, concentration = self.mean.value(raw[..., 0]), self.concentration.value(raw[..., 1])
        return distributions.gamma(concentration, concentration / mean)

    def nll(self, raw: Raw, y: Target) -> Target:
        """-log of the density, in terms of y / mean."""
        concentration = self.concentration.value(raw[..., 1])
        log_ratio = jnp.log(y) - self.mean.log(raw[..., 0])
        # A large concentration a meets y by the ratio to the mean alone: a log(rate) and a log(y) would cancel.
        normalizer = gammaln(concentration) - xlogy(concentration, concentration)
        return normalizer + concentration * (jnp.exp(log_ratio) - log_ratio) + jnp.log(y)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Poisson(Head):
    """Counts whose variance is their mean: one raw output."""

    rate: Positive = field(default_factory=_mean)
    outputs = 1

    def distribution(self, raw: Raw) -> Distribution:
        """TFP's Poisson behind distrax's interface."""
        return distributions.poisson(self.rate.log(raw[..., 0]))

    def nll(self, raw: Raw, y: Target) -> Target:
        """Rate - y log rate + log y!."""
        return self.rate.value(raw[..., 0]) - y * self.rate.log(raw[..., 0]) + gammaln(y + 1.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NegativeBinomial(Head):
    """Counts more variable than Poisson's: raw outputs (raw mean, raw size); variance mean + mean^2 / size."""

    mean: Positive = field(default_factory=_mean)
    size: Positive = field(default_factory=_shape)
    outputs = 2

    def distribution(self, raw: Raw) -> Distribution:
        """TFP's NegativeBinomial behind distrax's interface."""
        size = self.size.value(raw[..., 1])
        return distributions.negative_binomial(size, self.mean.log(raw[..., 0]) - self.size.log(raw[..., 1]))

    def nll(self, raw: Raw, y: Target) -> Target:
        """-log of the mass, through log(1 + mean / size) = softplus(log mean - log size)."""
        size = self.size.value(raw[..., 1])
        odds = self.mean.log(raw[..., 0]) - self.size.log(raw[..., 1])
        # y = 0 has binomial coefficient 1, where betaln is infinite.
        some = jnp.maximum(y, 1.0)
        coefficient = jnp.where(y > 0, -jnp.log(some) - betaln(size, some), 0.0)
        return size * jax.nn.softplus(odds) + y * jax.nn.softplus(-odds) - coefficient


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Beta(Head):
    """Proportions in (0, 1): raw outputs (raw alpha, raw beta)."""

    concentration: Positive = field(default_factory=_shape)
    outputs = 2

    def distribution(self, raw: Raw) -> Distribution:
        """distrax.Beta."""
        return distributions.beta(self.concentration.value(raw[..., 0]), self.concentration.value(raw[..., 1]))

    def nll(self, raw: Raw, y: Target) -> Target:
        """-log of the density; infinite at y = 0 or 1 unless the density is finite there."""
        alpha, beta = self.concentration.value(raw[..., 0]), self.concentration.value(raw[..., 1])
        return betaln(alpha, beta) - xlogy(alpha - 1.0, y) - xlog1py(beta - 1.0, -y)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Dirichlet(Head):
    """Compositions, points of the simplex of `classes` parts: one raw concentration a part."""

    classes: int = field(metadata={"static": True})
    concentration: Positive = field(default_factory=_shape)

    @property
    def outputs(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One a part."""
        return self.classes

    def distribution(self, raw: Raw) -> Distribution:
        """distrax.Dirichlet."""
        return distributions.dirichlet(self.concentration.value(raw))

    def nll(self, raw: Raw, y: Float[Array, "*batch outputs"]) -> Target:
        """-log of the density at the composition y, which sums to one along the last axis."""
        a = self.concentration.value(raw)
        return gammaln(a).sum(-1) - gammaln(a.sum(-1)) - xlogy(a - 1.0, y).sum(-1)
