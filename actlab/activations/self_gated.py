"""Self-gated: x times a bounded function of x that is odd, composed, or not a distribution function."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations import normal
from actlab.activations.decorator import activation
from actlab.activations.exponentials import expm1, sech2, softplus, tanh
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.gated import FAR, gelu, swish
from actlab.activations.interval import REALS, Interval


def _near(x: Array) -> Array:
    return jnp.clip(x, -FAR, FAR)


@activation(
    family="gated",
    slope=lambda x: tanh(x) + _near(x) * sech2(x),
    curvature=lambda x: 2 * sech2(x) * (1 - _near(x) * tanh(x)),
    facts=Facts(
        Interval(0.0, math.inf),
        Interval(-1.199678640257734, 1.199678640257734),
        Interval(-0.14765749279957274, 2.0),
        (),
        SMOOTH,
        "none",
    ),
    source="Roy et al. 2019, arXiv:1901.05894, eq. 3",
)
def lisht(x: Array) -> Array:
    """f(x) = x * tanh(x): even, |x| far out."""
    return x * tanh(x)


def _continued_fraction(x: Array, depth: int) -> Array:
    """(x - tanh x) / tanh x for |x| <= 2: Lambert's fraction, x^2/(3 + x^2/(5 + ...))."""
    square = jnp.square(jnp.clip(x, -2, 2))
    return functools.reduce(lambda below, n: square / (n + below), range(2 * depth + 1, 1, -2), jnp.zeros_like(x))


@activation(
    family="gated",
    slope=lambda x: jnp.square(tanh(x)),
    curvature=lambda x: 2 * tanh(x) * sech2(x),
    facts=Facts(
        REALS,
        Interval(0.0, 1.0),
        Interval(-0.769800358919501, 0.769800358919501),  # 4/(3 sqrt 3)
        (),
        SMOOTH,
        "strictly increasing",
    ),
    ideal=lambda x: x - jnp.tanh(x),
    source="torch.nn.Tanhshrink, keras.activations.tanh_shrink",
)
def tanh_shrink(x: Array) -> Array:
    """f(x) = x - tanh(x), about x^3/3 near 0; by a continued fraction for |x| < 2, where the difference cancels."""
    fraction = _continued_fraction(x, 8 if x.dtype == jnp.float32 else 14)
    return jnp.where(jnp.abs(x) < 2, x * (fraction / (1 + fraction)), x - tanh(x))


def _serf_slope(x: Array) -> Array:
    height = softplus(_near(x))
    return normal.erf(height) + _near(x) * jax.nn.sigmoid(x) * normal.erf_slope(height)


@activation(
    family="gated",
    slope=_serf_slope,
    facts=Facts(
        Interval(-0.34843745875960647, math.inf),
        Interval(-0.1269685890579054, 1.0861254441509973),
        Interval(-0.09764559607531855, 0.7119447638104462),
        (),
        SMOOTH,
        "none",
    ),
    ideal=lambda x: x * jax.scipy.special.erf(jax.nn.softplus(x)),
    source="Nag & Bhattacharyya 2021, arXiv:2108.09598, eq. 1",
)
def serf(x: Array) -> Array:
    """f(x) = x * erf(softplus(x))."""
    return x * normal.erf(softplus(x))


def _smish_slope(x: Array) -> Array:
    gate, complement = jax.nn.sigmoid(_near(x)), jax.nn.sigmoid(-_near(x))
    square = 1 + jnp.square(1 + gate)
    return gate * (2 + gate) / square + _near(x) * gate * complement * 4 * (1 + gate) / jnp.square(square)


