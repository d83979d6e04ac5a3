"""The law of collapse without weights: variance over nodes shrinks by rho_l f'(mu_l)^2 a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import Activation
from actlab.data.graph import Graph

ROUNDING_FLOOR = 1e-27
"""Variances of values near 1 below this are rounding in float64; in float32 below 1e-11."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Collapse:
    """Per-layer factors by which the variance over nodes changes, layer 1 first.

    Attributes:
        predicted: rho_l f'(mu_l)^2, known before the net is run: rho_l of the field smoothed without an activation,
            mu_(l+1) = f(mu_l).
        measured: of the net x -> f(P x).
        variances: after each layer, measured; judge only those above the rounding floor.
    """

    predicted: Any
    measured: Any
    variances: Any


def variance_law(activation: Activation, graph: Graph, field: Float[Array, " nodes"], depth: int) -> Collapse:
    """The predicted and the measured factors, for the walk P = D^-1 (A + I) and its stationary weights.

    The walk keeps the weighted mean, so that Var(f(P x)) = rho f'(mu)^2 Var(x) + O(Var^(3/2)), rho = Var(P x) / Var(x).
    The graph should be connected, and float64 enabled for more than a few layers.

    Args:
        activation: f, smooth at the means it meets.
        graph: with its links.
        field: one number a node, nearly constant.
        depth: layers.

    Source: the linear part is that of Oono & Suzuki 2020, arXiv:1905.10947, theorem 2, with f' in place of its bound.
    """
    walk, weights = graph.walk(), graph.stationary()

    def variance(x: Array) -> Array:
        return weights @ jnp.square(x - weights @ x)

    def layer(carry: tuple[Array, Array, Array], _: Any) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
        x, linear, mean = carry
        smooth, y = (walk @ linear[:, None])[:, 0], activation((walk @ x[:, None])[:, 0])
        predicted = variance(smooth) / variance(linear) * jnp.square(activation.slope(mean))
        return (y, smooth, activation(mean)), (predicted, variance(y) / variance(x), variance(y))

    return Collapse(*jax.lax.scan(layer, (field, field, weights @ field), length=depth)[1])
