"""Networks whose output is an image: a neural field, a deep image prior, learned primal-dual; all with any output.

The first two are fitted to the counts of one scan, and stopped where held-out rays are explained best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

import actlab.activations as al
from actlab.nets import MLP, Nonlinearity
from actlab.systems.tomography.counts import Exposure, deviance, held_out_rays, negative_log_likelihood
from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.posterior import Found
from actlab.systems.tomography.priors import Prior
from actlab.systems.tomography.projector import backproject, project
from actlab.training import advance, begin


class NeuralField(nnx.Module):
    """The image as a function of place: random Fourier features of a pixel's centre, an MLP, the output activation.

    Source: Tancik et al. 2020, NeurIPS, arXiv:2006.10739, eq. 5 (Gaussian features).
    """

    def __init__(
        self,
        shape: tuple[int, int],
        hidden: Any,
        output: Any,
        *,
        rngs: nnx.Rngs,
        features: int = 64,
        bandwidth: float = 4.0,
        widths: tuple[int, ...] = (64, 64, 64),
    ):
        """Builds the field.

        Args:
            shape: (rows, columns) of the image.
            hidden: activation of the hidden layers.
            output: activation of the output.
            rngs: its `params` stream is drawn from twice.
            features: frequencies, each a sine and a cosine.
            bandwidth: their standard deviation, cycles over half of the image's edge.
            widths: of the hidden layers.
        """
        frequencies = bandwidth * jax.random.normal(rngs.params(), (2, features))
        rows, columns = (np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in shape)
        places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
        phases = 2.0 * np.pi * jnp.asarray(places) @ frequencies
        self.features = nnx.Variable(np.sqrt(2.0) * jnp.concatenate([jnp.sin(phases), jnp.cos(phases)], axis=-1))
        self.net = MLP((2 * features, *widths, 1), hidden, rngs=rngs, output=output)

    def __call__(self) -> Float[Array, "rows columns"]:
        """The image."""
        return self.net(self.features[...])[..., 0]


class DeepImagePrior(nnx.Module):
    """The image as what a convolutional net makes of fixed noise: an encoder and decoder with one skip a level.

    Source: Ulyanov, Vedaldi & Lempitsky 2018, CVPR, arXiv:1711.10925; for CT Baguer, Leuschner & Schmidt 2020, Inverse
    Problems 36:094004.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        hidden: Any,
        output: Any,
        *,
        rngs: nnx.Rngs,
        channels: int = 32,
        levels: int = 3,
    ):
        """Builds the net.

        Args:
            shape: (rows, columns) of the image, multiples of 2^levels.
            hidden: activation after every convolution but the last.
            output: activation of the output.
            rngs: its `params` stream is drawn from once a layer and for the noise.
            channels: of every layer.
            levels: halvings of the resolution.

        Raises:
            ValueError: a shape that cannot be halved so often.
        """
        if any(n % 2**levels for n in shape):
            raise ValueError(f"DeepImagePrior: shape = {shape} must be multiples of {2**levels}, or take fewer levels")
        self.noise = nnx.Variable(jax.random.uniform(rngs.params(), (*shape, channels)))
        self.down = nnx.List([_conv(channels, channels, rngs) for _ in range(levels)])
        self.up = nnx.List([_conv(2 * channels, channels, rngs) for _ in range(levels)])
        self.last = nnx.Conv(channels, 1, (1, 1), rngs=rngs)
        self.hidden, self.output = Nonlinearity(al.as_activation(hidden)), Nonlinearity(al.as_activation(output))

    def __call__(self) -> Float[Array, "rows columns"]:
        """The image."""
        x, passed = self.noise[...], []
        for layer in self.down:
            passed.append(x)
            x = self.hidden(_standardized(layer(_halved(x))))
        for layer, skip in zip(self.up, passed[::-1], strict=True):
            x = self.hidden(_standardized(layer(jnp.concatenate([_doubled(x), skip], axis=-1))))
        return self.output(self.last(x))[..., 0]


class LearnedPrimalDual(nnx.Module):
    """Primal-dual steps whose proximal maps are small nets, ending in the output activation.

    Line integrals and image are in units in which both are of the order of 1; the operators are divided by `norm`.

    Source: Adler & Oktem 2018, IEEE Trans. Med. Imaging 37:1322, Algorithm 3.
    """

    def __init__(
        self,
        norm: float,
        hidden: Any,
        output: Any,
        *,
        rngs: nnx.Rngs,
        iterations: int = 6,
        memory: int = 4,
        channels: int = 24,
    ):
        """Builds the net.

        Args:
            norm: the largest singular value of the projector.
            hidden: activation between the convolutions.
            output: activation of the output.
            rngs: its `params` stream is drawn from once a layer.
            iterations: each with nets of its own.
            memory: channels of the primal and of the dual variable.
            channels: of the hidden layers.
        """
        self.norm, self.memory = norm, memory
        self.dual = nnx.List([_Block(memory + 2, memory, channels, hidden, rngs) for _ in range(iterations)])
        self.primal = nnx.List([_Block(memory + 1, memory, channels, hidden, rngs) for _ in range(iterations)])
        self.output = Nonlinearity(al.as_activation(output))

    def __call__(
        self, geometry: Geometry, integrals: Float[Array, "batch views bins"]
    ) -> Float[Array, "batch rows columns"]:
        """Images from line integrals, both over the units."""
        data = integrals[..., None] / self.norm
        image = jnp.zeros((len(integrals), *geometry.shape, self.memory), integrals.dtype)
        dual = jnp.zeros((*data.shape[:-1], self.memory), integrals.dtype)
        for dual_block, primal_block in zip(self.dual, self.primal, strict=True):
            seen = project(geometry, image[..., 1])[..., None] / self.norm
            dual = dual + dual_block(jnp.concatenate([dual, seen, data], axis=-1))
            back = backproject(geometry, dual[..., 0])[..., None] / self.norm
            image = image + primal_block(jnp.concatenate([image, back], axis=-1))
        return self.output(image[..., 0])


