"""Transforms: what a conditioner's raw numbers mean, whatever they are: a monotone function of bounded slope."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Facts, Interval
from actlab.systems.flows.elementwise import Sloped

Raw = Float[Array, "outputs *shape"]


def capped(raw: Array, most: float | np.ndarray) -> Array:
    """`raw` bent into (-most, most), slope 1 at 0: raw / (1 + |raw| / most); an array has one for each row."""
    inverse = 1 / most
    if isinstance(inverse, np.ndarray):
        inverse = jnp.asarray(inverse, raw.dtype).reshape(-1, *(1,) * (raw.ndim - 1))
    return raw / (1 + jnp.abs(raw) * inverse)


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
        slope, curvature = Interval(self.lower, self.upper), Interval(0.0, 0.0)
        return Facts(al.REALS, slope, curvature, (), al.SMOOTH, "strictly increasing")


@dataclass(frozen=True)
class Affine(Transform):
    """a x + b, a in [1/most, most]: the transform of RealNVP (Dinh et al. 2017, arXiv 1605.08803), bounded."""

    most: float = 50.0
    outputs = 2  # pyright: ignore

    def __post_init__(self) -> None:
        if not 1 < self.most < math.inf:
            raise ValueError(f"Affine: most = {self.most} must be above 1 and finite")

    @property
    def lower(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Just below 1/most: the exponential rounds."""
        return (1 - 1e-6) / self.most

    @property
    def upper(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Just above `most`, likewise."""
        return (1 + 1e-6) * self.most

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: logarithm of the scale before its cap, shift."""
        return Line(capped(raw[0], math.log(self.most)), raw[1], self.lower, self.upper)
