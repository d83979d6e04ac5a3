"""Transforms: what a conditioner's raw numbers mean as a monotone scalar function, with slopes bounded whatever they are."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation, Facts, Interval
from actlab.systems.flows.elementwise import INVERTIBLE, Sloped
from actlab.systems.flows.rational_quadratic import RationalQuadratic
from actlab.systems.flows.slope_mixture import SlopeMixture, algebraic_sigmoid

Raw = Float[Array, "outputs *shape"]


def capped(raw: Array, most: float) -> Array:
    """`raw` bent into (-most, most), slope 1 at 0: raw / (1 + |raw| / most)."""
    return raw / (1 + jnp.abs(raw) * (1 / most))


class Transform(abc.ABC):
    """A family of strictly increasing scalar functions with slopes in [lower, upper].

    Attributes:
        lower: least slope of every member, positive.
        upper: largest slope.
    """

    lower: Any
    upper: Any

    @property
    @abc.abstractmethod
    def outputs(self) -> int:
        """Raw numbers that choose a member."""

    @abc.abstractmethod
    def bind(self, raw: Raw) -> Sloped:
        """The member for each element of the shape; near the identity where raw is 0."""

    @property
    def slope(self) -> Interval:
        """[lower, upper]."""
        return Interval(self.lower, self.upper)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Line(Sloped):
    """exp(log_scale) x + shift."""

    log_scale: Any
    shift: Any
    lower: Any
    upper: Any
    name = "line"
    family = "rectifiers"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The line for a floating array."""
        return jnp.exp(self.log_scale) * x + self.shift

    def value_and_log_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """Value and logarithm of the slope."""
        return self.evaluate(x), jnp.broadcast_to(self.log_scale, x.shape)

    def preimage(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """(y - shift) exp(-log_scale)."""
        return (y - self.shift) * jnp.exp(-self.log_scale)

    @property
    def facts(self) -> Facts:
        """The bounds of the scale."""
        return Facts(al.REALS, self.slope_bounds, Interval(0.0, 0.0), (), al.SMOOTH, "strictly increasing")

    @property
    def slope_bounds(self) -> Interval:
        """[lower, upper]."""
        return Interval(self.lower, self.upper)


@dataclass(frozen=True)
class Affine(Transform):
    """a x + b, a in [1/most, most]: the transform of RealNVP (Dinh et al. 2017, arXiv 1605.08803), bounded."""

    most: float = 50.0
    outputs = 2

    def __post_init__(self) -> None:
        if not 1 < self.most < math.inf:
            raise ValueError(f"Affine: most = {self.most} must be above 1 and finite")

    @property
    def lower(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """1/most."""
        return (1 - 1e-6) / self.most  # as executed: the exponential rounds

    @property
    def upper(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Most."""
        return (1 + 1e-6) * self.most

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: logarithm of the scale before its cap, shift."""
        return Line(capped(raw[0], math.log(self.most)), raw[1], self.lower, self.upper)


def _unit(activation: Activation | None) -> Activation:
    """An activation with a slope in [0, 1]."""
    if activation is None:
        return algebraic_sigmoid
    activation = al.as_activation(activation)
    slope = activation.facts.slope
    if slope is not None and not isinstance(slope.lower, Tracer) and (slope.lower, slope.upper) == (0.0, 1.0):
        return activation
    return al.bounded_slope(activation, lower=0.0, upper=1.0)


def _reflected(activation: Activation) -> bool:
    """Whether reflected copies say something new: not for an odd function, which a bounded range indicates."""
    extent = activation.facts.range
    return extent is None or not math.isfinite(float(extent.magnitude))


def _checked_bounds(name: str, lower: float, upper: float) -> None:
    if not 0 < lower < 1 < upper < math.inf:
        raise ValueError(f"{name}: lower = {lower}, upper = {upper}; needs 0 < lower < 1 < upper, finite")


@dataclass(frozen=True)
class BoundedSlope(Transform):
    """One activation with learned bounds of its slope, m in [lower, 1] and M in [1, upper]: five raw numbers.

    Attributes:
        lower: least slope.
        upper: largest slope.
        activation: whose shape is taken; any with a bounded slope; None for u / sqrt(1 + u^2).
    """

    lower: float = 0.02
    upper: float = 50.0
    activation: Any = None
    outputs = 5

    def __post_init__(self) -> None:
        _checked_bounds("BoundedSlope", self.lower, self.upper)
        object.__setattr__(self, "activation", _unit(self.activation))

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: least slope, largest slope, offset, sharpness, shift."""
        least = jnp.exp(math.log(self.lower) * jax.nn.sigmoid(raw[0] - 1))
        most = jnp.exp(math.log(self.upper) * jax.nn.sigmoid(raw[1] - 1))
        sharpness = jnp.exp(capped(raw[3], 4.0))
        return SlopeMixture(
            self.activation,
            (most - least)[None],
            raw[2][None],
            sharpness[None],
            least,
            raw[4],
            self.lower,
            self.upper,
        )


@dataclass(frozen=True)
class Mixture(Transform):
    """A monotone network: a line and `units` shifted copies of an activation; positive weights, slope capped smoothly.

    With heights h_k > 0 and total T, slope = lower + (h_0 + sum_k h_k f'_k) / (1 + T / (upper - lower)),
    every f'_k in [0, 1].

    Attributes:
        units: copies.
        lower: least slope.
        upper: largest slope.
        activation: whose shape the copies have; any with a bounded slope; None for u / sqrt(1 + u^2).
    """

    units: int = 8
    lower: float = 0.02
    upper: float = 50.0
    activation: Any = None

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"Mixture: units = {self.units} must be positive")
        _checked_bounds("Mixture", self.lower, self.upper)
        object.__setattr__(self, "activation", _unit(self.activation))

    @property
    def outputs(self) -> int:
        """Two a unit, and three."""
        return 2 * self.units + 3

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: offsets, heights; line, shift, sharpness."""
        k = self.units
        heights, line = jnp.exp(capped(raw[k : 2 * k], 6.0) - 2.0), jnp.exp(capped(raw[2 * k], 4.0) - 0.3)
        scale = 1 / (1 + (line + heights.sum(0)) * (1 / (self.upper - self.lower)))
        return SlopeMixture(
            self.activation,
            heights * scale[None],
            raw[:k] + _spread(k, raw),
            jnp.exp(capped(raw[2 * k + 2 :], 4.0)),
            self.lower + line * scale,
            raw[2 * k + 1],
            self.lower,
            self.upper,
            _reflected(self.activation),
        )


@dataclass(frozen=True)
class Copies(Transform):
    """Convex combinations of shifted and stretched copies of one activation: their slope lies where its own does.

    Attributes:
        activation: with a positive, bounded slope.
        units: copies.
    """

    activation: Any
    units: int = 8

    def __post_init__(self) -> None:
        activation = al.as_activation(self.activation)
        al.require(activation, slope_above=0.0, bounded_slope=True, because=INVERTIBLE)
        object.__setattr__(self, "activation", activation)

    @property
    def lower(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The activation's least slope."""
        return self.activation.facts.slope.lower

    @property
    def upper(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The activation's largest slope."""
        return self.activation.facts.slope.upper

    @property
    def outputs(self) -> int:
        """Two a unit, and two."""
        return 2 * self.units + 2

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: offsets, logarithms of the weights; shift, sharpness."""
        k = self.units
        return SlopeMixture(
            self.activation,
            jax.nn.softmax(capped(raw[k : 2 * k], 6.0), axis=0),
            raw[:k] + _spread(k, raw),
            jnp.exp(capped(raw[2 * k + 1 :], 4.0)),
            jnp.zeros_like(raw[0]),
            raw[2 * k],
            self.lower,
            self.upper,
            _reflected(self.activation),
        )


def _spread(units: int, raw: Array) -> Array:
    """Where the units begin: evenly over [-2.5, 2.5], along the first axis."""
    places = jnp.linspace(-2.5, 2.5, units, dtype=raw.dtype) if units > 1 else jnp.zeros(1, raw.dtype)
    return places.reshape(-1, *(1,) * (raw.ndim - 1))


@dataclass(frozen=True)
class Spline(Transform):
    """The rational-quadratic spline of `bins` pieces on [-bound, bound]; 3 bins - 1 raw numbers.

    Attributes:
        bins: pieces.
        bound: half the interval; outside the spline is the identity.
        least: share of the interval that each piece has at least, in both directions, times `bins`.
        steepest: slope at a knot at most, and its inverse at least.
    """

    bins: int = 8
    bound: float = 4.0
    least: float = 0.02
    steepest: float = 50.0

    def __post_init__(self) -> None:
        if self.bins < 2 or not 0 < self.least < 1 < self.steepest or not 0 < self.bound < math.inf:
            raise ValueError(
                f"Spline: bins = {self.bins} >= 2, bound = {self.bound} > 0, least = {self.least} in (0, 1), "
                f"steepest = {self.steepest} > 1 are needed"
            )

    @property
    def outputs(self) -> int:
        """Widths, heights, inner slopes."""
        return 3 * self.bins - 1

    @property
    def _gradient(self) -> float:
        """The largest quotient of a piece's height and its width; its inverse is the least."""
        small = self.least / self.bins
        return (1 - (self.bins - 1) * small) / small

    @property
    def lower(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """s^2 c / e^2, c a convex combination of s and both slopes, e between s and (slopes + 2 s) / 4."""
        s = 1 / self._gradient
        return 0.999 * min(1 / self.steepest, s) * min(1.0, 2 * s / (self.steepest + s)) ** 2

    @property
    def upper(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As for `lower`, e at least s / 2."""
        return 1.001 * 4 * max(self.steepest, self._gradient)

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: logarithms of widths and of heights, then of the slopes at the inner knots before their cap."""
        k = self.bins
        knots, values = (self._ascending(part) for part in (raw[:k], raw[k : 2 * k]))
        inner = jnp.exp(capped(raw[2 * k :], math.log(self.steepest)))
        end = jnp.ones_like(inner[:1])
        return RationalQuadratic(knots, values, jnp.concatenate([end, inner, end]), self.lower, self.upper)

    def _ascending(self, raw: Array) -> Array:
        shares = self.least / self.bins + (1 - self.least) * jax.nn.softmax(capped(raw, 8.0), axis=0)
        inner = -self.bound + 2 * self.bound * jnp.cumsum(shares[:-1], axis=0)
        end = jnp.full_like(inner[:1], self.bound)
        return jnp.concatenate([-end, inner, end])