@activation(
    family="gated",
    slope=_smish_slope,
    facts=Facts(
        Interval(-0.2499936636601295, math.inf),
        Interval(-0.08915320523502032, 0.6368842228812264),
        Interval(-0.03308901831501432, 0.3119666281058706),
        (),
        SMOOTH,
        "none",
    ),
    source="Wang, Ren & Wang 2022, Electronics 11(4) 540, eq. 1",
)
def smish(x: Array) -> Array:
    """f(x) = x * tanh(log(1 + sigmoid(x))), rational in the sigmoid: slope 3/5 far to the right."""
    gate = jax.nn.sigmoid(x)
    return x * (gate * (2 + gate) / (1 + jnp.square(1 + gate)))


def _logish_slope(x: Array) -> Array:
    gate, complement = jax.nn.sigmoid(_near(x)), jax.nn.sigmoid(-_near(x))
    return jnp.log1p(gate) + _near(x) * gate * complement / (1 + gate)


@activation(
    family="gated",
    slope=_logish_slope,
    facts=Facts(
        Interval(-0.25276881678944035, math.inf),
        Interval(-0.08982878552089008, 0.7463111804127397),
        Interval(-0.033236285050329245, 0.344392130352726),
        (),
        SMOOTH,
        "none",
    ),
    source="Zhu et al. 2021, Neurocomputing 458, eq. 5",
)
def logish(x: Array) -> Array:
    """f(x) = x * log(1 + sigmoid(x)): slope log 2 far to the right."""
    return x * jnp.log1p(jax.nn.sigmoid(x))


def _tanh_exp_slope(x: Array) -> Array:
    near = jnp.clip(x, -FAR, 7)  # tanh(exp(7)) is 1 in float64
    power = jnp.exp(near)
    return tanh(power) + near * power * sech2(power)


@activation(
    family="gated",
    slope=_tanh_exp_slope,
    facts=Facts(
        Interval(-0.3532857778482113, math.inf),
        Interval(-0.13157003618971583, 1.061975308717916),
        Interval(-0.11227174127891353, 0.9021623417007214),
        (),
        SMOOTH,
        "none",
    ),
    ideal=lambda x: x * jnp.tanh(jnp.exp(x)),
    source="Liu & Di 2020, arXiv:2003.09855, eq. 3",
)
def tanh_exp(x: Array) -> Array:
    """f(x) = x * tanh(exp(x))."""
    return x * tanh(jnp.exp(jnp.minimum(x, 7)))


def _phish_slope(x: Array) -> Array:
    height = gelu(_near(x))
    return tanh(height) + _near(x) * sech2(height) * gelu.slope(_near(x))


@activation(
    family="gated",
    slope=_phish_slope,
    facts=Facts(
        Interval(0.0, math.inf),
        Interval(-0.21842426582898752, 1.2983066733058117),
        Interval(-0.4007403286324137, 1.6307593337398187),
        (),
        SMOOTH,
        "none",
    ),
    source="Naveen 2022, Phish: a novel activation function, eq. 1",
)
def phish(x: Array) -> Array:
    """f(x) = x * tanh(gelu(x)): never negative."""
    return x * tanh(gelu(x))


def _elish_slope(x: Array) -> Array:
    left = jnp.clip(x, -FAR, 0)
    gate, complement = jax.nn.sigmoid(left), jax.nn.sigmoid(-left)
    return jnp.where(x >= 0, swish.slope(x), jnp.exp(left) * gate + expm1(left) * gate * complement)


@activation(
    family="gated",
    slope=_elish_slope,
    facts=Facts(
        Interval(-0.17157287525380993, math.inf),  # 2 sqrt(2) - 3
        Interval(-0.07854684787555588, 1.099839320128867),
        Interval(-0.036914373199893186, 1.0),
        (0.0,),
        1,
        "none",
    ),
    source="Basirat & Roth 2018, arXiv:1808.00783, eq. 8",
)
def elish(x: Array) -> Array:
    """f(x) = x * sigmoid(x) for x >= 0, (exp(x) - 1) * sigmoid(x) elsewhere."""
    return jnp.where(x >= 0, x, expm1(jnp.minimum(x, 0))) * jax.nn.sigmoid(x)
