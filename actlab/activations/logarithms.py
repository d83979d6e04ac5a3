"""Logarithms: linear at 0, growing like a logarithm far out."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.interval import HALF_LINE, REALS, SYMMETRIC, UNIT, Interval
from actlab.activations.sigmoids import cosine, sine

INCREASING = "strictly increasing"


@activation(
    family="logarithms",
    slope=cosine,
    curvature=lambda x: -sine(x) * cosine(x) ** 2,
    facts=Facts(
        REALS,
        UNIT,
        Interval(-0.3849001794597505, 0.3849001794597505),  # 2/(3 sqrt 3)
        (),
        SMOOTH,
        INCREASING,
        inverse=jnp.sinh,
    ),
    source="google-deepmind/dks",
)
def asinh(x: Array) -> Array:
    """The inverse hyperbolic sine: linear at 0, logarithmic far out. Its slope is 1/|x| there, where jax's own is 0."""
    return jnp.arcsinh(x)


@activation(
    family="logarithms",
    slope=lambda x: 1 / (1 + jnp.abs(x)),
    curvature=lambda x: -jnp.sign(x) * jnp.square(1 / (1 + jnp.abs(x))),
    facts=Facts(REALS, UNIT, SYMMETRIC, (0.0,), 1, INCREASING, inverse=lambda y: jnp.sign(y) * jnp.expm1(jnp.abs(y))),
    source="Hafner et al. 2023, arXiv:2301.04104, eq. 9",
)
def symmetric_log(x: Array) -> Array:
    """sign(x) log(1 + |x|), DreamerV3's symlog."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


@activation(
    family="logarithms",
    slope=lambda x, beta: jnp.where(x > 0, beta / (1 + beta * jnp.maximum(x, 0)), 0),
    curvature=lambda x, beta: jnp.where(x > 0, -jnp.square(beta / (1 + beta * jnp.maximum(x, 0))), 0),
    domains={"beta": POSITIVE},
    facts=lambda beta: Facts(HALF_LINE, Interval(0.0, beta), -(Interval(0.0, beta) * beta), (0.0,), 0, "nondecreasing"),
    source="Liu et al. 2019, arXiv:1908.03682, eq. 4",
)
def natural_log_relu(x: Array, beta: Array | float = 1.0) -> Array:
    """log(1 + beta*max(x, 0))."""
    return jnp.log1p(beta * jnp.maximum(x, 0))
