"""The learner's net: dense layers of one activation, its weights a plain pytree, so that methods can act on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from flax import nnx
from jaxtyping import Array, Float, Key

import actlab.activations as al
from actlab.activations import Activation
from actlab.nets import MLP
from actlab.signal import layer_gains


class Layer(NamedTuple):
    """x -> x @ kernel + bias.

    Attributes:
        kernel: (inputs, outputs).
        bias: (outputs,).
    """

    kernel: Any
    bias: Any


Parameters = tuple[Layer, ...]


@dataclass(frozen=True)
class Network:
    """Sizes and activation of a net of dense layers.

    Attributes:
        sizes: (inputs, hidden, ..., outputs).
        activation: of the hidden layers; parameters bound.
    """

    sizes: tuple[int, ...]
    activation: Activation

    @classmethod
    def of(cls, sizes: Sequence[int], activation: Any) -> Network:
        """From an Activation, a function or a name."""
        return cls(tuple(sizes), al.as_activation(activation))

    def start(self, key: Key[Array, ""]) -> Parameters:
        """Weights that keep the preactivations' variance with this activation: those of `MLP`."""
        net = MLP(self.sizes, self.activation, rngs=nnx.Rngs(params=key))
        return tuple(Layer(layer.kernel[...], layer.bias[...]) for layer in map(_typed, net.layers))

    @property
    def deviations(self) -> tuple[float, ...]:
        """Standard deviation of each layer's kernel at the start."""
        gains = layer_gains(self.activation, len(self.sizes) - 1)
        return tuple(g / n**0.5 for g, n in zip(gains, self.sizes[:-1], strict=True))

    def __call__(
        self, parameters: Parameters, x: Float[Array, "rows inputs"], probes: Any = None
    ) -> tuple[Float[Array, "rows outputs"], tuple[Array, ...]]:
        """Outputs, and the values of every hidden layer.

        Args:
            parameters: the weights.
            x: inputs.
            probes: one array a layer, (rows, outputs of the layer), added to what the layer gives: the derivative with
                respect to them, at 0, is each row's own derivative with respect to the preactivations.
        """
        hidden = []
        for number, layer in enumerate(parameters):
            x = x @ layer.kernel + layer.bias[None]
            if probes is not None:
                x = x + probes[number]
            if number < len(parameters) - 1:
                x = self.activation(x)
                hidden.append(x)
        return x, tuple(hidden)


def weights(parameters: Parameters) -> int:
    """How many numbers are trained."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def _typed(layer: Any) -> Any:
    return layer  # nnx.List has no element type
