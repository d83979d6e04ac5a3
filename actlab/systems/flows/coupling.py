"""Coupling and masked autoregressive layers: a conditioner chooses, coordinate by coordinate, a monotone function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations import Interval
from actlab.systems.flows.bijector import Columns, Context, LogDet, VectorBijector
from actlab.systems.flows.conditioner import Conditioner, joined
from actlab.systems.flows.elementwise import PerFeature, Sloped, log_bounds, preimage, value_and_log_slope
from actlab.systems.flows.transforms import Transform


def _times(bounds: Interval, count: int) -> Interval:
    return Interval(jnp.asarray(bounds.lower * count), jnp.asarray(bounds.upper * count)).rounded(count)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Coupling(VectorBijector):
    """Copies the first `copied` features; they, and the condition, choose a function for each of the others.

    With `copied` 0 the condition alone does.

    Source: Dinh et al. 2017, RealNVP, arXiv 1605.08803, eq. 4 to 5.
    """

    conditioner: Conditioner
    transform: Transform = field(metadata={"static": True})
    features: int = field(metadata={"static": True})
    copied: int = field(metadata={"static": True})
    conditions: int = field(default=0, metadata={"static": True})

    @property
    def log_det_bounds(self) -> Interval:
        """(features - copied) [log m, log M], for every value of the conditioner."""
        return _times(log_bounds(self.transform.slope), self.features - self.copied)

    def _chosen(self, kept: Columns, context: Context | None) -> Sloped:
        raw = self.conditioner(joined(kept, context))
        return self.transform.bind(raw.reshape(self.transform.outputs, self.features - self.copied, -1))

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The image of the moved features beside the copied ones."""
        kept, moved = x[: self.copied], x[self.copied :]
        y, log_slope = value_and_log_slope(self._chosen(kept, context), moved)
        return jnp.concatenate([kept, y]), log_slope.sum(0)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The preimage; at the cost of one pass and the elementwise inverse."""
        kept, moved = y[: self.copied], y[self.copied :]
        chosen = self._chosen(kept, context)
        x = preimage(chosen, moved)
        return jnp.concatenate([kept, x]), -value_and_log_slope(chosen, x)[1].sum(0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Autoregressive(VectorBijector):
    """The features before d, and the condition, choose the function of feature d; the inverse takes a pass a feature.

    Source: Papamakarios et al. 2017, Masked Autoregressive Flow, arXiv 1705.07057, eq. 3 to 5.
    """

    conditioner: Conditioner
    transform: Transform = field(metadata={"static": True})
    features: int = field(metadata={"static": True})
    conditions: int = field(default=0, metadata={"static": True})

    @property
    def log_det_bounds(self) -> Interval:
        """`features` times [log m, log M], for every value of the conditioner."""
        return _times(log_bounds(self.transform.slope), self.features)

    def _raw(self, x: Columns, context: Context | None) -> Array:
        raw = self.conditioner(joined(x, context))
        return raw.reshape(self.transform.outputs, self.features, -1)

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """All features at once."""
        y, log_slope = value_and_log_slope(self.transform.bind(self._raw(x, context)), x)
        return y, log_slope.sum(0)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """One feature after another."""

        def recover(x: Columns, d: Array) -> tuple[Columns, None]:
            raw = jax.lax.dynamic_slice_in_dim(self._raw(x, context), d, 1, axis=1)
            here = preimage(self.transform.bind(raw), jax.lax.dynamic_slice_in_dim(y, d, 1))
            return jax.lax.dynamic_update_slice_in_dim(x, here, d, 0), None

        x, _ = jax.lax.scan(recover, jnp.zeros_like(y), jnp.arange(self.features))
        return x, -self.forward_columns(x, context)[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Featurewise(VectorBijector):
    """A trained function for each feature, the same for all events.

    Attributes:
        raw: (outputs, features): `pace` times it chooses it.
        pace: an optimizer such as Adam moves a number by about its learning rate a step, and what a net puts out, made
            of many numbers, by far more: with a pace of 10 the two keep abreast.
    """

    raw: Any
    transform: Transform = field(metadata={"static": True})
    features: int = field(metadata={"static": True})
    pace: float = field(default=1.0, metadata={"static": True})

    @property
    def log_det_bounds(self) -> Interval:
        """`features` times [log m, log M], for every value of the parameters."""
        return _times(log_bounds(self.transform.slope), self.features)

    @property
    def inverse_lipschitz(self) -> Any:
        """1/m."""
        return 1 / self.transform.lower

    def _bound(self, dtype: Any) -> PerFeature:
        return PerFeature(self.transform.bind(self.pace * self.raw.astype(dtype)[..., None]), self.features)

    def prepared(self) -> VectorBijector:
        """The functions, bound."""
        return self._bound(self.raw.dtype)

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The function of each coordinate."""
        return self._bound(x.dtype).forward_columns(x, context)

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """The preimage of each coordinate."""
        return self._bound(y.dtype).inverse_columns(y, context)
