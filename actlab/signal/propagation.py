"""What theory predicts of a random net's gradients, layer by layer, and what a random net of finite width does."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations import Activation
from actlab.signal.quadrature import QuadratureError, gaussian_means
from actlab.signal.trainability import gradient_path


class Growth(NamedTuple):
    """What finite random nets did.

    Attributes:
        gradient: log of the squared gradient norm's factor per layer, backward; shape (nets,).
        variance: mean square of the last layer's preactivations; shape (nets,).
        by_layer: the log of that factor from preactivations h_(l+1) to h_l; shape (nets, depth).
    """

    gradient: Array
    variance: Array
    by_layer: Array


def predicted_gradient_growth(
    activation: Activation, weight_variance: float, bias_variance: float, *, start: float, depth: int
) -> float:
    """The mean of log chi_1(q_l) over the layers l = 0 ... depth - 1, with q_0 = start and q_(l+1) = V(q_l).

    Raises:
        QuadratureError: the variance leaves float64.
    """
    growth = gradient_path(activation, weight_variance, bias_variance, start=start, depth=depth).growth[-1] / depth
    if not math.isfinite(growth):
        raise QuadratureError(
            f"{activation.name} with weight variance {weight_variance:g}: the variance of preactivations leaves "
            f"float64 within {depth} layers"
        )
    return float(growth)


@functools.partial(jax.jit, static_argnames=("width", "depth", "nets"))
def gradient_growth(
    key: Array,
    activation: Activation,
    weight_variance: Any,
    bias_variance: Any,
    *,
    start: Any,
    width: int = 400,
    depth: int = 30,
    nets: int = 6,
) -> Growth:
    """One random input and one random output gradient through each of some random nets of equal width.

    h_(l+1) = W_l f(h_l) + b_l with h_0 ~ N(0, start); then d_l = f'(h_l) * W_l^T d_(l+1), d_depth ~ N(0, 1). Both
    passes are scans over the layers; the draws do not depend on the variances, so a vmap over those shares them.

    Args:
        key: for weights, biases, input and output gradient.
        activation: scalar.
        weight_variance: of the weights, times fan_in.
        bias_variance: of the biases.
        start: variance of the first preactivations.
        width: of every layer.
        depth: layers.
        nets: how many, vmapped.
    """
    grown = jax.vmap(lambda k: _one_net(k, activation, weight_variance, bias_variance, start, width, depth))
    return grown(jax.random.split(key, nets))


def _one_net(
    key: Array, activation: Activation, weight_variance: Any, bias_variance: Any, start: Any, width: int, depth: int
) -> Growth:
    k_input, k_weights, k_biases, k_gradient = jax.random.split(key, 4)
    weights = jax.random.normal(k_weights, (depth, width, width))  # scaled where used: drawn once for all variances
    biases = jax.random.normal(k_biases, (depth, width)) * jnp.sqrt(bias_variance)
    scale = jnp.sqrt(weight_variance / width)

    def forward(h: Array, layer: tuple[Array, Array]) -> tuple[Array, Array]:
        w, b = layer
        return scale * (w @ activation(h)) + b, h

    def backward(d: Array, layer: tuple[Array, Array]) -> tuple[Array, Array]:
        w, h = layer
        after = scale * activation.slope(h) * (d @ w)
        size = jnp.sum(after**2)
        return after / jnp.sqrt(size), jnp.log(size)  # normalized at each layer, so that nothing over- or underflows

    last, h = jax.lax.scan(forward, jnp.sqrt(start) * jax.random.normal(k_input, (width,)), (weights, biases))
    d = jax.random.normal(k_gradient, (width,))
    _, logs = jax.lax.scan(backward, d / jnp.linalg.norm(d), (weights, h), reverse=True)
    return Growth(jnp.mean(logs), jnp.mean(last**2), logs)


def jacobian_spread(activation: Activation, q: float, depth: int, *, orthogonal: bool) -> float:
    """The variance of the squared singular values of the input-output Jacobian over the square of their mean.

    depth (E[f'^4] / E[f'^2]^2 - 1) with orthogonal weights, depth more with Gaussian ones. 0 is dynamical isometry: a
    bounded f approaches it by a small q, a rectifier never.

    Args:
        activation: scalar.
        q: variance of preactivations.
        depth: layers.
        orthogonal: weights are orthogonal matrices times a constant, instead of Gaussian ones.

    Source: Pennington, Schoenholz & Ganguli 2017, "Resurrecting the sigmoid", eq. 22.
    """
    fourth, second = gaussian_means(activation, ("slope_fourth", "slope_second"), 0.0, math.sqrt(q))
    return depth * (float(fourth) / float(second) ** 2 - (1.0 if orthogonal else 0.0))
