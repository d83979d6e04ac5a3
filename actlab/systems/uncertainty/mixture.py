"""What a deep ensemble predicts: the equally weighted mixture of its members' Gaussians, along the last axis."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from actlab.systems.uncertainty.gaussian import gaussian_nll

Members = Float[Array, "*batch members"]
Target = Float[Array, "*batch"]


def mixture_moments(means: Members, log_variances: Members) -> tuple[Target, Target]:
    """Mean and log variance of the mixture: the average variance plus the variance of the means.

    Source: Lakshminarayanan, Pritzel & Blundell 2017, arXiv 1612.01474, section 2.4.
    """
    mean = means.mean(-1)
    spread = jnp.square(means - mean[..., None]).mean(-1)
    return mean, jnp.log(jnp.exp(log_variances).mean(-1) + spread)


def moment_matched_nll(means: Members, log_variances: Members, y: Target) -> Target:
    """-log density of the Gaussian that has the mixture's moments, nats: what the paper above reports."""
    mean, log_variance = mixture_moments(means, log_variances)
    return gaussian_nll(y - mean, log_variance)


def mixture_nll(means: Members, log_variances: Members, y: Target) -> Target:
    """-log density of the mixture itself, nats; never above the average member's (Jensen)."""
    members = gaussian_nll(y[..., None] - means, log_variances)
    return jnp.log(means.shape[-1]) - logsumexp(-members, axis=-1)


def mixture_cdf(means: Members, log_variances: Members, y: Target) -> Target:
    """P(Y <= y) under the mixture; at the observed y, its probability integral transform."""
    return jax.scipy.special.ndtr((y[..., None] - means) * jnp.exp(-0.5 * log_variances)).mean(-1)


def mixture_quantile(means: Members, log_variances: Members, level: float, steps: int = 40) -> Target:
    """The value that the mixture stays below with probability `level`, by bisection between the members' quantiles."""
    quantiles = means + jnp.exp(0.5 * log_variances) * jax.scipy.special.ndtri(jnp.asarray(level, means.dtype))

    def halve(_: Int[Array, ""], ends: tuple[Target, Target]) -> tuple[Target, Target]:
        low, high = ends
        middle = 0.5 * (low + high)
        below = mixture_cdf(means, log_variances, middle) < level
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = jax.lax.fori_loop(0, steps, halve, (quantiles.min(-1), quantiles.max(-1)))
    return 0.5 * (low + high)
