"""Polynomials, pieces of polynomials that join smoothly, and the Gaussian bump."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import exact_product, weighted_exp
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.interval import HALF_LINE, REALS, SYMMETRIC, UNIT, Interval


@activation(
    family="polynomial",
    slope=lambda x: 2 * x,
    curvature=lambda x: jnp.full_like(x, 2),
    facts=Facts(HALF_LINE, REALS, Interval(2.0, 2.0), (), SMOOTH, "none"),
    source="Livni, Shalev-Shwartz & Shamir 2014, arXiv:1410.1141, section 4; google-deepmind/dks",
)
def square(x: Array) -> Array:
    """x^2; overflows above the square root of the largest number. The slope is known to be unbounded."""
    return jnp.square(x)


@activation(
    family="polynomial",
    slope=lambda x: 3 * jnp.square(x),
    curvature=lambda x: 6 * x,
    facts=Facts(REALS, HALF_LINE, REALS, (), SMOOTH, "strictly increasing", inverse=jnp.cbrt),
    source="Chen & Manning 2014, A fast and accurate dependency parser using neural networks, section 3.1",
)
def cube(x: Array) -> Array:
    """x^3; overflows above the cube root of the largest number. Strictly increasing, with slope 0 at 0."""
    return x * x * x


def _sqnl(x: Array) -> Array:
    size = jnp.minimum(jnp.abs(x), 2)
    near, far = size * (1 - 0.25 * size), 1 - jnp.square(1 - 0.5 * size)  # the second keeps the order towards 2
    return jnp.where(x < 0, -1, 1) * jnp.where(size < 1, near, far)


@activation(
    family="polynomial",
    slope=lambda x: 1 - 0.5 * jnp.minimum(jnp.abs(x), 2),
    curvature=lambda x: -0.5 * jnp.sign(x) * (jnp.abs(x) < 2).astype(x.dtype),
    facts=Facts(SYMMETRIC, UNIT, Interval(-0.5, 0.5), (-2.0, 0.0, 2.0), 1, "nondecreasing"),
    source="Wuraola & Patel 2018, SQNL: a new computationally efficient activation function, IJCNN, eq. 3",
)
def sqnl(x: Array) -> Array:
    """Square nonlinearity: x - sign(x) x^2/4 for |x| <= 2, sign(x) beyond."""
    return _sqnl(x)


def _bump(weight: Array | float, x: Array) -> Array:
    """`weight * exp(-x^2)` for |x| <= 30, the square to twice the digits."""
    main, rest = exact_product(x, x)
    return weighted_exp(weight, -main, -rest)


def _inner(x: Array) -> Array:
    """Where exp(-x^2) is above the least number of float64, so that nothing overflows beside it."""
    return jnp.clip(x, -30, 30)


@activation(
    family="polynomial",
    slope=lambda x: _bump(-2 * _inner(x), _inner(x)),
    curvature=lambda x: _bump(4 * jnp.square(_inner(x)) - 2, _inner(x)),
    facts=Facts(
        UNIT,
        Interval(-0.8577638849607069, 0.8577638849607069),  # sqrt(2/e) at 1/sqrt(2)
        Interval(-2.0, 0.8925206405937194),  # 4 exp(-3/2) at sqrt(3/2)
        (),
        SMOOTH,
        "none",
    ),
    ideal=lambda x: jnp.exp(-x * x),
    source="Broomhead & Lowe 1988, Complex Systems 2, section 3; google-deepmind/dks",
)
def gaussian(x: Array) -> Array:
    """exp(-x^2), the bump of radial basis networks."""
    return _bump(1.0, _inner(x))


def _rise(x: Array, gamma: Array | float) -> Array:
    """How far x is into the transition, in units of its width, counted from the nearer end: in [0, 1/2]."""
    return jnp.maximum(0.5 - jnp.abs(x / gamma), 0)


def _smooth_step_facts(gamma: Any) -> Facts:
    bend = 6 / gamma / gamma
    return Facts(
        UNIT,
        Interval(0.0, 1.5 / gamma).rounded(),
        Interval(-bend, bend).rounded(),
        (-0.5 * gamma, 0.5 * gamma),
        1,
        "nondecreasing",
    )


@activation(
    family="polynomial",
    slope=lambda x, gamma: 6 / gamma * (_rise(x, gamma) * (1 - _rise(x, gamma))),
    curvature=lambda x, gamma: jnp.where(jnp.abs(x) < 0.5 * gamma, -12 / gamma / gamma * (x / gamma), 0),
    domains={"gamma": POSITIVE},
    facts=_smooth_step_facts,
    source="Hazimeh et al. 2020, arXiv:2002.07772, eq. 3",
)
def smooth_step(x: Array, gamma: Array | float = 1.0) -> Array:
    """0 below -gamma/2, 1 above gamma/2, between them the cubic 1/2 + 3t/2 - 2t^3 with t = x/gamma.

    A sigmoid that is exactly 0 and 1 where it is flat; the gate of the tree ensemble layer.
    """
    d = jnp.maximum(0.5 - jnp.where(x < 0, -1, 1) * (x / gamma), 0)
    low = jnp.square(d) * (3 - 2 * d)  # from the nearer end: no cancellation
    return jnp.where(x < 0, low, 1 - low)
