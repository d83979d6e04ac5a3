"""Variance-preserving initialization: every kernel of a net from one draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import Array, Key


def set_kernels(key: Key[Array, ""], layers: Sequence[Any], gains: Sequence[Any]) -> None:
    """Sets each layer's kernel to normal values of variance gain^2 / fan_in.

    All from one call of the generator, sliced: on a CPU the generator is most of what XLA compiles of a small training
    run, once a call.

    Args:
        key: for the draw.
        layers: modules with a `kernel` of shape (..., inputs, outputs); fan_in is the product of all but the last axis.
        gains: one a layer; traced ones allowed.
    """
    shapes = [layer.kernel[...].shape for layer in layers]
    ends = [math.prod(shape) for shape in shapes]
    draw = jax.random.normal(key, (sum(ends),))
    for layer, shape, gain in zip(layers, shapes, gains, strict=True):
        count = math.prod(shape)
        values, draw = draw[:count], draw[count:]
        scaled = gain / math.sqrt(math.prod(shape[:-1])) * values.reshape(shape)
        layer.kernel[...] = scaled.astype(layer.kernel[...].dtype)  # drawn in float64 where that is enabled
