"""An activation between two ends: the bounds of its slope or range are leaves that keep their order when trained."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from actlab.activations.activation import Activation
from actlab.activations.domain import POSITIVE

Sign = Literal["positive", "nonnegative", "any"]


class Between(Activation):
    """What the constructions share: an inner activation and two ends, of which the upper is above the lower.

    `constrained` reads the leaves as reals: the upper end is the lower plus a positive gap, and a lower end that was
    not negative at construction is positive; so the facts hold whatever the training does to the leaves.
    """

    lower: Any
    upper: Any
    sign: Sign
    family = "bounded"

    def constrained(self) -> Activation:
        """The ends and the inner activation that the leaves, read as unconstrained reals, stand for."""
        lower = jnp.asarray(self.lower) if self.sign == "any" else _positive(self.lower)
        inner = {name: part.constrained() for name, part in self._inner().items()}
        return replace(self, lower=lower, upper=lower + _positive(self.upper), **inner)  # pyright: ignore

    def unconstrained(self) -> Activation:
        """The leaves as unconstrained reals: the lower end and the gap above it."""
        lower = jnp.asarray(self.lower) if self.sign == "any" else _real(self.lower)
        gap = _real(jnp.asarray(self.upper) - jnp.asarray(self.lower))
        inner = {name: part.unconstrained() for name, part in self._inner().items()}
        return replace(self, lower=lower, upper=gap, **inner)  # pyright: ignore

    def _inner(self) -> dict[str, Activation]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # pyright: ignore
        return {name: value for name, value in values.items() if isinstance(value, Activation)}

    def __repr__(self) -> str:
        parts = [repr(part) for part in self._inner().values()]
        return f"{self.name}({', '.join([*parts, f'lower={self.lower}', f'upper={self.upper}'])})"


def _positive(raw: Any) -> Array:
    raw = jnp.asarray(raw)
    return POSITIVE.from_real(raw) + jnp.finfo(raw.dtype).tiny  # softplus alone underflows to 0 below -103


def _real(value: Any) -> Array:
    value = jnp.asarray(value)
    return POSITIVE.to_real(jnp.maximum(value, jnp.finfo(value.dtype).tiny))


def checked_ends(what: str, lower: Any, upper: Any) -> tuple[Any, Any, Sign]:
    """The ends as leaves, and the lower one's sign where it can be known.

    Raises:
        ValueError: not finite, or the upper one not above the lower one.
    """
    if isinstance(lower, Tracer) or isinstance(upper, Tracer):
        return lower, upper, "any"
    if not (
        np.all(np.isfinite(lower)) and np.all(np.isfinite(upper)) and np.all(np.asarray(lower) < np.asarray(upper))
    ):
        raise ValueError(f"{what}: lower = {lower}, upper = {upper}; both must be finite, and lower < upper")
    sign: Sign = "any"
    if np.all(np.asarray(lower) >= 0):
        sign = "positive" if np.all(np.asarray(lower) > 0) else "nonnegative"
    lower, upper = (float(v) if isinstance(v, int) else v for v in (lower, upper))
    return lower, upper, sign


def clipped(value: Array, lower: Array, upper: Array) -> Array:
    """Clipped, with the derivatives of the value: the clipping only removes rounding errors."""
    return value + jax.lax.stop_gradient(jnp.clip(value, lower, upper) - value)
