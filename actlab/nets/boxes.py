"""Boxes pushed through a `Chain` in plain floating point: what interval training differentiates; no certificate."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from actlab.activations import Activation, require
from actlab.activations.facts import certain
from actlab.activations.vector import CReLU, GroupSort
from actlab.nets.chain import Chain, Flatten, VectorNonlinearity
from actlab.nets.nonlinearity import Nonlinearity
from actlab.nets.orthogonal import OrthogonalLinear, OrthogonalPatches, patches

POINTS = 5
"""At which an activation that is not monotone is looked at in each interval."""


class BoxError(TypeError):
    """A layer or an activation through which no box can be pushed; the message names it."""


def boxes(
    net: Chain, middle: Float[Array, "batch *shape"], radius: Float[Array, "batch *shape"]
) -> Iterator[tuple[Float[Array, "batch *layer"], Float[Array, "batch *layer"]]]:
    """The box that follows each linear layer but the last, as preactivations, and at the end the last layer's input.

    Convolutions are computed as matrix products: inside `lax.scan` XLA's own are ten times slower on a CPU.

    Args:
        net: whose features are bounded.
        middle: of the boxes around the inputs.
        radius: of the boxes, not negative.

    Raises:
        BoxError: a layer or activation that is not known here.
    """
    for layer in list(net.layers)[:-1]:
        middle, radius = through(layer, middle, radius)
        if is_linear(layer):
            yield middle, radius
    yield middle, radius


def is_linear(layer: Any) -> bool:
    """Whether the layer has a kernel."""
    return isinstance(layer, (nnx.Conv, nnx.Linear, OrthogonalLinear, OrthogonalPatches))


def through(layer: Any, middle: Array, radius: Array) -> tuple[Array, Array]:
    """Middle and radius of a box that contains the layer's values over the box, but for rounding.

    Raises:
        BoxError: the layer or its activation is not known here.
    """
    if isinstance(layer, nnx.Conv):
        kernel = layer.kernel[...]
        return _biased(_convolved(layer, middle, kernel), layer), _convolved(layer, radius, jnp.abs(kernel))
    if isinstance(layer, OrthogonalPatches):
        return through(layer.linear, patches(middle, layer.size), patches(radius, layer.size))
    if isinstance(layer, (OrthogonalLinear, nnx.Linear)):
        kernel = layer.kernel[...]
        return _biased(middle @ kernel, layer), radius @ jnp.abs(kernel)
    if isinstance(layer, Flatten):
        return layer(middle), layer(radius)
    lower, upper = _image(layer, middle - radius, middle + radius)
    return (lower + upper) / 2, (upper - lower) / 2


def _image(layer: Any, lower: Array, upper: Array) -> tuple[Array, Array]:
    f = getattr(layer, "activation", None)
    if isinstance(layer, VectorNonlinearity):
        if isinstance(f, GroupSort):  # each output is nondecreasing in every input
            return f(lower), f(upper)
        if isinstance(f, CReLU):
            first, second = jnp.split(f(lower), 2, axis=-1), jnp.split(f(upper), 2, axis=-1)
            return (
                jnp.concatenate([first[0], second[1]], axis=-1),
                jnp.concatenate([second[0], first[1]], axis=-1),
            )
        raise BoxError(f"boxes: the vector activation {f!r} has no rule for boxes; maxmin, groupsort and crelu have")
    if isinstance(layer, Nonlinearity) and f is not None:
        return elementwise_image(f, lower, upper)
    raise BoxError(f"boxes: no rule for the layer {type(layer).__name__}")


def elementwise_image(f: Activation, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Bounds of f over each [lower, upper], differentiable in both.

    The end values where f is monotone. Else the extremes over five points, moved outward by what f can do between them:
    h^2 sup|f''| / 8 for points h apart, or h sup|f'| / 2 where the curvature is not bounded.

    Raises:
        FactError: f is not known to be monotone and neither its slope nor its curvature is bounded.
    """
    if f.facts.increasing:
        return f(lower), f(upper)
    if f.facts.monotone in ("strictly decreasing", "nonincreasing"):
        return f(upper), f(lower)
    gap = (upper - lower) / (POINTS - 1)
    between = _between(f, gap)
    values = f(jnp.stack([*(lower + k * gap for k in range(POINTS - 1)), upper]))
    return jnp.min(values, axis=0) - between, jnp.max(values, axis=0) + between


