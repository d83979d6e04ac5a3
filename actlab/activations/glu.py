"""Gated linear units: one half of the features times an activation of the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.activation import Activation
from actlab.activations.decorator import activation
from actlab.activations.gated import gelu, swish
from actlab.activations.interval import REALS
from actlab.activations.rectifiers import identity, relu
from actlab.activations.sigmoids import sigmoid
from actlab.activations.vector import VectorActivation, VectorFacts


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Gated(VectorActivation):
    """`a * g(b)` of the two halves a, b of the features; see `gated`."""

    gate: Activation
    name: str = field(metadata={"static": True})
    axis: int = field(default=-1, metadata={"static": True})
    source = "Dauphin et al. 2017, arXiv:1612.08083, eq. 1; Shazeer 2020, arXiv:2002.05202, eq. 5"

    def evaluate(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """The function along the last axis."""
        if x.shape[-1] % 2:
            raise ValueError(f"{self.name}: needs an even number of features, got {x.shape[-1]}")
        a, b = jnp.split(x, 2, axis=-1)
        return a * self.gate.evaluate(b)

    @property
    def facts(self) -> VectorFacts:
        """A product of two inputs has no Lipschitz constant; on a box it has."""
        return VectorFacts(math.inf, REALS, 0.5, lipschitz_on=self._lipschitz_on)

    def _lipschitz_on(self, radius: float) -> Any:
        """The largest length of a row (g(b), a g'(b)): at most sqrt(sup g^2 + radius^2 sup g'^2)."""
        facts, steepest = self.gate.facts, self.gate.facts.lipschitz()
        reach = abs(self.gate(jnp.zeros(()))) + steepest * radius
        if facts.range is not None:
            reach = jnp.minimum(reach, facts.range.magnitude)
        return jnp.hypot(reach, radius * steepest) * (1 + 1e-6)  # rounding of the lines above, outward


def gated(gate: Activation | Callable[..., Any], name: str | None = None) -> Gated:
    """`a * g(b)` with a, b the first and second half of the features along the axis, for any activation g.

    Torch, keras and jax agree that the gate is the second half.
    """
    inner = activation(gate)
    return Gated(inner, name or f"gated {inner.name}")


glu = gated(sigmoid, "glu")
reglu = gated(relu, "reglu")
geglu = gated(gelu, "geglu")
swiglu = gated(swish, "swiglu")
bilinear = gated(identity, "bilinear")
