"""The network with a head: raw outputs that a head reads as a distribution; its training as one pure function."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.data.splits import Split
from actlab.nets import MLP
from actlab.systems.uncertainty.distributions import Distribution
from actlab.systems.uncertainty.gaussian import Gaussian, NaturalGaussian, beta_nll
from actlab.systems.uncertainty.head import Head, Raw, Target
from actlab.training import fit


class HeadLayer(nnx.Module):
    """A linear layer and the head that reads its outputs: what to put on any network's features."""

    def __init__(self, features: int, head: Head, *, rngs: nnx.Rngs):
        """A layer of `head.outputs` raw numbers."""
        self.linear = nnx.Linear(features, head.outputs, rngs=rngs)
        self.head = nnx.data(_with_array_leaves(head))

    def __call__(self, features: Float[Array, "*batch features"]) -> Distribution:
        """The predicted distribution."""
        return self.head.distribution(self.linear(features))

    def nll(self, features: Float[Array, "*batch features"], y: Target) -> Target:
        """-log p(y | features), nats."""
        return self.head.nll(self.linear(features), y)


class HeadedMLP(nnx.Module):
    """A perceptron whose raw outputs the head reads."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], activation: Any, head: Head, *, rngs: nnx.Rngs):
        """Layers (inputs, *hidden, head.outputs).

        Raises:
            ValueError: sizes that are not positive.
            TypeError: something that is not an activation.
        """
        self.net = MLP((inputs, *hidden, head.outputs), activation, rngs=rngs)
        self.head = nnx.data(_with_array_leaves(head))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Distribution:
        """The predicted distribution."""
        return self.head.distribution(self.net(x))

    def raw(self, x: Float[Array, "*batch inputs"]) -> Raw:
        """The raw outputs."""
        return self.net(x)

    def nll(self, x: Float[Array, "*batch inputs"], y: Target) -> Target:
        """-log p(y | x), nats."""
        return self.head.nll(self.net(x), y)


def fit_gaussian(
    key: Key[Array, ""],
    activation: Any,
    head: Gaussian | NaturalGaussian,
    split: Split,
    *,
    hidden: tuple[int, ...],
    optimizer: optax.GradientTransformation,
    steps: int,
    batch_size: int,
    beta: float = 0.0,
    noise: float = 0.0,
) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """Trains one net on a split and predicts its test rows: a pure function, to be vmapped over keys and splits.

    Args:
        key: of the initialization, the batches and the noise.
        activation: of the hidden layers.
        head: gives mean and variance their meaning.
        split: standardized data.
        hidden: widths.
        optimizer: any optax transformation.
        steps: gradient steps.
        batch_size: rows of a minibatch.
        beta: exponent of `beta_nll`; 0 trains the likelihood itself.
        noise: deviation of Gaussian noise added to the standardized inputs in training.

    Returns:
        Mean and log variance of each test row, standardized.
    """
    model_key, fit_key = jax.random.split(key)
    model = HeadedMLP(split.x.shape[-1], hidden, activation, head, rngs=nnx.Rngs(model_key))
    graphdef, state = nnx.split(model)

    def loss(model: HeadedMLP, batch: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        x, y = batch
        if noise:
            x = x + noise * jax.random.normal(key, x.shape, x.dtype)
        return beta_nll(model.head, model.raw(x), y, beta).mean()

    data = (jnp.asarray(split.x), jnp.asarray(split.y))
    fitted = fit(graphdef, state, data, fit_key, loss=loss, optimizer=optimizer, steps=steps, batch_size=batch_size)
    trained = fitted.model()
    return trained.head.moments(trained.raw(jnp.asarray(split.x_test)))


def _with_array_leaves(head: Head) -> Head:
    """Parameters as arrays: Python floats would be static to NNX and retrace for each value."""
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(float)), head)
