"""A deep plain net: linear layers of one width and one activation, no skip connection, no normalization."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

import actlab.activations as al


class PlainNet(nnx.Module):
    """A net of one width: h_1 = W_0 x + b_0, h_(l+1) = W_l f(h_l) + b_l up to h_depth, a readout of f(h_depth).

    W_l ~ N(0, weight_variance / fan_in), W_0 included; b_l ~ N(0, bias_variance); the readout is linear, of variance
    1 / width and without biases. The layers of equal shape are stacked and scanned over: any depth compiles as fast.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        depth: int,
        outputs: int,
        activation: Any,
        weight_variance: Any,
        bias_variance: Any,
        *,
        key: Key[Array, ""],
    ):
        """Draws the net; the variances may be traced.

        Raises:
            ValueError: a size that is not positive.
        """
        if min(inputs, width, depth, outputs) < 1:
            raise ValueError(f"PlainNet: sizes must be positive, got {(inputs, width, depth, outputs)}")
        first, hidden, biases, last = jax.random.split(key, 4)
        scale = jnp.sqrt(weight_variance)
        self.first = nnx.Param(jax.random.normal(first, (inputs, width)) * scale / inputs**0.5)
        self.hidden = nnx.Param(jax.random.normal(hidden, (depth - 1, width, width)) * scale / width**0.5)
        self.biases = nnx.Param(jax.random.normal(biases, (depth, width)) * jnp.sqrt(bias_variance))
        self.last = nnx.Param(jax.random.normal(last, (width, outputs)) / width**0.5)
        self.activation = nnx.data(al.as_activation(activation))

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """Logits of a batch."""

        def layer(h: Array, weights: tuple[Array, Array]) -> tuple[Array, None]:
            kernel, bias = weights
            return self.activation(h) @ kernel + bias[None], None

        biases = self.biases[...]
        h = x @ self.first[...] + biases[:1]
        h, _ = jax.lax.scan(layer, h, (self.hidden[...], biases[1:]))
        return self.activation(h) @ self.last[...]


def parts(net: PlainNet) -> tuple[Any, Any]:
    """The static part of a net and its variables, as `actlab.training.fit` takes them."""
    return nnx.split(net)
