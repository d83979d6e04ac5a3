"""The transform by splines: raw numbers as widths, heights and slopes of a rational-quadratic one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.systems.flows.elementwise import Sloped
from actlab.systems.flows.rational_quadratic import RationalQuadratic
from actlab.systems.flows.transforms import Raw, Transform, capped


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
