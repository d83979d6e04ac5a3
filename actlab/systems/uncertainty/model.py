"""The network with a head: raw outputs that a head reads as a distribution; its training as one pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.data.splits import Split
from actlab.nets import MLP
from actlab.nets.head import Head, Raw, Target
from actlab.systems.uncertainty.distributions import Distribution
from actlab.systems.uncertainty.gaussian import Gaussian, NaturalGaussian, beta_nll
from actlab.training import fit


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


Loss = Callable[[HeadedMLP, tuple[Array, Array], Key[Array, ""]], Float[Array, ""]]


def noisy_beta_nll(head: Gaussian | NaturalGaussian, beta: float = 0.5, noise: Any = 0.0) -> Loss:
    """The mean `beta_nll`, with fresh Gaussian noise added to the standardized inputs at every step.

    Noise on the inputs is the ridge penalty of a nonlinear net (Bishop 1995, Neural Computation 7(1)): it keeps the
    variance output from learning the training residuals.

    Args:
        head: gives mean and variance their meaning.
        beta: exponent; 0 is the likelihood itself.
        noise: its deviation, a number or a traced scalar.
    """

    def loss(model: HeadedMLP, batch: tuple[Array, Array], key: Key[Array, ""]) -> Float[Array, ""]:
        x, y = batch
        return beta_nll(head, model.raw(x + noise * jax.random.normal(key, x.shape, x.dtype)), y, beta).mean()

    return loss


def adversarial_nll(head: Gaussian | NaturalGaussian, reach: Float[Array, " inputs"]) -> Loss:
    """The mean of the likelihood at the inputs and at the inputs moved by `reach` in the worst direction of signs.

    Source: Lakshminarayanan, Pritzel & Blundell 2017, algorithm 1, with the fast gradient sign of Goodfellow et al.
    """

    def loss(model: HeadedMLP, batch: tuple[Array, Array], key: Key[Array, ""]) -> Float[Array, ""]:
        x, y = batch
        uphill = jax.grad(lambda x: head.nll(model.raw(x), y).sum())(x)
        worst = x + reach[None, :] * jnp.sign(jax.lax.stop_gradient(uphill))
        return 0.5 * (head.nll(model.raw(x), y) + head.nll(model.raw(worst), y)).mean()

    return loss


def fit_gaussian(
    key: Key[Array, ""],
    activation: Any,
    head: Gaussian | NaturalGaussian,
    split: Split,
    *,
    loss: Loss,
    hidden: tuple[int, ...],
    optimizer: optax.GradientTransformation,
    steps: int,
    batch_size: int,
) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """Trains one net on a split and predicts its test rows: a pure function, to be vmapped over keys and splits.

    Args:
        key: of the initialization, the batches and the loss.
        activation: of the hidden layers.
        head: gives mean and variance their meaning.
        split: standardized data.
        loss: such as `noisy_beta_nll(head)`.
        hidden: widths.
        optimizer: any optax transformation.
        steps: gradient steps.
        batch_size: rows of a minibatch.

    Returns:
        Mean and log variance of each test row, standardized.
    """
    model_key, fit_key = jax.random.split(key)
    model = HeadedMLP(split.x.shape[-1], hidden, activation, head, rngs=nnx.Rngs(model_key))
    graphdef, state = nnx.split(model)
    data = (jnp.asarray(split.x), jnp.asarray(split.y))
    fitted = fit(graphdef, state, data, fit_key, loss=loss, optimizer=optimizer, steps=steps, batch_size=batch_size)
    return head.moments(fitted.model().raw(jnp.asarray(split.x_test)))


def _with_array_leaves(head: Head) -> Head:
    """Parameters as arrays: Python floats would be static to NNX and retrace for each value."""
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(float)), head)
