"""Monotone networks: sums of shifted copies of an activation with positive weights, whose slope the weights bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import SMOOTH, Activation, Facts, Interval
from actlab.systems.flows.elementwise import Sloped, finite

FAR = 1e9
"""Where u/sqrt(1 + u^2) is 1 in both precisions, and u^2 far from overflow."""


def _ratio(u: Array) -> Array:
    return jax.lax.rsqrt(1 + jnp.square(jnp.clip(u, -FAR, FAR)))


@al.activation(
    family="sigmoids",
    slope=lambda u: _ratio(u) ** 3,
    facts=Facts(
        range=Interval(-1.0, 1.0),
        slope=Interval(0.0, 1.0),
        curvature=Interval(-0.8586501033599194, 0.8586501033599194),  # 48/(25 sqrt 5)
        kinks=(),
        smoothness=SMOOTH,
        monotone="strictly increasing",
    ),
    source="u / sqrt(1 + u^2): isru with one reciprocal root, for the inside of a flow",
)
def algebraic_sigmoid(u: Array) -> Array:
    """The function u / sqrt(1 + u^2), of slope (1 + u^2)^(-3/2). No exponential: value and slope share one root."""
    return jnp.clip(u, -FAR, FAR) * _ratio(u)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class SlopeMixture(Sloped):
    """shift + line x + sum_k weight_k f(sharpness_k x - offset_k) / sharpness_k.

    Its slope is line + sum_k weight_k f'(...): with f' in [a, b] it lies in [line + a W, line + b W], W = sum_k
    weight_k, whatever offsets and sharpnesses are. With `reflected`, every other copy is -f(-u), so that a convex f
    gives concave copies too; then, or with an f of sigmoid shape, such sums approximate every function of such slopes.

    Source: Huang et al. 2018, Neural Autoregressive Flows, arXiv 1804.00779, section 3 (positive weights).

    Attributes:
        unit: the activation f.
        weights: positive; shape (units, *s), s the shape of x or one that broadcasts with it.
        offsets: of that shape too.
        sharpness: positive; shape (units, *s), or (1, *s) for all of them.
        line: the linear part's slope, of shape s, at least 0; positive where f' can be 0.
        shift: of shape s.
        lower: bound of the slope.
        upper: likewise.
        reflected: whether every other copy is reflected.
    """

    unit: Activation
    weights: Any
    offsets: Any
    sharpness: Any
    line: Any
    shift: Any
    lower: Any
    upper: Any
    reflected: bool = field(default=False, metadata={"static": True})
    name = "slope_mixture"
    family = "bounded"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The sum for a floating array."""
        sign, u = self._arguments(x)
        return self._value(x, sign * self.unit.evaluate(sign * u))

    def value_and_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """The sum and its slope from one pass."""
        sign, u = self._arguments(x)
        if self.unit is algebraic_sigmoid:
            ratio = _ratio(u)
            value, slope = jnp.clip(u, -FAR, FAR) * ratio, ratio * ratio * ratio
        else:
            value, slope = jax.jvp(self.unit.evaluate, (sign * u,), (jnp.ones_like(u),))
            value = sign * value
        return self._value(x, value), self.line + (self.weights * slope).sum(0)

    def _arguments(self, x: Array) -> tuple[Any, Array]:
        u = self.sharpness * x[None] - self.offsets
        u = self._finite(u)
        if not self.reflected:
            return 1, u
        count = self.weights.shape[0]
        sign = jnp.asarray([(-1) ** k for k in range(count)], x.dtype)
        return sign.reshape(-1, *(1,) * x.ndim), u

    def _value(self, x: Array, values: Array) -> Array:
        return self.shift + self.line * x + (self.weights / self.sharpness * self._finite(values)).sum(0)

    def _finite(self, values: Array) -> Array:
        return values if self.unit is algebraic_sigmoid else finite(values)  # which takes infinities, and gives none

    @property
    def facts(self) -> Facts:
        """The bounds of the slope; onto the reals."""
        unit = self.unit.facts
        return Facts(
            range=al.REALS,
            slope=Interval(self.lower, self.upper),
            kinks=() if unit.kinks == () else None,
            smoothness=unit.smoothness,
            monotone="strictly increasing",
            gradient=unit.gradient,
            standing=unit.standing,
        )

    def __repr__(self) -> str:
        return f"{self.name}({self.unit!r})"
