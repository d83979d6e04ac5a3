"""The admissible values of a parameter, and the map between them and the real line on which they are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


@dataclass(frozen=True)
class Domain:
    """The open interval `(lower, upper)` of a parameter's admissible values."""

    lower: float = -math.inf
    upper: float = math.inf
    vector: bool = False
    """A vector of coefficients that all elements of x share; else one number, or one for each feature."""

    def check(self, what: str, value: Any) -> None:
        """Refuses a concrete value outside; a traced one cannot be looked at.

        Raises:
            ValueError: names the parameter, its value and the domain.
        """
        if self.vector and not np.ndim(value):
            raise ValueError(f"{what} = {value} is a number; it is a vector of coefficients")
        if isinstance(value, Tracer):
            return
        numbers = np.asarray(value)
        if not np.all((numbers > self.lower) & (numbers < self.upper)):
            raise ValueError(f"{what} = {value} is outside its domain ({self.lower:g}, {self.upper:g})")

    def from_real(self, raw: Any) -> Any:
        """Maps a real number into the domain: identity, shifted softplus, or scaled sigmoid."""
        raw = jnp.asarray(raw)
        if math.isinf(self.lower) and math.isinf(self.upper):
            return raw
        if math.isinf(self.upper):
            return self.lower + jax.nn.softplus(raw)
        if math.isinf(self.lower):
            return self.upper - jax.nn.softplus(raw)
        return self.lower + (self.upper - self.lower) * jax.nn.sigmoid(raw)

    def to_real(self, value: Any) -> Any:
        """The inverse of `from_real`."""
        value = jnp.asarray(value)
        if math.isinf(self.lower) and math.isinf(self.upper):
            return value
        if math.isinf(self.upper):
            return _inverse_softplus(value - self.lower)
        if math.isinf(self.lower):
            return _inverse_softplus(self.upper - value)
        return jax.scipy.special.logit((value - self.lower) / (self.upper - self.lower))


def _inverse_softplus(y: Any) -> Any:
    return y + jnp.log(-jnp.expm1(-y))


REAL_LINE = Domain()
POSITIVE = Domain(lower=0.0)
VECTOR = Domain(vector=True)
