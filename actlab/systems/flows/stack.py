"""Stacks: bijectors one after another; equal layers as one scan, whose compilation does not grow with their number."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations import Interval
from actlab.systems.flows.bijector import Columns, Context, LogDet, VectorBijector, saturated, total


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Composed(VectorBijector):
    """The parts one after another, the first one first (distrax's Chain: the last one first)."""

    parts: tuple[VectorBijector, ...]

    @property
    def features(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As of every part."""
        return self.parts[0].features

    @property
    def conditions(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As of the parts that take any."""
        return max(part.conditions for part in self.parts)

    @property
    def log_det_bounds(self) -> Interval:
        """The sum of the parts' bounds."""
        bounds = [part.log_det_bounds for part in self.parts]
        lower, upper = (jnp.stack([jnp.asarray(getattr(b, end)) for b in bounds]) for end in ("lower", "upper"))
        return total(Interval(lower, upper)).rounded(len(bounds))

    @property
    def inverse_lipschitz(self) -> Any:
        """The product of the parts'."""
        return math.prod(part.inverse_lipschitz for part in self.parts)

    def prepared(self) -> VectorBijector:
        """Every part prepared."""
        return replace(self, parts=tuple(part.prepared() for part in self.parts))

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Through all parts."""
        log_det = jnp.zeros(x.shape[1:], x.dtype)
        for part in self.parts:
            x, more = part.forward_columns(saturated(x), context if part.conditions else None)
            log_det = log_det + more
        return x, log_det

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Back through all parts."""
        log_det = jnp.zeros(y.shape[1:], y.dtype)
        for part in reversed(self.parts):
            y, more = part.inverse_columns(saturated(y), context if part.conditions else None)
            log_det = log_det + more
        return y, log_det


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Stack(VectorBijector):
    """Equal layers one after another, the first one first.

    Attributes:
        layers: one bijector whose array leaves have a leading axis of layers, as `jax.vmap` of a constructor makes it.
    """

    layers: VectorBijector

    @property
    def features(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As of every layer."""
        return self.layers.features

    @property
    def conditions(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As of every layer."""
        return self.layers.conditions

    @property
    def depth(self) -> int:
        """Number of layers."""
        return jax.tree.leaves(self.layers)[0].shape[0]

    @property
    def log_det_bounds(self) -> Interval:
        """The sum of the layers' bounds."""
        return total(jax.vmap(lambda layer: layer.log_det_bounds)(self.layers)).rounded(self.depth)

    @property
    def inverse_lipschitz(self) -> Any:
        """The product of the layers'."""
        return jnp.prod(jax.vmap(lambda layer: jnp.asarray(layer.inverse_lipschitz))(self.layers))

    def layer(self, index: int) -> VectorBijector:
        """One of the layers."""
        return jax.tree.map(lambda leaf: leaf[index], self.layers)

    def prepared(self) -> VectorBijector:
        """Every layer prepared, all at once: what depends on parameters alone stays out of the scan."""
        return replace(self, layers=jax.vmap(lambda layer: layer.prepared())(self.layers))

    def forward_columns(self, x: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Through all layers."""

        def body(carry: tuple[Array, Array], layer: Any) -> tuple[tuple[Array, Array], None]:
            x, log_det = carry
            y, more = layer.forward_columns(saturated(x), context)
            return (y, log_det + more), None

        return jax.lax.scan(body, (x, jnp.zeros(x.shape[1:], x.dtype)), self.layers)[0]

    def inverse_columns(self, y: Columns, context: Context | None) -> tuple[Columns, LogDet]:
        """Back through all layers."""

        def body(carry: tuple[Array, Array], layer: Any) -> tuple[tuple[Array, Array], None]:
            y, log_det = carry
            x, more = layer.inverse_columns(saturated(y), context)
            return (x, log_det + more), None

        return jax.lax.scan(body, (y, jnp.zeros(y.shape[1:], y.dtype)), self.layers, reverse=True)[0]
