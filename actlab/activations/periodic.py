"""Periodic activations: waves, and the line or a cosine modulated by one.

Far out neighbouring floats are many periods apart: there the values are those of the rounded phase, finite always.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.horner import polynomial
from actlab.activations.interval import REALS, SYMMETRIC, Interval


def phase(frequency: Array | float, x: Array) -> Array:
    """`frequency * x`, kept finite."""
    largest = jnp.finfo(x.dtype).max
    return jnp.clip(frequency * x, -largest, largest)


@activation(
    family="periodic",
    slope=jnp.cos,
    curvature=lambda x: -jnp.sin(x),
    facts=Facts(SYMMETRIC, SYMMETRIC, SYMMETRIC, (), SMOOTH, "none"),
    source="Parascandolo, Huttunen & Virtanen 2017, Taming the waves; google-deepmind/dks",
)
def sin(x: Array) -> Array:
    """The sine."""
    return jnp.sin(x)


@activation(
    family="periodic",
    slope=lambda x: -jnp.sin(x),
    curvature=lambda x: -jnp.cos(x),
    facts=Facts(SYMMETRIC, SYMMETRIC, SYMMETRIC, (), SMOOTH, "none"),
    source="google-deepmind/dks; Rahimi & Recht 2007, Random features, section 3",
)
def cos(x: Array) -> Array:
    """The cosine."""
    return jnp.cos(x)


@activation(
    family="periodic",
    slope=lambda x, omega: omega * jnp.cos(phase(omega, x)),
    curvature=lambda x, omega: -omega * (omega * jnp.sin(phase(omega, x))),
    domains={"omega": POSITIVE},
    facts=lambda omega: Facts(SYMMETRIC, SYMMETRIC * omega, (SYMMETRIC * omega) * omega, (), SMOOTH, "none"),
    ideal=lambda x, omega: jnp.sin(omega * x),
    source="Sitzmann et al. 2020, arXiv:2006.09661, section 3.2 (SIREN)",
)
def sine(x: Array, omega: Array | float = 30.0) -> Array:
    """sin(omega x), the SIREN's; its initialization (uniform, bound sqrt(6/n)/omega) belongs to it."""
    return jnp.sin(phase(omega, x))


def _snake_facts(a: Any) -> Facts:
    return Facts(REALS, Interval(0.0, 2.0), Interval(-2.0, 2.0) * a, (), SMOOTH, "strictly increasing")


@activation(
    family="periodic",
    slope=lambda x, a: 2 * jnp.square(jnp.cos(phase(a, x) - jnp.pi / 4)),  # 1 + sin(2ax) without cancellation
    curvature=lambda x, a: 2 * a * jnp.cos(phase(2 * a, x)),
    domains={"a": POSITIVE},
    facts=_snake_facts,
    ideal=lambda x, a: x + jnp.square(jnp.sin(a * x)) / a,
    source="Liu, Hartwig & Ueda 2020, arXiv:2006.08195, eq. 3",
)
def snake(x: Array, a: Array | float = 1.0) -> Array:
    """f(x) = x + sin(ax)^2 / a: a line that learns what is periodic."""
    return x + jnp.square(jnp.sin(phase(a, x))) / a


@activation(
    family="periodic",
    slope=lambda x: jnp.cos(x) - x * jnp.sin(x),
    curvature=lambda x: -(2 * jnp.sin(x) + x * jnp.cos(x)),
    facts=Facts(REALS, REALS, REALS, (), SMOOTH, "none"),
    source="Noel et al. 2021, arXiv:2108.12943, eq. 1 (growing cosine unit)",
)
def gcu(x: Array) -> Array:
    """f(x) = x cos(x), the growing cosine unit. Slope and curvature are known to be unbounded."""
    return x * jnp.cos(x)


def _even_series(x: Array, coefficients: tuple[float, ...]) -> Array:
    """The polynomial in x^2, used for |x| < 1 only and kept finite beyond."""
    return polynomial(coefficients, jnp.square(jnp.clip(x, -1, 1)))


def _series(divisor: Callable[[int], int]) -> tuple[float, ...]:
    """The coefficients 1/divisor(k) with alternating sign, enough of them for float64."""
    return tuple((-1) ** k / divisor(k) for k in range(11))


SINC = _series(lambda k: math.factorial(2 * k + 1))
SINC_SLOPE = _series(lambda k: -math.factorial(2 * k + 1) * (2 * k + 3))  # times x
SINC_CURVATURE = _series(lambda k: -math.factorial(2 * k) * (2 * k + 3))


def _away(x: Array) -> Array:
    """The same x where |x| >= 1, else 1: what the quotients are computed of, so that none of them is 0/0."""
    return jnp.where(jnp.abs(x) < 1, 1, x)


def _nonzero(x: Array) -> Array:
    """The same x, and 1 in place of 0."""
    return jnp.where(x == 0, 1, x)


def _sinc_slope(x: Array) -> Array:
    z = _away(x)
    near = jnp.clip(x, -1, 1) * _even_series(x, SINC_SLOPE)
    return jnp.where(jnp.abs(x) < 1, near, (jnp.cos(z) - jnp.sin(z) / z) / z)


def _sinc_curvature(x: Array) -> Array:
    z = _away(x)
    far = -(jnp.sin(z) + 2 * ((jnp.cos(z) - jnp.sin(z) / z) / z)) / z
    return jnp.where(jnp.abs(x) < 1, _even_series(x, SINC_CURVATURE), far)


@activation(
    family="periodic",
    slope=_sinc_slope,
    curvature=_sinc_curvature,
    facts=Facts(
        Interval(-0.2172336282112217, 1.0),
        Interval(-0.43618181727145954, 0.43618181727145954),
        Interval(-0.33333333333333337, 0.2486922364457892),
        (),
        SMOOTH,
        "none",
    ),
    ideal=lambda x: jnp.where(x == 0, 1, jnp.sin(_nonzero(x)) / _nonzero(x)),
    source="Noel et al. 2021, arXiv:2111.04020 (the shifted sinc unit without its shift and scale)",
)
def sinc(x: Array) -> Array:
    """sin(x) / x, unnormalized, and 1 at 0."""
    z = _away(x)
    return jnp.where(jnp.abs(x) < 1, _even_series(x, SINC), jnp.sin(z) / z)
