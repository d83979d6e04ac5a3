"""Pseudo-derivatives h(x) that stand in for the slope of a step: `heaviside.with_surrogate(fast_sigmoid(beta=10.0))`.

Each is an activation of its own, with facts, an even bump with its peak at 0; x is the distance to the threshold.
Peers differ in the scale. A surrogate of unit area is the derivative of a smooth step from 0 to 1: its peak grows with
beta, and the mean gradient does not depend on beta. One of unit peak never amplifies a gradient: its area shrinks as
1/beta. Each docstring gives peak and area.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import sech2, tanh, weighted_logistic_slope
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.interval import UNIT, ZERO, Interval

BETA = {"beta": POSITIVE}


def _bump(peak: Any, scale: Any, slope: float, curvature: tuple[float, float], **other: Any) -> Facts:
    """Facts of `peak h(scale x)` from those of h, whose range is [0, 1]."""
    peak, scale = Interval(peak, peak).rounded(), Interval(scale, scale).rounded()
    return Facts(
        UNIT * peak,
        Interval(-slope, slope) * peak * scale,
        Interval(*curvature) * peak * scale * scale,
        monotone="none",
        **other,
    )


def _near(x: Array, beta: Array | float) -> Array:
    return 1 / (1 + beta * jnp.abs(x))


@activation(
    family="surrogates",
    slope=lambda x, beta: -2 * beta * (jnp.sign(x) * _near(x, beta) ** 3),
    curvature=lambda x, beta: 6 * beta * (beta * _near(x, beta) ** 4),
    domains=BETA,
    facts=lambda beta: _bump(1.0, beta, 2.0, (0.0, 6.0), kinks=(0.0,), smoothness=0),
    source="Zenke & Ganguli 2018, arXiv:1705.11146, eq. 6 (SuperSpike)",
)
def fast_sigmoid(x: Array, beta: Array | float = 10.0) -> Array:
    """1/(1 + beta |x|)^2, the SuperSpike: peak 1, area 2/beta.

    snnTorch and jaxpike: fast_sigmoid, 25; spyx: superspike, 25; Norse: SuperSpike, 100; Zenke & Vogels 2021: 10.
    """
    return _near(x, beta) ** 2


def _logistic(x: Array, beta: Array | float) -> Array:
    return weighted_logistic_slope(beta, jnp.clip(beta * jnp.abs(x), 0, 1000))


def _logistic_slope(x: Array, beta: Array | float) -> Array:
    return -beta * (jnp.tanh(jnp.clip(0.5 * beta * x, -500, 500)) * _logistic(x, beta))


def _logistic_curvature(x: Array, beta: Array | float) -> Array:
    h = _logistic(x, beta) / beta
    return beta**2 * (_logistic(x, beta) * (1 - 6 * h))


@activation(
    family="surrogates",
    slope=_logistic_slope,
    curvature=_logistic_curvature,
    domains=BETA,
    # Of 4 sigmoid'(z): its derivative is at most 2/(3 sqrt 3), the second between -1/2 and 1/6.
    facts=lambda beta: _bump(
        beta / 4, beta, 0.38490017945975055, (-0.5, 0.1666666666666667), kinks=(), smoothness=SMOOTH
    ),
    source="Wozniak et al. 2020, arXiv:1812.07040; Neftci, Mostafa & Zenke 2019, arXiv:1901.09948",
)
def sigmoid(x: Array, beta: Array | float = 4.0) -> Array:
    """The slope of the logistic function of beta x: peak beta/4, area 1.

    SpikingJelly: Sigmoid, alpha = 4; snnTorch: sigmoid, 25, whose formula overflows to NaN below x = -3.55.
    """
    return _logistic(x, beta)


def _lorentz(x: Array, beta: Array | float) -> Array:
    return 1 / (1 + jnp.square(0.5 * math.pi * beta * x))


@activation(
    family="surrogates",
    slope=lambda x, beta: -beta * (0.5 * math.pi * beta) ** 2 * (x * _lorentz(x, beta)) * _lorentz(x, beta),
    curvature=lambda x, beta: beta * (0.5 * math.pi * beta) ** 2 * (3 - 4 * _lorentz(x, beta)) * _lorentz(x, beta) ** 2,
    domains=BETA,
    facts=lambda beta: _bump(
        beta / 2, 0.5 * math.pi * beta, 0.6495190528383291, (-2.0, 0.5), kinks=(), smoothness=SMOOTH
    ),
    source="Fang et al. 2021, arXiv:2007.05785, eq. 20",
)
def arctan(x: Array, beta: Array | float = 2.0) -> Array:
    """The Cauchy density, 1/pi times the slope of the arctangent of pi beta x/2: peak beta/2, area 1.

    snnTorch's default atan, jaxpike and SpikingJelly: alpha = 2. spyx: 1/(pi (1 + (2 pi x)^2)), peak 1/pi.
    """
    return 0.5 * beta * _lorentz(x, beta)


@activation(
    family="surrogates",
    slope=lambda x, beta: jnp.where(beta * jnp.abs(x) < 1, -beta * jnp.sign(x), 0),
    curvature=lambda x, beta: jnp.zeros_like(x),
    domains=BETA,
    facts=lambda beta: _bump(1.0, beta, 1.0, (0.0, 0.0), kinks=(-1 / beta, 0.0, 1 / beta), smoothness=0),
    source="Esser et al. 2016, arXiv:1603.08270, eq. 3; Bellec et al. 2018, arXiv:1803.09574, eq. 4",
)
def triangle(x: Array, beta: Array | float = 1.0) -> Array:
    """max(0, 1 - beta |x|): peak 1, area 1/beta.

    jaxpike: Triangular, 1; spyx: 2; Norse and Bellec et al. scale it by 0.3. snnTorch's triangular is another function.
    """
    return jnp.maximum(0, 1 - beta * jnp.abs(x))


def _gauss(x: Array, beta: Array | float) -> Array:
    return jnp.exp(-jnp.square(jnp.clip(beta * x, -1e4, 1e4)))


@activation(
    family="surrogates",
    slope=lambda x, beta: -2 * beta**3 / math.sqrt(math.pi) * (x * _gauss(x, beta)),
    curvature=lambda x, beta: (
        2
        * beta**3
        / math.sqrt(math.pi)
        * (2 * (beta * (x * _gauss(x, 0.7071067811865476 * beta))) ** 2 - _gauss(x, beta))
    ),
    domains=BETA,
    facts=lambda beta: _bump(
        beta / math.sqrt(math.pi),
        beta,
        0.857763884960707,  # sqrt(2/e)
        (-2.0, 0.8925206405937194),  # 4 exp(-3/2)
        kinks=(),
        smoothness=SMOOTH,
    ),
    source="Yin, Corradi & Bohte 2021, arXiv:2103.12593, eq. 9, its central lobe",
)
def gaussian(x: Array, beta: Array | float = 1.0) -> Array:
    """The slope of erf(beta x)/2, a normal distribution function: peak beta/sqrt(pi), area 1.

    SpikingJelly: Erf, alpha = 2. The standard deviation is 1/(beta sqrt 2).
    """
    return beta / math.sqrt(math.pi) * _gauss(x, beta)


def _rectangular_facts(beta: Any) -> Facts:
    return Facts(Interval(0.0, beta), ZERO, ZERO, (-0.5 / beta, 0.5 / beta), -1, "none")


@activation(
    family="surrogates",
    slope=lambda x, beta: jnp.zeros_like(x),
    domains=BETA,
    facts=_rectangular_facts,
    source="Wu et al. 2018, arXiv:1706.02609, eq. 24",
)
def rectangular(x: Array, beta: Array | float = 1.0) -> Array:
    """The boxcar, beta where |x| < 1/(2 beta), else 0: peak beta, area 1.

    jaxpike: Boxcar, height 0.5/width; spyx: width 2, height 0.5, which is beta = 0.5.
    """
    return jnp.where(jnp.abs(beta * x) < 0.5, beta, 0).astype(x.dtype)


def _laplace(x: Array, beta: Array | float) -> Array:
    return jnp.exp(-jnp.clip(beta * jnp.abs(x), 0, 1000))


@activation(
    family="surrogates",
    slope=lambda x, beta: -0.5 * beta**2 * (jnp.sign(x) * _laplace(x, beta)),
    curvature=lambda x, beta: 0.5 * beta**3 * _laplace(x, beta),
    domains=BETA,
    facts=lambda beta: _bump(beta / 2, beta, 1.0, (0.0, 1.0), kinks=(0.0,), smoothness=0),
    source="Shrestha & Orchard 2018, arXiv:1810.08646, eq. 11 (SLAYER)",
)
def exponential(x: Array, beta: Array | float = 2.0) -> Array:
    """(beta/2) exp(-beta |x|), the slope of the Laplace distribution function: peak beta/2, area 1.

    SpikingJelly: PiecewiseExp, 1, of that peak. snnTorch's spike_rate_escape is centred one unit above the threshold.
    """
    return 0.5 * beta * _laplace(x, beta)


def _hyperbolic_slope(x: Array, beta: Array | float) -> Array:
    z = jnp.clip(beta * x, -1000, 1000)
    return -2 * beta * (tanh(z) * sech2(z))


def _hyperbolic_curvature(x: Array, beta: Array | float) -> Array:
    h = sech2(jnp.clip(beta * x, -1000, 1000))
    return beta**2 * (h * (4 - 6 * h))


@activation(
    family="surrogates",
    slope=_hyperbolic_slope,
    curvature=_hyperbolic_curvature,
    domains=BETA,
    # Of sech(z)^2: its slope is at most 4/(3 sqrt 3), the second derivative between -2 and 2/3.
    facts=lambda beta: _bump(1.0, beta, 0.7698003589195011, (-2.0, 0.6666666666666667), kinks=(), smoothness=SMOOTH),
    source="the slope of tanh; Wozniak et al. 2020, arXiv:1812.07040",
)
def hyperbolic(x: Array, beta: Array | float = 1.0) -> Array:
    """1/cosh(beta x)^2, the slope of tanh(beta x)/beta: peak 1, area 2/beta.

    spyx: tanh, 1. It is the sigmoid's with 2 beta, over beta/2.
    """
    return sech2(jnp.clip(beta * x, -1000, 1000))


@activation(
    family="surrogates",
    slope=jnp.zeros_like,
    facts=Facts(Interval(1.0, 1.0), ZERO, ZERO, (), SMOOTH, "nondecreasing"),
    source="Bengio, Leonard & Courville 2013, arXiv:1308.3432, section 4",
)
def straight_through(x: Array) -> Array:
    """1 everywhere: the gradient passes as if the step were the identity. Peak 1, infinite area."""
    return jnp.ones_like(x)


__all__ = [
    "arctan",
    "exponential",
    "fast_sigmoid",
    "gaussian",
    "hyperbolic",
    "rectangular",
    "sigmoid",
    "straight_through",
    "triangle",
]
