"""A small convolutional net for small images, such as 28 x 28 or 8 x 8 digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.nets.initialization import set_kernels
from actlab.nets.nonlinearity import Nonlinearity
from actlab.signal import layer_gains


class ConvNet(nnx.Module):
    """3 x 3 convolutions of stride 2, an activation after each, the mean over places, and a linear layer.

    Initialized as `MLP`: biases at 0, first kernel of variance 1 / fan_in, later convolutions gain(f)^2 / fan_in, last
    layer 1 / fan_in. Zero padding makes the variance smaller at the border. The activated convolutions are named
    "convolution_1", "convolution_2", ... by `jax.ad_checkpoint.checkpoint_name`.
    """

    def __init__(
        self, channels: Sequence[int], outputs: int, activation: Any, *, rngs: nnx.Rngs, trainable: bool = False
    ):
        """Builds the net.

        Args:
            channels: (channels of the image, then of each convolution), at least two positive numbers.
            outputs: the number of classes or regression targets.
            activation: an Activation, a function of one array, or a name; one, shared by all layers.
            rngs: its `params` stream is drawn from once.
            trainable: the activation's parameters are trained with the net (as `nnx.Param`).

        Raises:
            ValueError: bad channels or outputs.
            TypeError: something that is not an activation.
        """
        if len(channels) < 2 or min(*channels, outputs) < 1:
            raise ValueError(
                f"ConvNet: channels = {tuple(channels)} must be (image, convolution, ...), outputs = {outputs}, "
                "all positive"
            )
        activation = al.as_activation(activation)
        convolutions = [
            nnx.Conv(i, o, (3, 3), strides=2, kernel_init=nnx.initializers.zeros, rngs=rngs)
            for i, o in zip(channels[:-1], channels[1:], strict=True)
        ]
        last = nnx.Linear(channels[-1], outputs, kernel_init=nnx.initializers.zeros, rngs=rngs)
        set_kernels(rngs.params(), [*convolutions, last], layer_gains(activation, len(convolutions) + 1))
        self.convolutions = nnx.List(convolutions)
        self.last = last
        self.nonlinearity = Nonlinearity(activation, trainable=trainable)

    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch outputs"]:
        """The outputs (logits) for a batch of images."""
        for i, convolution in enumerate(self.convolutions, 1):
            x = checkpoint_name(self.nonlinearity(convolution(x)), f"convolution_{i}")
        return self.last(jnp.mean(x, axis=(1, 2)))
