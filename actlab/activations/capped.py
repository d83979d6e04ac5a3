"""The positive head that cannot explode: softplus with a smooth cap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations.activation import Elementary
from actlab.activations.between import Between, Sign, checked_ends, clipped
from actlab.activations.decorator import activation
from actlab.activations.definition import aligned, wide
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import weighted_logistic
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.interval import Interval, namespace

FAR = 60.0
"""Where exp(-x) is below the rounding error of x in float64."""


def _fraction(width: Array | float) -> Array:
    """1 - exp(-width)."""
    return -jnp.expm1(-jnp.asarray(width))


def _slope(x: Array, width: Array | float) -> Array:
    # sigmoid(x) - sigmoid(x - width), as a product: no cancellation; the smaller factor's tail comes last.
    near = jnp.minimum(x, width - x)
    other = jnp.maximum(x, width - x)
    return weighted_logistic(_fraction(width) * jax.nn.sigmoid(other), near)


def _curvature(x: Array, width: Array | float) -> Array:
    return _slope(x, width) * (0.5 * jnp.tanh(0.5 * (width - x)) - 0.5 * jnp.tanh(0.5 * x))


def _facts(width: Any) -> Facts:
    # f' = sinh(w/2)/(cosh(w/2) + cosh(x - w/2)); f'' is extreme where cosh(x - w/2) = c cosh(w/2), c as below.
    xp = namespace(width)
    e = xp.exp(-width)
    inverse_square = 4 * e / (1 + e) ** 2  # 1/cosh(w/2)^2
    c = 0.5 * (1 + xp.sqrt(1 + 8 * inverse_square))
    bend = xp.tanh(0.5 * width) * xp.sqrt(c * c - inverse_square) / (1 + c) ** 2
    return Facts(
        Interval(0.0, width),
        Interval(0.0, xp.tanh(0.25 * width)).rounded(8),
        Interval(-bend, bend).rounded(64),
        (),
        SMOOTH,
        "strictly increasing",
        inverse=lambda y: y + jnp.log(-jnp.expm1(-y)) - jnp.log(-jnp.expm1(y - width)),
    )


@activation(
    family="bounded",
    slope=_slope,
    curvature=_curvature,
    domains={"width": POSITIVE},
    facts=_facts,
    ideal=lambda x, width: jnp.log1p(_fraction(width) * jnp.exp(x) / (1 + jnp.exp(-width) * jnp.exp(x))),
    source="the integral of a difference of two logistic functions, the soft indicator of [0, width]",
)
def soft_cap(x: Array, width: Array | float = 1.0) -> Array:
    """softplus(x) - softplus(x - width): softplus below, width above, strictly increasing between."""
    near = jnp.minimum(x, width - x)  # f(x) + f(width - x) = width
    exponent = jnp.minimum(near, FAR)
    curve = jnp.log1p(jnp.exp(exponent) * (_fraction(width) * jax.nn.sigmoid(width - exponent)))
    value = jnp.where(near > FAR, near, curve)
    return jnp.where(x <= width - x, value, width - value)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class CappedPositive(Between):
    """`lower + soft_cap(x; width=upper - lower)`; see `capped_positive`."""

    lower: Any
    upper: Any
    sign: Sign = field(default="any", metadata={"static": True})
    name = "capped_positive"

    @property
    def inner(self) -> Elementary:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The soft cap between the ends."""
        return soft_cap.bind(width=self.upper - self.lower)

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        z = wide(x)
        lower, upper = aligned(self.lower, z), aligned(self.upper, z)
        return clipped(lower + self.inner.evaluate(z), lower, upper).astype(x.dtype)

    @property
    def facts(self) -> Facts:
        """Those of the soft cap, shifted."""
        inner = self.inner.facts
        assert inner.inverse is not None
        inverse = inner.inverse
        return inner.replace(range=Interval(self.lower, self.upper), inverse=lambda y: inverse(y - self.lower))


def capped_positive(*, upper: Any, lower: Any = 0.0) -> CappedPositive:
    """A smooth, strictly increasing activation with range (lower, upper), for scales, variances and rates.

    `lower + softplus(x) - softplus(x - (upper - lower))`: softplus where x is well below the cap. Value and every
    derivative are finite for every finite input; slope in (0, tanh((upper - lower)/4)]. In floats the ends are reached:
    with lower = 0 the value underflows to 0 below x = -87 (float32), so a head that divides by it wants lower > 0.

    Raises:
        ValueError: not 0 <= lower < upper.
    """
    lower, upper, sign = checked_ends("capped_positive", lower, upper)
    if sign == "any" and not isinstance(lower, Tracer):
        raise ValueError(f"capped_positive: lower = {lower}; a positive range needs lower >= 0")
    return CappedPositive(lower, upper, sign)
