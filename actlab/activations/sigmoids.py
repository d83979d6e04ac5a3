"""Sigmoids: smooth, increasing, odd about their centre, bounded."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations import normal
from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import decay, sech2
from actlab.activations.exponentials import tanh as tanh_
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.interval import SYMMETRIC, UNIT, Interval, namespace

INCREASING = "strictly increasing"


def symmetric(bound: float) -> Interval:
    """[-bound, bound]."""
    return Interval(-bound, bound)


def _logistic_curvature(x: Array) -> Array:
    right, left = jax.nn.sigmoid(x), jax.nn.sigmoid(-x)
    return right * left * (left - right)


@activation(
    family="sigmoids",
    slope=lambda x: jax.nn.sigmoid(x) * jax.nn.sigmoid(-x),
    curvature=_logistic_curvature,
    facts=Facts(
        UNIT,
        Interval(0.0, 0.25),
        symmetric(0.09622504486493763),  # 1/(6 sqrt 3)
        (),
        SMOOTH,
        INCREASING,
        inverse=jax.scipy.special.logit,
    ),
    source="Verhulst 1845; Rumelhart, Hinton & Williams 1986, Nature 323, eq. 2",
)
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(x)


@activation(
    family="sigmoids",
    slope=sech2,
    curvature=lambda x: -2 * tanh_(x) * sech2(x),
    facts=Facts(
        SYMMETRIC,
        UNIT,
        symmetric(0.769800358919501),  # 4/(3 sqrt 3)
        (),
        SMOOTH,
        INCREASING,
        inverse=jnp.arctanh,
    ),
    source="LeCun 1989, Generalization and network design strategies",
)
def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return tanh_(x)


@activation(
    family="sigmoids",
    slope=lambda x: 1.7159 * 2 / 3 * sech2(2 / 3 * x),
    curvature=lambda x: -1.7159 * 8 / 9 * (sech2(2 / 3 * x) * tanh_(2 / 3 * x)),
    facts=Facts(
        symmetric(1.7159000000000002),
        Interval(0.0, 1.1439333333333335),  # 1.7159 * 2/3
        symmetric(0.5870668603866542),  # 1.7159 * 16/(27 sqrt 3)
        (),
        SMOOTH,
        INCREASING,
        inverse=lambda y: 1.5 * jnp.arctanh(y / 1.7159),
    ),
    source="LeCun et al. 1998, Efficient backprop, section 4.4",
)
def lecun_tanh(x: Array) -> Array:
    """1.7159 tanh(2x/3): f(1) = 1 up to 1e-6."""
    return 1.7159 * tanh_(2 / 3 * x)


def _softsign_slope(x: Array) -> Array:
    return jnp.square(1 / (1 + jnp.abs(x)))


@activation(
    family="sigmoids",
    slope=_softsign_slope,
    curvature=lambda x: -2 * jnp.sign(x) * (_softsign_slope(x) / (1 + jnp.abs(x))),
    facts=Facts(SYMMETRIC, UNIT, symmetric(2.0), (0.0,), 1, INCREASING, inverse=lambda y: y / (1 - jnp.abs(y))),
    ideal=lambda x: x / (1 + jnp.abs(x)),
    source="Bergstra et al. 2009, Quadratic polynomials learn better image features; jax.nn.soft_sign",
)
def softsign(x: Array) -> Array:
    """f(x) = x / (1 + |x|); its slope as 1/(1 + |x|)^2, which autodiff gets below 0 by cancellation."""
    size = jnp.abs(x)
    return jnp.where(size < 1, x / (1 + size), jnp.sign(x) * (1 - 1 / (1 + size)))  # monotone in float32 too


def _lorentz(x: Array) -> Array:
    return 1 / (1 + jnp.square(x))


@activation(
    family="sigmoids",
    slope=_lorentz,
    curvature=lambda x: -2 * (x * _lorentz(x) * _lorentz(x)),
    facts=Facts(
        symmetric(1.5707963267948968),  # pi/2
        UNIT,
        symmetric(0.649519052838329),  # 3 sqrt(3)/8
        (),
        SMOOTH,
        INCREASING,
        inverse=jnp.tan,
    ),
    source="Kunc & Klema 2024, arXiv:2402.09092",
)
def arctan(x: Array) -> Array:
    """The angle in (-pi/2, pi/2) whose tangent is x."""
    return jnp.arctan(x)


@activation(
    family="sigmoids",
    slope=normal.erf_slope,
    curvature=lambda x: -2 * (x * normal.erf_slope(x)),
    facts=Facts(
        SYMMETRIC,
        Interval(0.0, 1.1283791670955128),  # 2/sqrt(pi)
        symmetric(0.9678828980765735),  # 2 sqrt(2/(e pi))
        (),
        SMOOTH,
        INCREASING,
        inverse=jax.scipy.special.erfinv,
    ),
    source="Abramowitz & Stegun 1964, 7.1.1; google-deepmind/dks",
)
def erf(x: Array) -> Array:
    """The error function."""
    return normal.erf(x)


def _sech(x: Array) -> Array:
    e = decay(x)
    return 2 * e / (1 + e * e)


@activation(
    family="sigmoids",
    slope=_sech,
    curvature=lambda x: -_sech(x) * tanh_(x),
    facts=Facts(
        symmetric(1.5707963267948968),  # pi/2
        UNIT,
        symmetric(0.5),
        (),
        SMOOTH,
        INCREASING,
        inverse=lambda y: jnp.arcsinh(jnp.tan(y)),
    ),
    source="Kunc & Klema 2024, arXiv:2402.09092",
)
def gudermannian(x: Array) -> Array:
    """2 arctan(tanh(x/2)), the integral of 1/cosh."""
    return 2 * jnp.arctan(tanh_(0.5 * x))


def _side(x: Array, alpha: Array | float) -> Array:
    """1 / sqrt(alpha) in the shape of x."""
    return 1 / jnp.sqrt(alpha) * jnp.ones_like(x)


def cosine(x: Array, alpha: Array | float = 1.0) -> Array:
    """1 / sqrt(1 + alpha*x^2), without overflow: the cosine of the angle whose tangent is sqrt(alpha)*x."""
    return _side(x, alpha) / jnp.hypot(_side(x, alpha), x)


def sine(x: Array, alpha: Array | float = 1.0) -> Array:
    """sqrt(alpha)*x / sqrt(1 + alpha*x^2), without overflow: the sine of that angle."""
    return x / jnp.hypot(_side(x, alpha), x)


def _isru_range(alpha: Any) -> Interval:
    end = 1 / namespace(alpha).sqrt(alpha)
    return Interval(-end, end).rounded()


@activation(
    family="sigmoids",
    slope=lambda x, alpha: cosine(x, alpha) ** 3,
    curvature=lambda x, alpha: -3 * jnp.sqrt(alpha) * sine(x, alpha) * cosine(x, alpha) ** 4,
    domains={"alpha": POSITIVE},
    facts=lambda alpha: Facts(
        _isru_range(alpha),
        UNIT,
        (symmetric(0.8586501033599193) * namespace(alpha).sqrt(alpha)).rounded(),  # 48/(25 sqrt 5)
        (),
        SMOOTH,
        INCREASING,
        inverse=lambda y: y / jnp.sqrt(1 - alpha * jnp.square(y)),
    ),
    ideal=lambda x, alpha: x / jnp.sqrt(1 + alpha * (x * x)),
    source="Carlile et al. 2017, arXiv:1710.09967, eq. 3",
)
def isru(x: Array, alpha: Array | float = 1.0) -> Array:
    """Inverse square root unit, x / sqrt(1 + alpha*x^2)."""
    return sine(x, alpha) / jnp.sqrt(alpha)
