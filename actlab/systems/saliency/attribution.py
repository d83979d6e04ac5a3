"""What each input contributes to a score: by gradients, and by integrals of gradients along a line to a baseline.

A score maps a batch (batch, *shape) to one number an example, each by itself: `class_score` makes one of a classifier's
logits. All functions are pure, differentiable where the score is, and run under jit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

Score = Callable[[Float[Array, "batch *shape"]], Float[Array, " batch"]]


class SaliencyError(ValueError):
    """A request that cannot be met; the message names the argument, its value and the remedy."""


def class_score(model: Callable[[Array], Array], labels: Int[Array, " batch"]) -> Score:
    """The logit of each example's class. Logits, not probabilities: a saturated softmax has no slope to explain.

    Args:
        model: (batch, *shape) -> (batch, classes).
        labels: the class explained, for each example of the batch; it repeats for a batch that is a multiple.
    """

    def score(x: Array) -> Array:
        logits = model(x)
        repeated = jnp.tile(labels, logits.shape[0] // labels.shape[0])
        return jnp.take_along_axis(logits, repeated[:, None], axis=1)[:, 0]

    return score


def gradient(score: Score, x: Float[Array, "batch *shape"]) -> Float[Array, "batch *shape"]:
    """The gradient of each example's score: Simonyan et al. 2014, arXiv:1312.6034."""
    return jax.grad(lambda x: jnp.sum(score(x)))(x)


def input_times_gradient(score: Score, x: Float[Array, "batch *shape"]) -> Float[Array, "batch *shape"]:
    """X times the gradient; sums to the score for a net without biases of a positively homogeneous activation."""
    return x * gradient(score, x)


def integrated_gradients(
    score: Score, x: Float[Array, "batch *shape"], baseline: Any = 0.0, *, nodes: int = 16
) -> Float[Array, "batch *shape"]:
    """(x - baseline) times the mean gradient along the line between, by Gauss-Legendre quadrature.

    Its error falls exponentially with `nodes` for analytic activations, and as a low power of it for kinked ones: there
    `exact_integrated_gradients` has none.

    Args:
        score: of a batch.
        x: examples.
        baseline: where nothing is present; broadcast to x.
        nodes: gradients taken for each example.

    Raises:
        SaliencyError: no node.

    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, eq. 1.
    """
    if nodes < 1:
        raise SaliencyError(f"integrated_gradients: nodes = {nodes} must be at least 1")
    baseline = jnp.broadcast_to(jnp.asarray(baseline, x.dtype), x.shape)
    points, weights = np.polynomial.legendre.leggauss(nodes)
    at, share = jnp.asarray(0.5 * (points + 1), x.dtype), jnp.asarray(0.5 * weights, x.dtype)

    def add(total: Array, node: tuple[Array, Array]) -> tuple[Array, None]:
        t, w = node
        return total + w * gradient(score, baseline + t * (x - baseline)), None

    return (x - baseline) * jax.lax.scan(add, jnp.zeros_like(x), (at, share))[0]


def smooth_gradient(
    score: Score, x: Float[Array, "batch *shape"], key: Key[Array, ""], *, deviation: Any = 0.15, samples: int = 50
) -> Float[Array, "batch *shape"]:
    """The mean gradient under Gaussian noise: the gradient of the score smoothed by it.

    Of one layer of ReLUs it is the gradient with the gate Phi(z / s) in place of the step, s the deviation of z.

    Args:
        score: of a batch.
        x: examples.
        key: of the noise.
        deviation: of the noise, in units of x.
        samples: noisy gradients for each example.

    Raises:
        SaliencyError: no sample.

    Source: Smilkov et al. 2017, arXiv:1706.03825.
    """
    if samples < 1:
        raise SaliencyError(f"smooth_gradient: samples = {samples} must be at least 1")

    def add(total: Array, key: Array) -> tuple[Array, None]:
        return total + gradient(score, x + deviation * jax.random.normal(key, x.shape, x.dtype)), None

    return jax.lax.scan(add, jnp.zeros_like(x), jax.random.split(key, samples))[0] / samples


def expected_gradients(
    score: Score,
    x: Float[Array, "batch *shape"],
    baselines: Float[Array, "rows *shape"],
    key: Key[Array, ""],
    *,
    samples: int = 200,
) -> Float[Array, "batch *shape"]:
    """Integrated gradients averaged over baselines from data: one random baseline and one random point a sample.

    Args:
        score: of a batch.
        x: examples.
        baselines: rows to draw from.
        key: of baselines and points.
        samples: for each example.

    Raises:
        SaliencyError: no sample.

    Source: Erion et al. 2021, arXiv:1906.10670, eq. 3.
    """
    if samples < 1:
        raise SaliencyError(f"expected_gradients: samples = {samples} must be at least 1")

    def add(total: Array, key: Array) -> tuple[Array, None]:
        of_row, of_point = jax.random.split(key)
        start = baselines[jax.random.randint(of_row, (x.shape[0],), 0, baselines.shape[0])]
        t = jax.random.uniform(of_point, (x.shape[0], *(1,) * (x.ndim - 1)), x.dtype)
        return total + (x - start) * gradient(score, start + t * (x - start)), None

    return jax.lax.scan(add, jnp.zeros_like(x), jax.random.split(key, samples))[0] / samples
