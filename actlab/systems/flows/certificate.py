"""What a flow promises: its log-determinant before any event, and the error of a round trip from the slopes visited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.systems.flows.bijector import VectorBijector, checked, saturated
from actlab.systems.flows.stack import Stack

ROUNDINGS = 4
"""Rounding errors granted to a layer and its inverse, relative to the numbers that they handle."""

LINEAR = 1e-2
"""Errors up to here, in the units of the events, are taken to grow as the derivatives say, within a factor of 2."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RoundTrip:
    """Bounds of the Euclidean length of inverse(forward(x)) - x, and what they rest on; each of the batch's shape.

    Attributes:
        bound: the smaller of the two below that is valid; infinity where nothing is known.
        visited: from the Jacobians at the points that x visits. To first order, doubled; infinity beyond `LINEAR`.
        slopes: from the layers' bounds of slopes, whatever their Jacobians here are; infinity for couplings.
        condition: product of the norms of the whole Jacobian and of its inverse (Frobenius), at x.
    """

    bound: Any
    visited: Any
    slopes: Any
    condition: Any


def round_trip(bijector: VectorBijector, x: Any, condition: Any = None) -> RoundTrip:
    """Bounds of the error of a round trip in the dtype of x.

    Each layer, forward and back, errs by `ROUNDINGS` eps times the numbers that it handles, and the inverses of the
    layers before it magnify that: sum_l |J_1^-1 ... J_l^-1| error_l.

    Args:
        bijector: a vector bijector; the layers of a `Stack` are followed one by one, all else is one layer.
        x: events, (*batch, features). Costs a Jacobian a layer and event: for checking, not for training.
        condition: (conditions,) or (*batch, conditions).
    """
    x = checked(x, bijector.name)
    batch = x.shape[:-1]
    flat = saturated(x.reshape(-1, bijector.features))
    context = bijector._context(condition, batch, x.dtype)
    prepared = bijector.prepared()
    layers = prepared.layers if isinstance(prepared, Stack) else jax.tree.map(lambda leaf: leaf[None], prepared)
    gains = jax.vmap(lambda layer: jnp.asarray(layer.inverse_lipschitz, x.dtype))(layers)

    def of_event(x: Float[Array, " features"], context: Any) -> RoundTrip:
        return _follow(layers, gains, x, context)

    found = jax.vmap(of_event, in_axes=(0, None if context is None else 1))(flat, context)
    return jax.tree.map(lambda leaf: leaf.reshape(batch), found)


def _follow(layers: Any, gains: Array, x: Array, context: Any) -> RoundTrip:
    eps, column = jnp.finfo(x.dtype).eps, None if context is None else context[:, None]

    def body(carry: tuple, entering: Any) -> tuple[tuple, None]:
        x, jacobian, back, gain, visited, slopes = carry
        layer, more = entering

        def image(x: Array) -> Array:
            return layer.forward_columns(saturated(x)[:, None], column)[0][:, 0]

        y, here = image(x), jax.jacfwd(image)(x)
        further = jnp.matmul(back, jnp.linalg.inv(here), precision=jax.lax.Precision.HIGHEST)
        handled = jnp.linalg.norm(y) + jnp.linalg.norm(here) * (1 + jnp.linalg.norm(x))
        size = jnp.linalg.norm(x)
        visited = visited + jnp.linalg.norm(further) * handled + jnp.linalg.norm(back) * size
        slopes = slopes + gain * more * handled + gain * size
        product = jnp.matmul(here, jacobian, precision=jax.lax.Precision.HIGHEST)
        return (y, product, further, gain * more, visited, slopes), None

    one, zero = jnp.eye(x.shape[0], dtype=x.dtype), jnp.zeros((), x.dtype)
    start = (x, one, one, zero + 1, zero, zero)
    (_, jacobian, back, _, visited, slopes), _ = jax.lax.scan(body, start, (layers, gains))
    visited, slopes = (ROUNDINGS * eps * v for v in (visited, slopes))
    visited = jnp.where(visited <= LINEAR, 2 * visited, math.inf)
    slopes = jnp.where(jnp.isfinite(slopes), slopes, math.inf)
    condition = jnp.linalg.norm(jacobian) * jnp.linalg.norm(back)
    return RoundTrip(jnp.minimum(visited, slopes), visited, slopes, condition)