@dataclass(frozen=True, eq=False)
class NetworkRecipe:
    """How a network is fitted to one scan.

    Attributes:
        steps: of Adam, in all, rounded down to a multiple of `checks`.
        checks: how often the held-out rays are looked at, at equal distances.
        learning_rate: of Adam.
        strength: of the prior.
        prior: of the image over `unit`; None: the network alone.
        share: of the rays held out.
    """

    steps: int = 400
    checks: int = 20
    learning_rate: float = 2e-3
    strength: float = 0.0
    prior: Prior | None = None
    share: float = 0.1


def fit_network(
    key: Key[Array, ""],
    make: Callable[[Key[Array, ""]], nnx.Module],
    geometry: Geometry,
    exposure: Exposure,
    unit: Any,
    *,
    recipe: NetworkRecipe,
) -> Found:
    """Fits a network without input, such as `NeuralField`, to the counts; keeps the image of the best check.

    Pure; vmap it over keys and exposures.

    Args:
        key: of the rays held out and of the initial weights.
        make: key -> the network; calling it gives an image in units of `unit`.
        geometry: of the scan.
        exposure: of one scan.
        unit: attenuation, 1/mm, of an output of 1.
        recipe: of the fit.

    Returns:
        The image at the check with the least held-out deviance, that deviance, and the loss before each step;
        `parameter` is empty.
    """
    ray_key, weight_key, fit_key = jax.random.split(key, 3)
    fitted, scored = held_out_rays(ray_key, exposure, recipe.share)
    graphdef, variables = nnx.split(make(weight_key))
    optimizer, count = optax.adam(recipe.learning_rate), recipe.steps // recipe.checks
    rays = jnp.maximum(jnp.sum(fitted.weight), 1.0)

    def loss(model: Any, batch: Exposure, key: Any) -> Array:
        del key
        relative = model()
        value = negative_log_likelihood(project(geometry, unit * relative), batch)
        if recipe.prior is not None:
            value = value + recipe.strength * recipe.prior(relative)
        return value / rays

    def check(carry: tuple[Any, Array, Array], _: None) -> tuple[tuple[Any, Array, Array], Array]:
        state, best, least = carry
        state, metrics = advance(graphdef, state, fitted, loss=loss, optimizer=optimizer, steps=count)
        model: Any = nnx.merge(graphdef, state.params, state.rest, copy=True)
        image = unit * model()
        held_out = deviance(project(geometry, image), scored)
        better = held_out < least
        return (state, jnp.where(better, image, best), jnp.minimum(held_out, least)), metrics["loss"]

    empty = jnp.zeros(geometry.shape, exposure.counts.dtype)
    start = (begin(variables, fit_key, optimizer=optimizer), empty, jnp.asarray(jnp.inf, empty.dtype))
    (_, image, least), losses = jax.lax.scan(check, start, None, length=recipe.checks)
    return Found(image, jnp.zeros((0,), empty.dtype), losses.reshape(-1), least)


class _Block(nnx.Module):
    """Three 3 x 3 convolutions, the last of which starts at 0: every iteration starts as the identity."""

    def __init__(self, inputs: int, outputs: int, channels: int, hidden: Any, rngs: nnx.Rngs):
        self.first, self.second = _conv(inputs, channels, rngs), _conv(channels, channels, rngs)
        self.last = nnx.Conv(channels, outputs, (3, 3), kernel_init=nnx.initializers.normal(1e-3), rngs=rngs)
        self.hidden = Nonlinearity(al.as_activation(hidden))

    def __call__(self, x: Array) -> Array:
        return self.last(self.hidden(self.second(self.hidden(self.first(x)))))


def _conv(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(inputs, outputs, (3, 3), kernel_init=nnx.initializers.he_normal(), rngs=rngs)


def _standardized(x: Float[Array, "rows columns channels"]) -> Float[Array, "rows columns channels"]:
    """Each channel less its mean over its deviation."""
    mean, variance = jnp.mean(x, axis=(0, 1), keepdims=True), jnp.var(x, axis=(0, 1), keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5)


def _halved(x: Array) -> Array:
    rows, columns, channels = x.shape
    return x.reshape(rows // 2, 2, columns // 2, 2, channels).mean(axis=(1, 3))


def _doubled(x: Array) -> Array:
    rows, columns, channels = x.shape
    return jax.image.resize(x, (2 * rows, 2 * columns, channels), "bilinear")
