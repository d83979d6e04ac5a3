"""An activation inside a module: its parameters as data of the module, bound or trained."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation


class Nonlinearity(nnx.Module):
    """Applies an activation, elementwise.

    The activation's parameters are arrays (or `nnx.Param`) of the module, so that models rebuilt with other values
    share one trace, and an ensemble vmaps over them. Trained ones are kept as unconstrained reals and mapped into their
    domain at every call: the facts hold for every value that an optimizer can reach.
    """

    def __init__(self, activation: Any, *, trainable: bool = False):
        """Args are those of `MLP`.

        Raises:
            TypeError: `activation` is not an Activation, a function of one array with numeric keyword defaults, or a
                name.
        """
        activation = al.as_activation(activation)
        leaves = jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(float)), activation)
        if trainable:
            leaves = jax.tree.map(nnx.Param, leaves.unconstrained())
        self.trainable = trainable
        self.held = nnx.data(leaves)

    @property
    def activation(self) -> Activation:
        """The activation at its present parameters, inside their domain."""
        values = jax.tree.map(
            lambda v: v[...] if isinstance(v, nnx.Variable) else v,
            self.held,
            is_leaf=lambda v: isinstance(v, nnx.Variable),
        )
        return values.constrained() if self.trainable else values

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x), elementwise."""
        return self.activation(x)
