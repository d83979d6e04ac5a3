"""A chain of layers: convolutions, then dense layers, each followed by an activation, elementwise or vector-valued."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import VectorActivation
from actlab.nets.initialization import set_kernels
from actlab.nets.nonlinearity import Nonlinearity
from actlab.nets.orthogonal import OrthogonalLinear, OrthogonalPatches
from actlab.signal import layer_gains

Start = Literal["variance", "interval"]
Linear = Literal["free", "cayley", "bjorck"]


@dataclass(frozen=True)
class Architecture:
    """The sizes of a `Chain`.

    Attributes:
        shape: of one input: (features,) or (height, width, channels).
        convolutions: (channels out, side of the kernel, stride) of each; "SAME" padding.
        hidden: widths of the dense hidden layers.
        outputs: of the last layer.
        linear: "free" kernels, or orthogonal ones by this parametrization; an orthogonal convolution needs its stride
            equal to its side. The last layer is always free.
    """

    shape: tuple[int, ...]
    convolutions: tuple[tuple[int, int, int], ...] = ()
    hidden: tuple[int, ...] = ()
    outputs: int = 10
    linear: Linear = "free"

    def __post_init__(self) -> None:
        sizes = (*self.shape, *self.hidden, self.outputs, *(n for c in self.convolutions for n in c))
        if min(sizes) < 1 or len(self.shape) not in (1, 3) or (self.convolutions and len(self.shape) != 3):
            raise ValueError(
                f"Architecture: shape = {self.shape}, convolutions = {self.convolutions}, hidden = {self.hidden}, "
                f"outputs = {self.outputs}: all must be positive, and convolutions need a (height, width, channels)"
            )
        if self.linear != "free" and any(side != stride for _, side, stride in self.convolutions):
            raise ValueError(f"Architecture: linear = {self.linear!r} needs convolutions whose stride is their side")


class VectorNonlinearity(nnx.Module):
    """Applies a vector activation to the features along the last axis; its parameters are arrays of the module."""

    def __init__(self, activation: VectorActivation):
        self.held = nnx.data(jax.tree.map(jnp.asarray, activation.along(-1)))

    @property
    def activation(self) -> VectorActivation:
        """The activation."""
        return self.held

    def __call__(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """f(x) along the last axis."""
        return self.activation(x)


class Flatten(nnx.Module):
    """All axes but the first become one."""

    def __call__(self, x: Float[Array, "batch *shape"]) -> Float[Array, "batch features"]:
        """The flattened batch."""
        return x.reshape(x.shape[0], -1)


class Sequence(nnx.Module):
    """Some layers of a chain, one after the other."""

    def __init__(self, layers: Iterable[Any]):
        self.layers = nnx.List(list(layers))

    def __call__(self, x: Float[Array, "batch *shape"]) -> Float[Array, "batch *outputs"]:
        """The last layer's output."""
        for layer in self.layers:
            x = layer(x)
        return x


