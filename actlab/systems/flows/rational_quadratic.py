"""The rational-quadratic spline: monotone pieces between knots on an interval, the identity outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Facts, Interval
from actlab.systems.flows.elementwise import Sloped, implicit_preimage


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class RationalQuadratic(Sloped):
    """The spline of Durkan et al. 2019, Neural Spline Flows, arXiv 1906.04032, eq. 4 to 8.

    Attributes:
        knots: ascending; shape (bins + 1, *s), s the shape of x or one that broadcasts with it.
        values: those at the knots, ascending, with the same ends.
        slopes: positive, at the knots, 1 at both ends.
        lower: bound of the slope.
        upper: likewise.
    """

    knots: Any
    values: Any
    slopes: Any
    lower: Any
    upper: Any
    name = "rational_quadratic"
    family = "splines"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The spline for a floating array."""
        return self.value_and_slope(x)[0]

    def value_and_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """Value and slope from one search of the piece."""
        inside = (x > self.knots[0]) & (x < self.knots[-1])
        within = jnp.where(inside, x, self.knots[0])  # the branch outside is never evaluated outside
        left, width, bottom, height, before, after = self._piece(within, self.knots)
        gradient = height / width
        t = (within - left) / width
        rest = 1 - t
        bend = before + after - 2 * gradient
        denominator = gradient + bend * t * rest
        value = bottom + height * t * (gradient * t + before * rest) / denominator
        slope = gradient**2 * (after * t * t + 2 * gradient * t * rest + before * rest * rest) / denominator**2
        return jnp.where(inside, value, x), jnp.where(inside, slope, 1)

    def preimage(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The root of the piece's quadratic equation, in the form without cancellation."""
        return implicit_preimage(_root, self, y)

    def _piece(self, x: Array, knots: Array) -> tuple[Array, ...]:
        """Left knot, width, lower value, height and both slopes of the piece between whose `knots` x lies."""
        chosen = (x[None] >= knots[:-1]) & (x[None] < knots[1:])

        def pick(values: Array) -> Array:
            return jnp.where(chosen, values, 0).sum(0)

        tables = (self.knots, self.values)
        parts = [pick(v) for table in tables for v in (table[:-1], jnp.diff(table, axis=0))]
        return (*parts, pick(self.slopes[:-1]), pick(self.slopes[1:]))

    @property
    def facts(self) -> Facts:
        """The bounds of the slope; onto the reals."""
        return Facts(
            range=al.REALS, slope=Interval(self.lower, self.upper), smoothness=1, monotone="strictly increasing"
        )


def _root(spline: RationalQuadratic, y: Array) -> Array:
    inside = (y > spline.values[0]) & (y < spline.values[-1])
    within = jnp.where(inside, y, spline.values[0])
    left, width, bottom, height, before, after = spline._piece(within, spline.values)
    gradient = height / width
    rise = within - bottom
    bend = rise * (before + after - 2 * gradient)
    a = height * (gradient - before) + bend
    b = height * before - bend
    c = -gradient * rise
    root = jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0))  # a negative discriminant is a rounding error
    x = left + width * jnp.clip(2 * c / (-b - root), 0, 1)
    return jnp.where(inside, x, y)
