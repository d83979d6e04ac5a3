"""The bijector from the reals to a bounded interval, saturated at the last floats inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from actlab.activations import Interval
from actlab.activations.definition import compute_dtype
from actlab.systems.flows.bijector import Bijector, EventError, checked, concrete


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Squash(Bijector):
    """lower + (upper - lower) / (1 + exp(-x)): for data that a bounded interval holds, put on the outside of a flow.

    The slope of the ideal map has no positive lower bound, so it states none; the executed one is saturated instead:
    images keep a relative distance of `margin` from both ends. For the inverse a value nearer to an end counts as that
    last image, and so does one outside where it is traced and cannot be refused. Every value, log-determinant and
    gradient is finite; the gradient of what is saturated is 0.

    Attributes:
        lower: end of the interval.
        upper: likewise.
    """

    lower: Any = 0.0
    upper: Any = 1.0

    @property
    def event_ndims_in(self) -> int:
        """Scalars."""
        return 0

    @property
    def range(self) -> Interval:
        """[lower, upper]."""
        return Interval(self.lower, self.upper)

    @property
    def slope(self) -> Interval:
        """[0, (upper - lower) / 4]."""
        return Interval(0.0, (self.upper - self.lower) / 4)

    @property
    def log_det_bounds(self) -> Interval:
        """(-infinity, log((upper - lower) / 4)]; how far down it goes as executed, the saturation of the dtype says."""
        return Interval(-math.inf, jnp.log((self.upper - self.lower) / 4))

    @staticmethod
    def margin(dtype: Any) -> float:
        """Least relative distance from an end: two rounding errors of a number near 1."""
        return 2 * float(jnp.finfo(compute_dtype(dtype)).eps)

    def forward_and_log_det(self, x: Any, condition: Any = None) -> tuple[Array, Array]:
        """The image, strictly inside, and the logarithm of the slope there."""
        x = checked(x, self.name)
        reach = -math.log(self.margin(x.dtype))
        x = jnp.clip(x, -reach, reach)
        width = jnp.asarray(self.upper - self.lower, x.dtype)
        return self.lower + width * jax.nn.sigmoid(x), jnp.log(width) - jax.nn.softplus(x) - jax.nn.softplus(-x)

    def inverse_and_log_det(self, y: Any, condition: Any = None) -> tuple[Array, Array]:
        """The preimage and the logarithm of the inverse's slope.

        Raises:
            EventError: a concrete value outside [lower, upper].
        """
        y = checked(y, self.name)
        if concrete(y, self.lower, self.upper) and np.any((np.asarray(y) < self.lower) | (np.asarray(y) > self.upper)):
            worst = np.asarray(y).flat[np.argmax(np.abs(np.asarray(y) - 0.5 * (self.lower + self.upper)))]
            raise EventError(f"Squash: a value of {worst} is outside [{self.lower}, {self.upper}]; rescale it")
        width = jnp.asarray(self.upper - self.lower, y.dtype)
        margin = self.margin(y.dtype)
        share = jnp.clip((y - self.lower) / width, margin, 1 - margin)
        below, above = jnp.log(share), jnp.log1p(-share)
        return below - above, -below - above - jnp.log(width)