class Chain(nnx.Module):
    """Layers applied one after the other; `layers` holds them, the last one linear.

    Free kernels start with variance gain(f)^2 / fan_in as those of `MLP`, or, for interval propagation, so that the
    widths of boxes neither grow nor shrink: deviation sqrt(pi / 2) / (fan_in E|f'|).

    Source of the interval initialization: Shi et al. 2021, arXiv:2103.17268, section 3.1 (for ReLU; here for any
    activation, by its mean absolute slope).
    """

    def __init__(self, architecture: Architecture, activation: Any, *, rngs: nnx.Rngs, start: Start = "variance"):
        """Builds the net.

        Args:
            architecture: its sizes.
            activation: an Activation, a function of one array or a name; or a VectorActivation, such as `maxmin`.
            rngs: its `params` stream is drawn from.
            start: which initialization free kernels get.

        Raises:
            ValueError: sizes that do not fit, or an unknown start.
            TypeError: something that is not an activation.
        """
        if start not in ("variance", "interval"):
            raise ValueError(f"Chain: start = {start!r}; known: 'variance', 'interval'")
        f = activation if isinstance(activation, VectorActivation) else al.as_activation(activation)
        wider = f.facts.outputs_per_input if isinstance(f, VectorActivation) else 1.0
        layers: list[Any] = []

        def follow() -> None:
            layers.append(VectorNonlinearity(f) if isinstance(f, VectorActivation) else Nonlinearity(f))

        size = architecture.shape
        for channels, side, stride in architecture.convolutions:
            layers.append(_convolution(size[2], channels, side, stride, architecture.linear, rngs))
            size = (-(-size[0] // stride), -(-size[1] // stride), int(channels * wider))
            follow()
        if len(size) == 3:
            layers.append(Flatten())
        features = math.prod(size)
        for width in architecture.hidden:
            layers.append(_dense(features, width, architecture.linear, rngs))
            features = int(width * wider)
            follow()
        layers.append(_dense(features, architecture.outputs, "free", rngs))
        self.layers = nnx.List(layers)
        free = [layer for layer in layers if isinstance(layer, (nnx.Conv, nnx.Linear))]
        set_kernels(rngs.params(), free, _gains(f, free, start, architecture.linear != "free"))

    def __call__(self, x: Float[Array, "batch *shape"]) -> Float[Array, "batch outputs"]:
        """The outputs (logits) for a batch."""
        return self.last(self.features(x))

    def features(self, x: Float[Array, "batch *shape"]) -> Float[Array, "batch features"]:
        """What the last layer receives."""
        for layer in list(self.layers)[:-1]:
            x = layer(x)
        return x

    @property
    def last(self) -> nnx.Linear:
        """The last layer."""
        return self.layers[-1]

    @property
    def last_weights(self) -> tuple[Float[Array, "features outputs"], Float[Array, " outputs"]]:
        """Kernel and bias of the last layer."""
        layer: Any = self.last
        return layer.kernel[...], layer.bias[...]

    def plain(self) -> Chain:
        """The same net with ordinary layers in place of orthogonal ones: what a certificate is about."""
        graphdef, state = nnx.split(self)
        copy = nnx.merge(graphdef, state, copy=True)
        orthogonal = (OrthogonalLinear, OrthogonalPatches)
        copy.layers = nnx.List([v.plain() if isinstance(v, orthogonal) else v for v in copy.layers])
        return copy


def _convolution(inputs: int, outputs: int, side: int, stride: int, linear: Linear, rngs: nnx.Rngs) -> Any:
    if linear != "free":
        return OrthogonalPatches(inputs, outputs, side, rngs=rngs, parametrization=linear)
    zeros = nnx.initializers.zeros
    return nnx.Conv(inputs, outputs, (side, side), strides=stride, padding="SAME", kernel_init=zeros, rngs=rngs)


def _dense(inputs: int, outputs: int, linear: Linear, rngs: nnx.Rngs) -> Any:
    if linear != "free":
        return OrthogonalLinear(inputs, outputs, rngs=rngs, parametrization=linear)
    return nnx.Linear(inputs, outputs, kernel_init=nnx.initializers.zeros, rngs=rngs)


def _gains(f: Any, layers: list[Any], start: Start, only_last: bool) -> list[Any]:
    """One a free layer; the first of the net sees the data, later ones the activation's values.

    `only_last`: the hidden layers are orthogonal, so that the one free layer is the net's last.
    """
    if start == "interval":
        slope = mean_absolute_slope(f)
        fans = [math.prod(layer.kernel[...].shape[:-1]) for layer in layers]
        return [math.sqrt(math.pi / (2 * fan)) / (slope if k or only_last else 1.0) for k, fan in enumerate(fans)]
    return [1.0] * len(layers) if isinstance(f, VectorActivation) else layer_gains(f, len(layers))


def mean_absolute_slope(f: Any) -> float:
    """E|f'(z)| for z ~ N(0, 1), to three digits; 1 for a vector activation, whose Jacobian permutes or projects."""
    if isinstance(f, VectorActivation):
        return 1.0
    z = NormalDist()
    points = np.array([z.inv_cdf((k + 0.5) / 4000) for k in range(4000)], np.float32)
    with jax.ensure_compile_time_eval():
        return float(np.mean(np.abs(np.asarray(f.slope(jnp.asarray(points))))))
