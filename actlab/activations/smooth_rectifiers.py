"""Smooth rectifiers: increasing, one slope far left and another far right, an exponential or a root in between."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations import exponentials
from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import expm1
from actlab.activations.facts import SMOOTH, Facts, certain
from actlab.activations.interval import HALF_LINE, REALS, UNIT, Interval, namespace, plain
from actlab.activations.rectifiers import order_by_left_slope
from actlab.activations.sigmoids import cosine, sine

INCREASING = "strictly increasing"
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
SELU_PRODUCT = 1.7580993408473768
SELU_BOUND = 1.758099340847377  # rounded up


def _negative(x: Array) -> Array:
    """min(x, 0), so that the branch not taken stays finite."""
    return jnp.minimum(x, 0)


@activation(
    family="smooth_rectifiers",
    slope=lambda x, beta: jax.nn.sigmoid(beta * x),
    curvature=lambda x, beta: beta * (jax.nn.sigmoid(beta * x) * jax.nn.sigmoid(-beta * x)),
    domains={"beta": POSITIVE},
    facts=lambda beta: Facts(
        HALF_LINE,
        UNIT,
        Interval(0.0, 0.25) * beta,
        (),
        SMOOTH,
        INCREASING,
        inverse=lambda y: y + jnp.log(-jnp.expm1(-beta * y)) / beta,
    ),
    ideal=lambda x, beta: jax.nn.softplus(beta * x) / beta,
    source="Dugas et al. 2001, Incorporating second-order functional knowledge for better option pricing, eq. 3",
)
def softplus(x: Array, beta: Array | float = 1.0) -> Array:
    """log(1 + exp(beta*x)) / beta. torch switches to x where beta*x > 20; this does not need to."""
    return exponentials.softplus(x, beta)


@activation(
    family="smooth_rectifiers",
    slope=lambda x: jax.nn.sigmoid(-x),
    curvature=lambda x: -(jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)),
    facts=Facts(
        Interval(-math.inf, 0.0),
        UNIT,
        Interval(-0.25, 0.0),
        (),
        SMOOTH,
        INCREASING,
        inverse=lambda y: y - jnp.log(-jnp.expm1(y)),
    ),
    ideal=lambda x: -jax.nn.softplus(-x),
    source="torch.nn.LogSigmoid, jax.nn.log_sigmoid, keras.activations.log_sigmoid",
)
def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x)) = -softplus(-x)."""
    return -exponentials.softplus(-x)


def _root(x: Array, b: Array | float) -> Array:
    """sqrt(x^2 + b), without overflow."""
    return jnp.hypot(x, jnp.sqrt(b) * jnp.ones_like(x))


def _squareplus(x: Array, b: Array | float) -> Array:
    larger = jnp.maximum(jnp.abs(x), jnp.sqrt(b))  # factored out: |x| + sqrt(x^2 + b) itself would overflow
    ratio = jnp.minimum(jnp.abs(x), jnp.sqrt(b)) / larger
    half = larger * (0.5 * (jnp.abs(x) / larger + jnp.sqrt(1 + ratio * ratio)))
    return jnp.where(x >= 0, half, 0.25 * b / half)


@activation(
    family="smooth_rectifiers",
    slope=lambda x, b: _squareplus(x, b) / _root(x, b),
    curvature=lambda x, b: 0.5 * b / _root(x, b) / _root(x, b) / _root(x, b),
    domains={"b": POSITIVE},
    facts=lambda b: Facts(
        HALF_LINE,
        UNIT,
        Interval(0.0, 0.5 / namespace(b).sqrt(b)).rounded(),
        (),
        SMOOTH,
        INCREASING,
        inverse=lambda y: y - b / (4 * y),
    ),
    ideal=lambda x, b: 0.5 * (x + jnp.sqrt(x * x + b)),
    source="Barron 2021, arXiv:2112.11687, eq. 1; b = 4 as in jax and keras",
)
def squareplus(x: Array, b: Array | float = 4.0) -> Array:
    """(x + sqrt(x^2 + b)) / 2; for x < 0 as (b/2) / (|x| + sqrt(x^2 + b)), which does not cancel."""
    return _squareplus(x, b)


def _elu_facts(alpha: Any) -> Facts:
    """Those of x for x > 0 and alpha*(exp(x) - 1) elsewhere."""
    xp = namespace(alpha)
    low, high = plain(xp.minimum(alpha, 0.0)), plain(xp.maximum(alpha, 0.0))
    return Facts(
        range=Interval(-high, math.inf),
        slope=Interval(low, plain(xp.maximum(alpha, 1.0))),
        curvature=Interval(low, high),
        kinks=(0.0,),
        smoothness=1 if certain(alpha == 1) else 0,
        monotone=order_by_left_slope(alpha),
        inverse=(lambda y: jnp.where(y > 0, y, jnp.log1p(_negative(y) / alpha))) if certain(alpha > 0) else None,
    )


@activation(
    family="smooth_rectifiers",
    slope=lambda x, alpha: jnp.where(x > 0, 1, alpha * jnp.exp(_negative(x))),
    curvature=lambda x, alpha: jnp.where(x > 0, 0, alpha * jnp.exp(_negative(x))),
    facts=_elu_facts,
    source="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289, eq. 15",
)
def elu(x: Array, alpha: Array | float = 1.0) -> Array:
    """f(x) = x for x > 0, alpha*(exp(x) - 1) elsewhere."""
    return jnp.where(x > 0, x, alpha * expm1(_negative(x)))


