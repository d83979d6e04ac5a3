"""Gated: x times a distribution function of x. GELU, swish and their kin: a dip left of 0, the identity far right."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import decay, exact_product, head, weighted_exp, weighted_logistic
from actlab.activations.facts import SMOOTH, Facts, certain
from actlab.activations.interval import Interval, namespace, plain
from actlab.activations.normal import density, weighted_cdf

SWISH_DEPTH = 0.2784645427610738
SWISH_SLOPE = Interval(-0.09983932012886693, 1.099839320128867)
SWISH_CURVATURE = Interval(-0.036914373199893186, 0.5)
FAR = 1000.0
"""Where every gate has reached its limit in float64 too; arguments are clipped there, so that no inf * 0 forms."""


def _swish_slope(z: Array) -> Array:
    """The derivative of z*sigmoid(z)."""
    z = jnp.clip(z, -FAR, FAR)
    return jax.nn.sigmoid(z) * (1 + z * jax.nn.sigmoid(-z))


def _swish_curvature(z: Array) -> Array:
    z = jnp.clip(z, -FAR, FAR)
    right, left = jax.nn.sigmoid(z), jax.nn.sigmoid(-z)
    return right * left * (2 + z * (left - right))


def _swish_facts(beta: Any, gain: Any = 1.0) -> Facts:
    """Those of gain*x*sigmoid(beta*x)."""
    xp = namespace(beta, gain)
    with np.errstate(divide="ignore"):
        depth = xp.divide(SWISH_DEPTH, xp.abs(beta))
    lower = xp.where(beta > 0, -depth, -math.inf)
    upper = xp.where(beta < 0, depth, math.inf)
    return Facts(
        range=(Interval(plain(lower), plain(upper)) * gain).rounded(),
        slope=SWISH_SLOPE * gain,
        curvature=SWISH_CURVATURE * beta * gain,
        kinks=(),
        smoothness=SMOOTH,
        monotone="none" if certain((beta != 0) & (gain != 0)) else "unknown",
    )


@activation(
    family="gated",
    slope=lambda x, beta: _swish_slope(beta * x),
    curvature=lambda x, beta: beta * _swish_curvature(beta * x),
    facts=_swish_facts,
    ideal=lambda x, beta: x * jax.nn.sigmoid(beta * x),
    source="Ramachandran, Zoph & Le 2017, arXiv:1710.05941, section 2; Elfwing et al. 2017, arXiv:1702.03118 (SiLU)",
)
def swish(x: Array, beta: Array | float = 1.0) -> Array:
    """f(x) = x * sigmoid(beta*x); with beta = 1 also called silu. Accurate where jax.nn.silu underflows, below -87."""
    return weighted_logistic(x, *exact_product(x, beta))


@activation(
    family="gated",
    slope=lambda x: _swish_slope(1.702 * x),
    curvature=lambda x: 1.702 * _swish_curvature(1.702 * x),
    facts=_swish_facts(1.702),
    ideal=lambda x: x * jax.nn.sigmoid(1.702 * x),
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2",
)
def quick_gelu(x: Array) -> Array:
    """f(x) = x * sigmoid(1.702 x)."""
    return weighted_logistic(x, *exact_product(x, jnp.full_like(x, 1.702)))


@activation(
    family="gated",
    slope=lambda x, beta, gamma: 2 * gamma * _swish_slope(2 * beta * x),
    curvature=lambda x, beta, gamma: 4 * beta * gamma * _swish_curvature(2 * beta * x),
    domains={"beta": POSITIVE, "gamma": POSITIVE},
    facts=lambda beta, gamma: _swish_facts(2 * beta, 2 * gamma),
    ideal=lambda x, beta, gamma: 2 * gamma * (x * jax.nn.sigmoid(2 * beta * x)),
    source="Kumar 2022, arXiv:2209.06119, eq. 1 with alpha = 1",
)
def aptx(x: Array, beta: Array | float = 1.0, gamma: Array | float = 0.5) -> Array:
    """f(x) = gamma * x * (1 + tanh(beta*x)), which is swish with twice the beta."""
    return 2 * gamma * weighted_logistic(x, *exact_product(x, 2 * beta))


@activation(
    family="gated",
    slope=lambda x: weighted_cdf(jnp.ones_like(x), x) + jnp.clip(x, -FAR, FAR) * density(x),
    curvature=lambda x: (2 - jnp.square(jnp.clip(x, -FAR, FAR))) * density(x),
    facts=Facts(
        Interval(-0.16997120747990369, math.inf),
        Interval(-0.1289041451851548, 1.128904145185155),  # sup at sqrt(2); inf = 1 - sup
        Interval(-0.10798193302637611, 0.7978845608028654),  # 2 phi(0) = sqrt(2/pi)
        (),
        SMOOTH,
        "none",
    ),
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415, eq. 1",
)
def gelu(x: Array) -> Array:
    """f(x) = x * Phi(x), Phi the normal distribution function: the default of torch and keras. jax's is `gelu_tanh`."""
    return weighted_cdf(x, x)


