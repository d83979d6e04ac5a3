"""Conditioners: small perceptrons over columns, plain or masked, as pytrees of arrays that a stack can scan over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

import actlab.activations as al
from actlab.activations import Activation
from actlab.signal import layer_gains

REACH = 1e4
"""Conditioners see their inputs cut at this magnitude: what they put out stays finite for every finite event."""

OUTPUT_SCALE = 0.1
"""Deviation of the last layer's kernel at the start, relative to 1/sqrt(fan_in): a new flow is near the identity."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Conditioner:
    """W_n f(... f(W_1 x + b_1) ...) + b_n for columns x of shape (inputs, n).

    Attributes:
        kernels: each (outputs, inputs).
        biases: each (outputs,).
        masks: one a kernel, boolean, true for the entries that take part; empty where all do.
        activation: f.
    """

    kernels: tuple[Any, ...]
    biases: tuple[Any, ...]
    masks: tuple[Any, ...]
    activation: Activation = field(metadata={"static": True})

    def __call__(self, x: Float[Array, "inputs n"]) -> Float[Array, "outputs n"]:
        """The raw numbers of each column."""
        h = jnp.clip(x, -REACH, REACH)
        last = len(self.kernels) - 1
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            kernel = jnp.where(self.masks[i], kernel, 0) if self.masks else kernel
            h = kernel.astype(x.dtype) @ h + bias.astype(x.dtype)[:, None]
            h = h if i == last else self.activation.evaluate(h)
        return h


def joined(x: Float[Array, "features n"], context: Array | None) -> Float[Array, "inputs n"]:
    """What a conditioner sees: the features, and the conditions below them."""
    return x if context is None else jnp.concatenate([x, context.astype(x.dtype)])


def perceptron(key: Key[Array, ""], sizes: Sequence[int], activation: Any) -> Conditioner:
    """A plain conditioner of layers (inputs, hidden, ..., outputs): of normal kernels that keep the variance."""
    activation = al.as_activation(activation)
    shapes = [(o, i) for i, o in zip(sizes[:-1], sizes[1:], strict=True)]
    draw = jax.random.normal(key, (sum(o * i for o, i in shapes),))
    kernels = []
    for (o, i), scale in zip(shapes, layer_gains(activation, len(shapes), last=OUTPUT_SCALE), strict=True):
        kernels.append(draw[: o * i].reshape(o, i) * (scale / math.sqrt(i)))
        draw = draw[o * i :]
    return Conditioner(tuple(kernels), tuple(jnp.zeros(o) for o, _ in shapes), (), activation)


def masked_perceptron(
    key: Key[Array, ""], features: int, conditions: int, hidden: Sequence[int], outputs: int, activation: Any
) -> Conditioner:
    """Raw numbers of feature d, at rows outputs x features in that order, depend on features before d and conditions.

    Source: Germain et al. 2015, MADE, arXiv 1502.03509, eq. 12 to 14; conditions have degree 0.
    """
    plain = perceptron(key, (features + conditions, *hidden, outputs * features), activation)
    degrees = [np.concatenate([np.arange(1, features + 1), np.zeros(conditions, int)])]
    # Degree d sees the first d features; 0, which sees conditions alone, only where there are any.
    first = 0 if conditions else 1
    degrees += [first + np.arange(width) % max(features - first, 1) for width in hidden]
    masks = [after[:, None] >= before[None] for before, after in zip(degrees[:-1], degrees[1:], strict=True)]
    masks.append(np.tile(np.arange(1, features + 1), outputs)[:, None] > degrees[-1][None])
    return Conditioner(plain.kernels, plain.biases, tuple(map(jnp.asarray, masks)), plain.activation)
