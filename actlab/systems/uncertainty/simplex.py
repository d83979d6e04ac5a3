"""The head of a classifier: probabilities through softmax, or sparse ones through sparsemax and entmax."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from actlab.activations import simplex, vector
from actlab.nets.head import Head, Raw, Target
from actlab.systems.uncertainty import distributions
from actlab.systems.uncertainty.distributions import Distribution
from actlab.systems.uncertainty.positive import widened

Labels = Int[Array, "*batch"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Simplex(Head):
    """One of `classes` outcomes, one raw output each.

    Attributes:
        classes: how many.
        onto: the vector activation onto the simplex: `al.softmax`, `al.sparsemax` or `al.entmax(alpha)`.
    """

    classes: int = field(metadata={"static": True})
    onto: vector.VectorActivation = simplex.softmax

    @property
    def outputs(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One a class."""
        return self.classes

    def probabilities(self, raw: Raw) -> Raw:
        """Of the classes; they sum to one along the last axis."""
        return self.onto(widened(raw))

    def distribution(self, raw: Raw) -> Distribution:
        """distrax.Categorical."""
        return distributions.categorical(self.probabilities(raw))

    def nll(self, raw: Raw, y: Labels) -> Target:  # pyright: ignore[reportIncompatibleMethodOverride]
        """-log p(y): infinite where a sparse map gives y no probability; train with `loss`."""
        if self._order == 1.0:
            return self.loss(raw, y)
        return -jnp.log(_at(self.probabilities(raw), y))

    def loss(self, raw: Raw, y: Labels) -> Target:
        """The Fenchel-Young loss of the map, whose gradient in the raw outputs is probabilities - one-hot(y).

        It is the likelihood for softmax, the sparsemax and entmax losses else: convex, zero where y has probability
        one, at most linear in the raw outputs.

        Source: Blondel, Martins & Niculae 2020, JMLR 21(35), definition 2 and table 1.
        """
        z = widened(raw)
        z = z - jax.lax.stop_gradient(z.max(-1, keepdims=True))
        if self._order == 1.0:
            return jax.nn.logsumexp(z, axis=-1) - _at(z, y)
        p, alpha = self.onto(z), jnp.asarray(self._order, z.dtype)
        entropy = (1.0 - jnp.power(p, alpha).sum(-1)) / (alpha * (alpha - 1.0))
        return (p * z).sum(-1) + entropy - _at(z, y)

    @property
    def _order(self) -> Any:
        """Of the Tsallis entropy behind the map: 1 Shannon's, 2 Gini's."""
        if isinstance(self.onto, simplex.Entmax):
            return self.onto.alpha
        return 2.0 if isinstance(self.onto, simplex.Sparsemax) else 1.0


def _at(values: Float[Array, "*batch outputs"], y: Labels) -> Target:
    return jnp.take_along_axis(values, y[..., None], axis=-1)[..., 0]
