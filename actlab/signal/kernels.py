"""Kernels of infinitely wide nets: the Gaussian process at initialization (NNGP) and the tangent kernel (NTK)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Float

from actlab.activations import Activation
from actlab.signal.dual import dual


class Kernels(NamedTuple):
    """Two kernels on the same inputs, each of shape (n, n).

    Attributes:
        nngp: covariance of the outputs of the random net.
        ntk: inner products of the outputs' gradients by all weights and biases, in the NTK parametrization.
    """

    nngp: Any
    ntk: Any


def kernels(
    activation: Activation,
    inputs: Float[Any, "n d"],
    depth: int,
    weight_variance: float = 1.0,
    bias_variance: float = 0.0,
) -> Kernels:
    """The kernels of a plain net with `depth` hidden layers and one linear output.

        K_0 = x x' / d,  K_1 = weight_variance K_0 + bias_variance,  T_1 = K_1,
        K_(l+1) = weight_variance E[f(u) f(v)] + bias_variance,  T_(l+1) = K_(l+1) + weight_variance E[f'(u) f'(v)] T_l

    with (u, v) ~ N(0, K_l). In float64 where everything is concrete. Each pair is a two-dimensional integral, a few
    milliseconds a layer: for tens of inputs, not thousands.

    Args:
        activation: scalar, with number parameters and known kinks.
        inputs: shape (n, d), no row zero unless there are biases.
        depth: hidden layers, at least 1.
        weight_variance: of the weights, times fan_in.
        bias_variance: of the biases.

    Raises:
        ValueError: fewer than one hidden layer, or a row of zeros without biases.
        QuadratureError: as for `dual`.

    Source: Lee et al. 2018, "Deep neural networks as Gaussian processes", eq. 5; Jacot et al. 2018, "Neural tangent
    kernel", theorem 1.
    """
    if depth < 1:
        raise ValueError(f"kernels: depth = {depth} must be at least 1; without a hidden layer both are linear")
    traced = any(isinstance(leaf, Tracer) for leaf in (*jax.tree.leaves(activation), inputs, weight_variance))
    xp: Any = jnp if traced or isinstance(bias_variance, Tracer) else np
    x = jnp.asarray(inputs) if xp is jnp else np.asarray(inputs, np.float64)
    nngp = weight_variance * (x @ x.T) / x.shape[1] + bias_variance
    ntk = nngp
    for _ in range(depth):
        value, slope = _layer(xp, activation, nngp)
        nngp = weight_variance * value + bias_variance
        ntk = nngp + weight_variance * slope * ntk
    return Kernels(nngp, ntk)


def _layer(xp: Any, activation: Activation, nngp: Any) -> tuple[Any, Any]:
    """The dual activation of every pair, each once; a row with itself has correlation exactly 1."""
    i, j = np.triu_indices(nngp.shape[0])
    variances = xp.diagonal(nngp)
    p, q = variances[i], variances[j]
    correlation = xp.where(i == j, 1.0, xp.clip(nngp[i, j] / xp.sqrt(p * q), -1.0, 1.0))
    found = dual(activation, p, q, correlation)
    place = np.zeros(nngp.shape, int)
    place[i, j] = place[j, i] = np.arange(i.size)
    return found.value[place], found.slope[place]
