"""Transforms that are small monotone networks: positive weights, copies of one activation, slopes within two bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation
from actlab.systems.flows.elementwise import INVERTIBLE, Sloped
from actlab.systems.flows.slope_mixture import SlopeMixture, algebraic_sigmoid
from actlab.systems.flows.transforms import Raw, Transform, capped


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
    outputs = 5  # pyright: ignore

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
    """A monotone network: a line and `units` copies of an activation, shifted and stretched; slope capped smoothly.

    Unit k rises by about a_k > 0 at its place, the more steeply the larger its sharpness s_k > 0: its slope is at most
    h_k = a_k s_k. With the line's h_0 and the total T, slope = lower + (h_0 + sum_k h_k f'_k) / (1 + T / (upper -
    lower)), every f'_k in [0, 1]. With bounded units this is the deep sigmoidal flow of one layer in Huang et al. 2018,
    arXiv 1804.00779, with a bounded slope in the place of its logit.

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
        """Three a unit, and two."""
        return 3 * self.units + 2

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: places, logarithms of rises and of sharpnesses; line, shift."""
        k = self.units
        most, start = (np.repeat(of_each, (k, k, 1)) for of_each in ((6.0, 4.0, 4.0), (-2.5, 0.7, -0.3)))
        start = jnp.asarray(start, raw.dtype).reshape(-1, *(1,) * (raw.ndim - 1))
        scales = jnp.exp(capped(raw[k : 3 * k + 1], most) + start)  # one exponential compiles faster than three
        sharpness, line = scales[k : 2 * k], scales[2 * k]
        heights = scales[:k] * sharpness
        scale = 1 / (1 + (line + heights.sum(0)) * (1 / (self.upper - self.lower)))
        return SlopeMixture(
            self.activation,
            heights * scale[None],
            (raw[:k] + _spread(k, raw)) * sharpness,
            sharpness,
            self.lower + line * scale,
            raw[3 * k + 1],
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
        if self.units < 1:
            raise ValueError(f"Copies: units = {self.units} must be positive")
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
