"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.nets.initialization import set_kernels
from actlab.nets.nonlinearity import Nonlinearity
from actlab.signal import layer_gains


class MLP(nnx.Module):
    """Linear layers with one activation between them, initialized so that its preactivations keep their variance.

    h_1 = W_1 x + b_1,  h_(l+1) = W_(l+1) f(h_l) + b_(l+1).  Biases start at 0; kernels are normal with variance
    1 / fan_in in the first layer (its inputs taken as standardized), gain(f)^2 / fan_in in the hidden ones, and
    1 / fan_in in the last, whose outputs no activation follows.
    """

    def __init__(
        self, sizes: Sequence[int], activation: Any, *, rngs: nnx.Rngs, output: Any = None, trainable: bool = False
    ):
        """Builds the net.

        Args:
            sizes: (inputs, hidden, ..., outputs), at least two positive numbers.
            activation: an Activation, a function of one array, or a name; one, shared by all hidden layers.
            rngs: its `params` stream is drawn from once.
            output: an activation of the output, or None for a linear one.
            trainable: the activation's parameters are trained with the net (as `nnx.Param`).

        Raises:
            ValueError: bad sizes.
            TypeError: something that is not an activation.
        """
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"MLP: sizes = {tuple(sizes)} must be (inputs, hidden, ..., outputs), all positive")
        activation = al.as_activation(activation)
        layers = [nnx.Linear(i, o, kernel_init=_zeros, rngs=rngs) for i, o in zip(sizes[:-1], sizes[1:], strict=True)]
        set_kernels(rngs.params(), layers, layer_gains(activation, len(layers)))
        self.layers = nnx.List(layers)
        self.nonlinearity = Nonlinearity(activation, trainable=trainable)
        self.output = None if output is None else Nonlinearity(output)

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """The net's output for a batch (or one) of inputs."""
        for layer in list(self.layers)[:-1]:
            x = self.nonlinearity(layer(x))
        x = self.layers[-1](x)
        return x if self.output is None else self.output(x)


_zeros = nnx.initializers.zeros_init()