def _between(f: Activation, gap: Array) -> Array:
    """How far f can go beyond its values at points `gap` apart."""
    curvature, smooth = f.facts.curvature, f.facts.smoothness
    steep, known = f.facts.lipschitz(), []
    if curvature is not None and smooth is not None and certain(smooth >= 1):
        if not certain(curvature.magnitude >= math.inf):
            known.append((curvature.magnitude, gap**2 / 8))
    if not known and certain(steep >= math.inf):
        require(f, bounded_slope=True, because="a box is pushed through an activation that is not monotone")
    known.append((steep, gap / 2))
    # Bounds of trained parameters are traced, and infinite ones must not meet a gap of 0.
    moves = [jnp.where(jnp.isfinite(m), jnp.where(jnp.isfinite(m), m, 0.0) * g, jnp.inf) for m, g in known]
    return functools.reduce(jnp.minimum, moves)


def _biased(y: Array, layer: Any) -> Array:
    bias = layer.bias[...]
    return y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)


def _convolved(layer: nnx.Conv, x: Array, kernel: Array) -> Array:
    strides: Any = layer.strides
    padding: Any = layer.padding
    side = layer.kernel_size
    strides = (strides,) if isinstance(strides, int) else tuple(strides)
    if len(set(side)) > 1 or len(set(strides)) > 1 or padding not in ("SAME", "VALID"):
        raise BoxError(f"boxes: a convolution of sides {side}, strides {strides} and padding {padding!r}")
    return convolved(x, kernel, strides[0], padding)


def convolved(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "side side channels outputs"],
    stride: int,
    padding: str,
) -> Float[Array, "batch rows columns outputs"]:
    """A strided convolution as one matrix product over patches.

    The image is cut into cells of `stride` pixels a side; a window is then a few whole cells, so that few slices are
    taken, whatever the side.
    """
    side, (height, width, channels) = kernel.shape[0], x.shape[1:]
    pads = lax.padtype_to_pads((height, width), (side, side), (stride, stride), padding)
    rows, columns = ((n + sum(p) - side) // stride + 1 for n, p in zip((height, width), pads, strict=True))
    cells = -(-side // stride)
    tall, wide = (rows + cells - 1) * stride, (columns + cells - 1) * stride
    edges = [(0, 0), (pads[0][0], tall - height - pads[0][0]), (pads[1][0], wide - width - pads[1][0]), (0, 0)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(low, high, 0) for low, high in edges])
    x = patches(x, stride)
    x = jnp.concatenate(
        [x[:, i : i + rows, j : j + columns] for i in range(cells) for j in range(cells)],
        axis=-1,
    )
    filled = cells * stride - side
    kernel = jnp.pad(kernel, ((0, filled), (0, filled), (0, 0), (0, 0)))
    kernel = kernel.reshape(cells, stride, cells, stride, channels, -1).transpose(0, 2, 1, 3, 4, 5)
    return x @ kernel.reshape(-1, kernel.shape[-1])


def logits_by_products(net: Chain, x: Float[Array, "batch *shape"]) -> Float[Array, "batch outputs"]:
    """`net(x)` with each convolution as a matrix product: the same numbers to rounding, fast inside `lax.scan`."""
    for layer in list(net.layers)[:-1]:
        x = _biased(_convolved(layer, x, layer.kernel[...]), layer) if isinstance(layer, nnx.Conv) else layer(x)
    return net.last(x)
