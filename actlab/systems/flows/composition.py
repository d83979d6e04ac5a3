"""Compositions of transforms, one conditioned function after another: deeper monotone networks of bounded slope."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Facts, Interval
from actlab.systems.flows.elementwise import Sloped, preimage, value_and_log_slope
from actlab.systems.flows.transforms import Raw, Transform

WEAKEST_FIRST = ("unknown", "declared", "proved")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Composite(Sloped):
    """The members one after another, the first one first.

    Attributes:
        members: activations of positive slope.
        lower: bound of the slope.
        upper: likewise.
    """

    members: tuple[Sloped, ...]
    lower: Any
    upper: Any
    name = "composite"
    family = "bounded"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The composition for a floating array."""
        for member in self.members:
            x = member.evaluate(x)
        return x

    def value_and_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """The composition and the product of the slopes."""
        value, log_slope = self.value_and_log_slope(x)
        return value, jnp.exp(log_slope)

    def value_and_log_slope(self, x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """The composition and the sum of the logarithms of the slopes."""
        log_slope = jnp.zeros_like(x)
        for member in self.members:
            x, more = value_and_log_slope(member, x)
            log_slope = log_slope + more
        return x, log_slope

    def preimage(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Back through the members."""
        for member in reversed(self.members):
            y = preimage(member, y)
        return y

    @property
    def facts(self) -> Facts:
        """The chain rule's, with the bounds of the slope; onto the reals. As well founded as the weakest member's."""
        standings = [member.facts.standing for member in self.members]
        return al.compose(*reversed(self.members)).facts.replace(
            range=al.REALS,
            slope=Interval(self.lower, self.upper),
            monotone="strictly increasing",
            standing=min(standings, key=WEAKEST_FIRST.index),
        )


@dataclass(frozen=True)
class Composition(Transform):
    """Several transforms in turn, each with raw numbers of its own: with mixtures, a monotone network of that depth.

    Its slopes lie between the products of the parts' bounds.

    Source: Huang et al. 2018, Neural Autoregressive Flows, arXiv 1804.00779, section 3: deep sigmoidal flows.

    Attributes:
        parts: the first one first.
    """

    parts: tuple[Transform, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("Composition: parts = () must have at least one transform")

    @property
    def lower(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The product of the parts' least slopes."""
        return math.prod(part.lower for part in self.parts) * (1 - 1e-6)  # the sum of logarithms rounds

    @property
    def upper(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The product of the parts' largest slopes."""
        return math.prod(part.upper for part in self.parts) * (1 + 1e-6)

    @property
    def outputs(self) -> int:
        """As all parts together."""
        return sum(part.outputs for part in self.parts)

    def bind(self, raw: Raw) -> Sloped:
        """Raw numbers: those of the first part, then those of the next."""
        members = []
        for part in self.parts:
            members.append(part.bind(raw[: part.outputs]))
            raw = raw[part.outputs :]
        return Composite(tuple(members), self.lower, self.upper)
