"""The infinitely wide graph net: covariances of its nodes from layer to layer, and the depth at which they collapse."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.activations import Activation
from actlab.data.sparse import Sparse
from actlab.signal.quadrature import trapezoid

DEGREES = 24
"""Hermite polynomials resolved one by one; what lies above is carried by one power."""
REACH, POINTS = 9.0, 721
"""Of the trapezoidal rule over the Gaussian."""


def dual(activation: Activation, covariance: Float[Array, "nodes nodes"]) -> Float[Array, "nodes nodes"]:
    """E[f(u_i) f(u_j)] for u ~ N(0, covariance), all pairs at once.

    With a_n(q) the Hermite coefficients of t -> f(sqrt(q) t), this is sum_n a_n(q_i) a_n(q_j) rho_ij^n. Degrees from
    `DEGREES` up are lumped into one power of rho, chosen such that value and slope at rho = 1 are exact: E[f^2] and
    q E[f'^2], which decide whether correlations grow or shrink near collapse.

    Source: Daniely, Frostig & Singer 2016, arXiv:1602.05897, section 4 (dual activations).
    """
    t, weights = trapezoid(POINTS, REACH)
    variances = jnp.maximum(jnp.diagonal(covariance), 1e-30)
    scale = jnp.sqrt(variances)
    z = scale[:, None] * t[None]
    f, slope = activation(z), scale[:, None] * activation.slope(z)
    coefficients = (f * weights[None]) @ _hermite(t).T  # (nodes, degrees)
    second, slope_second = (jnp.square(f) @ weights, jnp.square(slope) @ weights)
    degrees = jnp.arange(DEGREES, dtype=t.dtype)
    rest = jnp.maximum(second - jnp.sum(jnp.square(coefficients), 1), 0.0)
    rest_slope = jnp.maximum(slope_second - jnp.square(coefficients) @ degrees, 0.0)
    power = jnp.maximum(rest_slope / jnp.maximum(rest, 1e-30), float(DEGREES))

    rho = jnp.clip(covariance / (scale[:, None] * scale[None]), -1.0, 1.0)

    def horner(total: Array, column: Array) -> tuple[Array, None]:
        return total * rho + column[:, None] * column[None], None

    total, _ = jax.lax.scan(horner, jnp.zeros_like(rho), coefficients.T[::-1])
    exponent = jnp.sqrt(power[:, None] * power[None])
    magnitude = jnp.exp(exponent * jnp.log(jnp.maximum(jnp.abs(rho), 1e-30)))
    tail = jnp.sqrt(rest[:, None] * rest[None]) * jnp.where(rho > 0, magnitude, 0.0)
    return jnp.where(jnp.eye(rho.shape[0], dtype=bool), second[:, None], total + tail)


def kernel_spread(
    activation: Activation,
    operator: Sparse,
    start: Float[Array, "nodes nodes"],
    weights: Float[Array, " nodes"],
    *,
    weight_variance: float,
    bias_variance: float,
    depth: int,
) -> tuple[Float[Array, " layers"], Float[Array, " layers"]]:
    """Predicts variance between nodes, and mean square, of a channel's preactivations, in the limit of wide layers.

    K_(l+1) = weight_variance P E[f f^T] P^T + bias_variance: the covariance of preactivations over random weights of
    that variance (times 1 / width) and biases.

    Args:
        activation: f.
        operator: P.
        start: K_1, such as that of a linear first layer, P X X^T P^T / features.
        weights: of the nodes' mean, summing to 1: `graph.stationary()` for the walk.
        weight_variance: sigma_w^2.
        bias_variance: sigma_b^2.
        depth: layers after the first.

    Returns:
        (between, total), each (depth + 1,): weighted variance over nodes and weighted mean square.

    Source: Epping et al. 2024, arXiv:2406.02269 (the Gaussian process of a wide graph convolutional net).
    """

    def measured(k: Array) -> tuple[Array, Array]:
        total = weights @ jnp.diagonal(k)
        return total - weights @ k @ weights, total

    def layer(k: Array, _: Any) -> tuple[Array, tuple[Array, Array]]:
        smooth = operator @ (operator @ dual(activation, k)).T
        k = weight_variance * (smooth + smooth.T) / 2 + bias_variance
        return k, measured(k)

    _, (between, total) = jax.lax.scan(layer, start, length=depth)
    first = measured(start)
    return jnp.concatenate([first[0][None], between]), jnp.concatenate([first[1][None], total])


def collapse_depth(relative: Any, threshold: float) -> np.ndarray:
    """The depth at which each curve first falls below the threshold, interpolated in the logarithm; else inf.

    Args:
        relative: (..., layers), variance between nodes over mean square, from depth 0.
        threshold: what counts as collapsed.
    """
    relative = np.asarray(relative, np.float64)
    below = relative < threshold
    first = below.argmax(-1)
    last = np.maximum(first - 1, 0)
    logs = np.log(np.maximum(relative, 1e-300))
    after, before = (np.take_along_axis(logs, i[..., None], -1)[..., 0] for i in (first, last))
    part = np.where(before > after, (before - math.log(threshold)) / np.where(before > after, before - after, 1.0), 0.0)
    return np.where(below.any(-1), np.where(first == 0, 0.0, last + part), np.inf)


def _hermite(t: Float[Array, " points"]) -> Float[Array, "degrees points"]:
    """The normalized probabilists' polynomials h_0 to h_(DEGREES - 1), orthonormal under N(0, 1)."""
    rows = [jnp.ones_like(t), t]
    for n in range(1, DEGREES - 1):
        rows.append((t * rows[n] - math.sqrt(n) * rows[n - 1]) / math.sqrt(n + 1))
    return jnp.stack(rows)