@activation(
    family="smooth_rectifiers",
    slope=lambda x, alpha: jnp.where(x > 0, 1, jnp.exp(_negative(x) / alpha)),
    curvature=lambda x, alpha: jnp.where(x > 0, 0, jnp.exp(_negative(x) / alpha) / alpha),
    domains={"alpha": POSITIVE},
    facts=lambda alpha: Facts(
        Interval(-alpha, math.inf),
        UNIT,
        Interval(0.0, 1 / alpha).rounded(),
        (0.0,),
        1,
        INCREASING,
        inverse=lambda y: jnp.where(y > 0, y, alpha * jnp.log1p(_negative(y) / alpha)),
    ),
    source="Barron 2017, arXiv:1704.07483, eq. 2",
)
def celu(x: Array, alpha: Array | float = 1.0) -> Array:
    """f(x) = x for x > 0, alpha*(exp(x/alpha) - 1) elsewhere: slope 1 at 0 for every alpha."""
    return jnp.where(x > 0, x, alpha * expm1(_negative(x) / alpha))


@activation(
    family="smooth_rectifiers",
    slope=lambda x: jnp.where(x > 0, SELU_SCALE, SELU_PRODUCT * jnp.exp(_negative(x))),
    curvature=lambda x: jnp.where(x > 0, 0, SELU_PRODUCT * jnp.exp(_negative(x))),
    facts=Facts(
        Interval(-SELU_BOUND, math.inf),
        Interval(0.0, SELU_BOUND),
        Interval(0.0, SELU_BOUND),
        (0.0,),
        0,
        INCREASING,
        inverse=lambda y: jnp.where(y > 0, y / SELU_SCALE, jnp.log1p(_negative(y) / SELU_PRODUCT)),
    ),
    source="Klambauer et al. 2017, arXiv:1706.02515, eq. 2 and 14",
)
def selu(x: Array) -> Array:
    """1.0507 times elu with alpha = 1.6733, the fixed point of mean 0 and variance 1."""
    return jnp.where(x > 0, SELU_SCALE * x, SELU_PRODUCT * expm1(_negative(x)))


@activation(
    family="smooth_rectifiers",
    slope=jnp.exp,
    curvature=jnp.exp,
    facts=Facts(HALF_LINE, HALF_LINE, HALF_LINE, (), SMOOTH, INCREASING, inverse=jnp.log),
    source="keras.activations.exponential",
)
def exponential(x: Array) -> Array:
    """exp(x); overflows above the logarithm of the largest number."""
    return jnp.exp(x)


@activation(
    family="smooth_rectifiers",
    slope=lambda x, alpha: cosine(_negative(x), alpha) ** 3,
    curvature=lambda x, alpha: -3 * jnp.sqrt(alpha) * sine(_negative(x), alpha) * cosine(_negative(x), alpha) ** 4,
    domains={"alpha": POSITIVE},
    facts=lambda alpha: Facts(
        Interval(-1 / namespace(alpha).sqrt(alpha), math.inf).rounded(),
        UNIT,
        (Interval(0.0, 0.8586501033599193) * namespace(alpha).sqrt(alpha)).rounded(),  # 48/(25 sqrt 5)
        (0.0,),
        2,
        INCREASING,
        inverse=lambda y: y / jnp.sqrt(1 - alpha * jnp.square(_negative(y))),
    ),
    ideal=lambda x, alpha: jnp.where(x > 0, x, x / jnp.sqrt(1 + alpha * (x * x))),
    source="Carlile et al. 2017, arXiv:1710.09967, eq. 1",
)
def isrlu(x: Array, alpha: Array | float = 1.0) -> Array:
    """f(x) = x for x >= 0, x / sqrt(1 + alpha*x^2) elsewhere: continuous to the second derivative."""
    return jnp.where(x > 0, x, sine(_negative(x), alpha) / jnp.sqrt(alpha))


def _hypotenuse(x: Array) -> Array:
    """sqrt(1 + x^2), without overflow."""
    return jnp.hypot(x, jnp.ones_like(x))


def _bent_inverse(y: Array) -> Array:
    c = y + 0.5  # 3x^2 - 8cx + 4c^2 - 1 = 0; halves keep the largest floats from overflow
    root = jnp.hypot(c, jnp.full_like(c, math.sqrt(0.75)))
    right = y * ((0.5 * y + 0.5) / (0.5 * jnp.abs(c) + 0.25 * root))
    return jnp.where(c > 0, right, (4 / 3) * c - (2 / 3) * root)


@activation(
    family="smooth_rectifiers",
    slope=lambda x: 1 + 0.5 * (x / _hypotenuse(x)),
    curvature=lambda x: 0.5 * (1 / _hypotenuse(x)) ** 3,
    facts=Facts(REALS, Interval(0.5, 1.5), Interval(0.0, 0.5), (), SMOOTH, INCREASING, inverse=_bent_inverse),
    ideal=lambda x: 0.5 * (jnp.sqrt(x * x + 1) - 1) + x,
    source="google-deepmind/dks (bentid)",
)
def bent_identity(x: Array) -> Array:
    """(sqrt(x^2 + 1) - 1)/2 + x, as x + x/2 * x/(sqrt(x^2 + 1) + 1)."""
    return x + 0.5 * x * (x / (1 + _hypotenuse(x)))
