"""From an unconstrained raw output to a positive parameter: the inverse link of a head, and the facts it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import actlab.activations as al

Space = Literal["logarithm", "value"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Positive:
    """A positive parameter as a function of one raw output, handled through its logarithm.

    Attributes:
        activation: gives the parameter, or its logarithm.
        space: which of the two. With "value" its range must be known to lie above `-floor`.
        floor: added to the value; with `space="value"` only.
    """

    activation: al.Activation
    space: Space = field(default="logarithm", metadata={"static": True})
    floor: float = field(default=0.0, metadata={"static": True})

    def value(self, raw: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The parameter, in float32 or wider."""
        inner = self.activation(widened(raw))
        return inner + self.floor if self.space == "value" else jnp.exp(inner)

    def log(self, raw: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Its logarithm; in space "logarithm" no exponential is taken on the way."""
        return jnp.log(self.value(raw)) if self.space == "value" else self.activation(widened(raw))

    @property
    def bounds(self) -> al.Interval:
        """The values that the facts allow; (0, inf) where they say nothing."""
        known = self.activation.facts.range
        if known is None:
            return al.Interval(0.0, math.inf)
        lower, upper = float(known.lower), float(known.upper)
        if self.space == "value":
            return al.Interval(max(lower + self.floor, 0.0), upper + self.floor)
        return al.Interval(_exponential(lower), _exponential(upper))

    @property
    def steepness(self) -> float:
        """The largest |slope| of the activation that the facts allow; infinity where they say nothing."""
        return float(self.activation.facts.lipschitz())


def positive(activation: Any, *, floor: float = 0.0, because: str = "a positive parameter") -> Positive:
    """A parameter that is an activation's value (plus a floor).

    Args:
        activation: Activation, function or name whose values lie above `-floor`.
        floor: added to the value.
        because: the part that asks, for the error.

    Raises:
        FactError: the range is unknown or reaches `-floor`.
    """
    checked = al.as_activation(activation)
    return Positive(al.require(checked, range_above=-floor, because=because), "value", floor)


def bounded(lower: float, upper: float) -> Positive:
    """A parameter in (lower, upper), its logarithm squashed by tanh: a raw output of 0 is near 1 if 1 is inside.

    Raises:
        ValueError: the bounds are not 0 < lower < upper < inf.
    """
    if not 0.0 < lower < upper < math.inf:
        raise ValueError(f"bounded: need 0 < lower < upper < inf, got lower={lower}, upper={upper}")
    low, high = math.log(lower), math.log(upper)
    return Positive(squashed(0.5 * (low + high), 0.5 * (high - low)))


def squashed(centre: float, half_width: float) -> al.Activation:
    """M + h tanh((x - m) / h): within h of m, the identity near m, slope never above 1."""
    return al.affine(
        al.tanh, scale=half_width, shift=centre, input_scale=1.0 / half_width, input_shift=-centre / half_width
    )


def widened(raw: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Raw outputs in float32 where they are narrower: a half-precision network does not get a half-precision loss."""
    return raw.astype(jnp.promote_types(raw.dtype, jnp.float32))


def _exponential(x: float) -> float:
    return math.exp(x) if x < 709.0 else math.inf


EXPONENTIAL = Positive(al.identity)
"""The exponential of the raw output: no bound on either side."""

SOFTPLUS = Positive(al.softplus, "value")
"""softplus of the raw output, as usually written: zero in float32 below -104."""
