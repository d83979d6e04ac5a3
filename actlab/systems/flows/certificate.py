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
    return jax.tree.map(lambda leaf: leaf[-1], round_trip_by_depth(bijector, x, condition))


def round_trip_by_depth(bijector: VectorBijector, x: Any, condition: Any = None) -> RoundTrip:
    """`round_trip` of the first 1, 2, ... layers: leaves of shape (depth, *batch)."""
    x, context, layers = _laid_out(bijector, x, condition)
    batch = x.shape[:-1]
    gains = jax.vmap(lambda layer: jnp.asarray(layer.inverse_lipschitz, x.dtype))(layers)

    def of_event(x: Float[Array, " features"], context: Any) -> RoundTrip:
        return _follow(layers, gains, x, context)

    flat = x.reshape(-1, bijector.features)
    found = jax.vmap(of_event, in_axes=(0, None if context is None else 1), out_axes=1)(flat, context)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *batch), found)


def round_trip_error_by_depth(bijector: VectorBijector, x: Any, condition: Any = None) -> Float[Array, "depth *batch"]:
    """The length of inverse(forward(x)) - x of the first 1, 2, ... layers as executed, in the dtype of x."""
    x, context, layers = _laid_out(bijector, x, condition)
    columns = x.reshape(-1, bijector.features).T

    def onward(x: Array, layer: Any) -> tuple[Array, Array]:
        y = layer.forward_columns(saturated(x), context)[0]
        return y, y

    _, images = jax.lax.scan(onward, columns, layers)
    numbers = jnp.arange(images.shape[0])

    def back(y: Array, last: Array) -> Array:
        def undo(y: Array, numbered: tuple) -> tuple[Array, None]:
            layer, number = numbered
            return jnp.where(number <= last, layer.inverse_columns(saturated(y), context)[0], y), None

        return jax.lax.scan(undo, y, (layers, numbers), reverse=True)[0]

    errors = jnp.linalg.norm(jax.lax.map(lambda end: back(*end), (images, numbers)) - columns[None], axis=1)
    return errors.reshape(-1, *x.shape[:-1])


def _laid_out(bijector: VectorBijector, x: Any, condition: Any) -> tuple[Array, Array | None, Any]:
    """Events inside their limits, the conditions as columns, and the prepared layers along a leading axis."""
    x = saturated(checked(x, bijector.name))
    context = bijector._context(condition, x.shape[:-1], x.dtype)
    prepared = bijector.prepared()
    layers = prepared.layers if isinstance(prepared, Stack) else jax.tree.map(lambda v: jnp.asarray(v)[None], prepared)
    return x, context, layers


def _follow(layers: Any, gains: Array, x: Array, context: Any) -> RoundTrip:
    eps, column = jnp.finfo(x.dtype).eps, None if context is None else context[:, None]

    def bounds(jacobian: Array, back: Array, visited: Array, slopes: Array) -> RoundTrip:
        visited, slopes = (ROUNDINGS * eps * v for v in (visited, slopes))
        visited = jnp.where(visited <= LINEAR, 2 * visited, math.inf)
        slopes = jnp.where(jnp.isfinite(slopes), slopes, math.inf)
        condition = jnp.linalg.norm(jacobian) * jnp.linalg.norm(back)
        return RoundTrip(jnp.minimum(visited, slopes), visited, slopes, condition)

    def body(carry: tuple, entering: Any) -> tuple[tuple, RoundTrip]:
        x, jacobian, back, gain, visited, slopes = carry
        layer, more = entering

        def image(x: Array) -> Array:
            return layer.forward_columns(saturated(x)[:, None], column)[0][:, 0]

        y, here = image(x), jax.jacfwd(image)(x)
        further = jnp.matmul(back, jnp.linalg.inv(here), precision=jax.lax.Precision.HIGHEST)
        size = jnp.linalg.norm(x)
        handled = jnp.linalg.norm(y) + jnp.linalg.norm(here) * (1 + size)
        visited = visited + jnp.linalg.norm(further) * handled + jnp.linalg.norm(back) * size
        slopes = slopes + gain * more * handled + gain * size
        product = jnp.matmul(here, jacobian, precision=jax.lax.Precision.HIGHEST)
        return (y, product, further, gain * more, visited, slopes), bounds(product, further, visited, slopes)

    one, zero = jnp.eye(x.shape[0], dtype=x.dtype), jnp.zeros((), x.dtype)
    start = (x, one, one, zero + 1, zero, zero)
    return jax.lax.scan(body, start, (layers, gains))[1]
