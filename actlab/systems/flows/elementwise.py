"""Elementwise bijectors: any activation whose slope is known to be positive, as a scalar bijector or one a feature."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation, Interval
from actlab.systems.flows.bijector import (
    Bijector,
    Columns,
    Context,
    EventError,
    LogDet,
    VectorBijector,
    checked,
    concrete,
    total,
)

INVERTIBLE = "a flow must be invertible"
ROUNDINGS = 16
"""Relative rounding errors granted to a value and its inverse together; the zoo keeps within a few."""


def slope_of(activation: Activation) -> Interval:
    """The enclosure of f' that a bijector relies on.

    Raises:
        FactError: it is not known, or not known to be positive.
    """
    slope = activation.facts.slope
    if slope is None or (concrete(slope) and not np.all(np.asarray(slope.lower) > 0)):
        al.require(activation, slope_above=0.0, because=INVERTIBLE)
    assert slope is not None  # `require` has refused
    return slope


def value_and_log_slope(activation: Activation, x: Array) -> tuple[Array, Array]:
    """f(x) and log f'(x), elementwise, the latter inside the bounds that the facts give.

    A value beyond the largest float is that float, with f' as its derivative still.
    """
    if isinstance(activation, Sloped):
        value, log_slope = activation.value_and_log_slope(x)
        return finite(value), log_slope
    value, slope = jax.jvp(activation.evaluate, (x,), (jnp.ones_like(x),))
    return finite(value), jnp.log(within(slope, slope_of(activation)))


def preimage(activation: Activation, y: Array) -> Array:
    """The x with f(x) = y: the facts' closed form where they have one, else Newton's method inside their bracket."""
    if isinstance(activation, Sloped):
        return finite(activation.preimage(y))
    inverse = activation.facts.inverse
    return finite(al.invert(activation, y) if inverse is None else inverse(y))


class Sloped(Activation):
    """An activation that computes value and slope together, and its inverse by a way of its own."""

    def value_and_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """f(x) and f'(x)."""
        return jax.jvp(self.evaluate, (x,), (jnp.ones_like(x),))

    def value_and_log_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """f(x) and log f'(x)."""
        value, slope = self.value_and_slope(x)
        return value, jnp.log(within(slope, slope_of(self)))

    def preimage(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The x with f(x) = y."""
        return implicit_preimage(_nearest, self, y)


def _nearest(activation: Activation, y: Array) -> Array:
    """By Newton's method; the largest float where the solution is beyond it."""
    return finite(al.invert(activation, y))


@jax.custom_jvp
def finite(value: Array) -> Array:
    """The largest float in the place of an infinity, with the derivative that the value would have."""
    largest = jnp.finfo(value.dtype).max
    return jnp.clip(value, -largest, largest)


@finite.defjvp
def _finite_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return finite(primals[0]), tangents[0]


def within(slope: Array, bounds: Interval) -> Array:
    """The slope inside its bounds, from which only rounding errors can have led it; its own derivative."""
    lower, upper = (jnp.asarray(v, slope.dtype) for v in (bounds.lower, bounds.upper))
    return _clipped(slope, lower, upper)


@jax.custom_jvp
def _clipped(value: Array, lower: Array, upper: Array) -> Array:
    return jnp.clip(value, lower, upper)


@_clipped.defjvp
def _clipped_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return _clipped(*primals), tangents[0]


def log_bounds(slope: Interval) -> Interval:
    """The logarithms of an interval of positive slopes, rounded outward."""
    if concrete(slope) and all(jnp.ndim(v) == 0 for v in (slope.lower, slope.upper)):
        return Interval(math.log(float(slope.lower)), math.log(float(slope.upper))).rounded()
    return Interval(jnp.log(jnp.asarray(slope.lower)), jnp.log(jnp.asarray(slope.upper))).rounded()


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Elementwise(Bijector):
    """An activation with a slope in [m, M], m > 0, as a scalar bijector from the reals onto the reals; see `bijector`.

    Values beyond the largest float are that float, with finite derivatives; NaN stays NaN.
    """

    activation: Activation

    @property
    def event_ndims_in(self) -> int:
        """Scalars."""
        return 0

    @property
    def slope(self) -> Interval:
        """[m, M]: of the forward map; the inverse's is [1/M, 1/m]."""
        return slope_of(self.activation)

    @property
    def range(self) -> Interval | None:
        """Of the values, as the facts know it."""
        return self.activation.facts.range

    @property
    def log_det_bounds(self) -> Interval:
        """[log m, log M]."""
        return log_bounds(self.slope)

    def round_trip_bound(self, x: Any) -> Float[Array, "*shape"]:
        """Bounds |inverse(forward(x)) - x| in the dtype of x, by the slope at x: what rounding does to f, over f'.

        Processors may take subnormal numbers for 0, inside of f too, which the last term allows for.
        """
        x = checked(x, self.name)
        y, log_slope = value_and_log_slope(self.activation, x)
        origin = jnp.abs(self.activation.evaluate(jnp.zeros_like(x)))
        relative = ROUNDINGS * jnp.finfo(x.dtype).eps * (jnp.abs(x) + (jnp.abs(y) + origin) * jnp.exp(-log_slope))
        return relative + jnp.finfo(x.dtype).tiny * (1 + 1 / jnp.asarray(self.slope.lower, x.dtype))

    def a_priori_round_trip_bound(self, x: Any) -> Float[Array, "*shape"]:
        """As `round_trip_bound` by [m, M] alone: proportional to |x| M/m, plus |f(0)| / m."""
        x = checked(x, self.name)
        lower, upper = (jnp.asarray(v, x.dtype) for v in (self.slope.lower, self.slope.upper))
        origin = jnp.abs(self.activation.evaluate(jnp.zeros_like(x)))
        relative = ROUNDINGS * jnp.finfo(x.dtype).eps * (jnp.abs(x) * (1 + upper / lower) + 2 * origin / lower)
        return relative + jnp.finfo(x.dtype).tiny * (2 + 1 / lower)

    def forward_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        """f(x) and log f'(x), each of the shape of x."""
        _refuse_condition(condition)
        return value_and_log_slope(self.activation, checked(x, self.name))

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        """The x with f(x) = y, and -log f'(x)."""
        _refuse_condition(condition)
        x = preimage(self.activation, checked(y, self.name))
        return x, -value_and_log_slope(self.activation, x)[1]


def bijector(activation: Activation | Callable[..., Any] | str) -> Elementwise:
    """The scalar bijector of an activation with a positive slope.

    Raises:
        FactError: the slope is not known to be positive; says what would do.
    """
    activation = al.as_activation(activation)
    slope_of(activation)
    return Elementwise(activation)


def _refuse_condition(condition: Any) -> None:
    if condition is not None:
        raise EventError("Elementwise: an activation takes no condition; a Coupling without features to copy does")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PerFeature(VectorBijector):
    """An activation applied to each feature; array leaves of shape (features, 1) give each feature its own."""

    activation: Activation
    features: int = field(metadata={"static": True})

    @property
    def log_det_bounds(self) -> Interval:
        """The sum over the features of [log m, log M]."""
        bounds = log_bounds(slope_of(self.activation))
        ends = (jnp.broadcast_to(jnp.asarray(v), (self.features, 1)) for v in (bounds.lower, bounds.upper))
        return total(Interval(*ends)).rounded(self.features)

    @property
    def inverse_lipschitz(self) -> Any:
        """1/m."""
        return 1 / jnp.min(jnp.asarray(slope_of(self.activation).lower))

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The activation of every coordinate."""
        y, log_slope = value_and_log_slope(self.activation, x)
        return y, log_slope.sum(0)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The preimage of every coordinate."""
        x = preimage(self.activation, y)
        return x, -value_and_log_slope(self.activation, x)[1].sum(0)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def implicit_preimage(solve: Callable[[Any, Array], Array], activation: Any, y: Array) -> Array:
    """`solve(activation, y)`, differentiated as the implicit function that f(x) = y defines."""
    return solve(activation, y)


@implicit_preimage.defjvp
def _implicit_jvp(solve: Callable[[Any, Array], Array], primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (activation, y), (change, dy) = primals, tangents
    x = implicit_preimage(solve, activation, y)
    shift = jax.jvp(lambda a: a.evaluate(x), (activation,), (change,))[1]
    return x, (dy - shift) / activation.value_and_slope(x)[1]
