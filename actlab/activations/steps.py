"""Steps: discontinuous activations, whose slope is 0 wherever it exists; train them through a surrogate."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.facts import Facts
from actlab.activations.interval import ZERO, Interval


def _step_facts(lower: float, upper: float) -> Facts:
    return Facts(Interval(lower, upper), ZERO, ZERO, (0.0,), -1, "nondecreasing")


@activation(
    family="steps",
    slope=jnp.zeros_like,
    facts=_step_facts(0.0, 1.0),
    source="McCulloch & Pitts 1943, Bull. Math. Biophys. 5",
)
def heaviside(x: Array) -> Array:
    """1 where x > 0, else 0: a spike when the threshold is exceeded, none at it."""
    return (x > 0).astype(x.dtype)


@activation(
    family="steps",
    slope=jnp.zeros_like,
    facts=_step_facts(-1.0, 1.0),
    source="Hopfield 1982, PNAS 79(8)",
)
def sign(x: Array) -> Array:
    """-1, 0 or 1, as x is negative, zero or positive."""
    return jnp.sign(x)


@activation(
    family="steps",
    slope=jnp.zeros_like,
    facts=_step_facts(-1.0, 1.0),
    source="Courbariaux et al. 2016, arXiv:1602.02830, eq. 1",
)
def bipolar(x: Array) -> Array:
    """1 where x >= 0, else -1: the binary unit of binarized networks."""
    return jnp.where(x >= 0, 1, -1).astype(x.dtype)