LINEAR = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715 * LINEAR
TANH_FAR = 32.0


def _leading(value: float) -> float:
    """The first 12 bits of a constant."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.floor(mantissa * 4096), exponent - 12)


def _cubic(x: Array) -> tuple[Array, Array]:
    """LINEAR*x + CUBIC*x^3 as `(main, rest)` with twice the digits in float32, for the sake of its exponential."""
    if x.dtype != jnp.float32:
        return x * (LINEAR + CUBIC * x * x), jnp.zeros_like(x)
    a, b = _leading(LINEAR), _leading(CUBIC)
    x1 = head(x, 12)
    square, square_rest = x1 * x1, (x - x1) * (x + x1)
    square1 = head(square, 12)
    factor1 = head(LINEAR + CUBIC * square, 12)
    rest = (CUBIC - b) * square + (CUBIC * square_rest + (LINEAR - a))
    factor2 = (b * square1 - (factor1 - a)) + (b * (square - square1) + rest)
    main = head(x * (factor1 + factor2), 1)
    near = jnp.abs(main) < 200
    return main, jnp.where(near, (x1 * factor1 - main) + ((x - x1) * factor1 + x * factor2), 0)


def _tanh_gate(x: Array) -> tuple[Array, Array, Array, Array]:
    """The clipped x, the gate, its complement, and the derivative of the gate's argument."""
    x = jnp.clip(x, -TANH_FAR, TANH_FAR)
    z = x * (LINEAR + CUBIC * x * x)
    return x, jax.nn.sigmoid(z), jax.nn.sigmoid(-z), LINEAR + 3 * CUBIC * x * x


def _gelu_tanh_slope(x: Array) -> Array:
    x, gate, complement, rate = _tanh_gate(x)
    return gate * (1 + x * rate * complement)


def _gelu_tanh_curvature(x: Array) -> Array:
    x, gate, complement, rate = _tanh_gate(x)
    return gate * complement * (2 * rate + 6 * CUBIC * x * x + x * rate * rate * (complement - gate))


@activation(
    family="gated",
    slope=_gelu_tanh_slope,
    curvature=_gelu_tanh_curvature,
    facts=Facts(
        Interval(-0.17004075057125406, math.inf),
        Interval(-0.12899306865877178, 1.128993068658772),
        Interval(-0.10791351589036792, 0.7978845608028654),  # sqrt(2/pi)
        (),
        SMOOTH,
        "none",
    ),
    ideal=lambda x: x * jax.nn.sigmoid(x * (LINEAR + CUBIC * (x * x))),
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2",
)
def gelu_tanh(x: Array) -> Array:
    """x/2 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the default of jax.nn.gelu. torch's and keras' is `gelu`."""
    return weighted_logistic(x, *_cubic(jnp.clip(x, -TANH_FAR, TANH_FAR)))


def _mish_gates(x: Array) -> tuple[Array, Array]:
    """tanh(softplus(x)) and 1 minus its square."""
    e = decay(x)
    right, left = 1 + 2 * e + 2 * e * e, 2 + 2 * e + e * e
    gate = jnp.where(x >= 0, (1 + 2 * e) / right, e * (2 + e) / left)
    complement = jnp.where(x >= 0, 2 * e * e / right, 2 / left)
    return gate, complement * (1 + gate)


def _mish_slope(x: Array) -> Array:
    x = jnp.clip(x, -FAR, FAR)
    gate, rate = _mish_gates(x)
    return gate + x * jax.nn.sigmoid(x) * rate


@activation(
    family="gated",
    slope=_mish_slope,
    facts=Facts(
        Interval(-0.30884341301725043, math.inf),
        Interval(-0.11252612238946257, 1.088498161251728),
        Interval(-0.05903335695393630, 0.6442046372369725),
        (),
        SMOOTH,
        "none",
    ),
    ideal=lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    source="Misra 2019, arXiv:1908.08681, eq. 1",
)
def mish(x: Array) -> Array:
    """f(x) = x * tanh(softplus(x)), as a rational function of exp(-|x|)."""
    e = decay(x)
    right = x - x * (2 * e * e / (1 + 2 * e + 2 * e * e))
    left = weighted_exp(x - x * (e * (1 + e) / (2 + 2 * e + e * e)), jnp.minimum(x, 0))
    return jnp.where(x >= 0, right, left)
