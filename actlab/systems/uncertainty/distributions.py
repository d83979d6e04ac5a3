"""The one door to distrax: distributions that the heads return, imported when the first is asked for."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.nets.head import Distribution


@functools.cache
def _distrax() -> Any:
    import distrax

    return distrax


def _substrate(name: str, **parameters: Any) -> Distribution:
    """One of TFP's distributions that distrax has not, seen through distrax's interface."""
    from tensorflow_probability.substrates import jax as tfp

    return _distrax().as_distribution(getattr(tfp.distributions, name)(**parameters))


def normal(location: Array, scale: Array) -> Distribution:
    """Gaussian; `scale` is the standard deviation."""
    return _distrax().Normal(location, scale)


def student_t(degrees: Array, location: Array, scale: Array) -> Distribution:
    """Student's t; `scale` is not its standard deviation."""
    return _substrate("StudentT", df=degrees, loc=location, scale=scale)


def log_normal(location: Array, scale: Array) -> Distribution:
    """The exponential of a Gaussian."""
    return _substrate("LogNormal", loc=location, scale=scale)


def gamma(concentration: Array, rate: Array) -> Distribution:
    """Gamma with mean `concentration / rate`."""
    return _distrax().Gamma(concentration, rate)


def poisson(log_rate: Array) -> Distribution:
    """Poisson."""
    return _substrate("Poisson", log_rate=log_rate)


def negative_binomial(total_count: Array, logits: Array) -> Distribution:
    """Negative binomial with mean `total_count exp(logits)`."""
    return _substrate("NegativeBinomial", total_count=total_count, logits=logits, require_integer_total_count=False)


def beta(alpha: Array, beta: Array) -> Distribution:
    """Beta on (0, 1)."""
    return _distrax().Beta(alpha, beta)


def dirichlet(concentration: Float[Array, "*batch classes"]) -> Distribution:
    """Dirichlet on the simplex."""
    return _distrax().Dirichlet(concentration)


def categorical(probabilities: Float[Array, "*batch classes"]) -> Distribution:
    """One of `classes` outcomes; probabilities may be exactly zero."""
    return _distrax().Categorical(probs=probabilities)


def normal_mixture(locations: Float[Array, "*batch members"], scales: Float[Array, "*batch members"]) -> Distribution:
    """The equally weighted mixture of Gaussians along the last axis: what a deep ensemble predicts."""
    d = _distrax()
    return d.MixtureSameFamily(d.Categorical(logits=jnp.zeros_like(locations)), d.Normal(locations, scales))
