"""Lipschitz constants of a network on a box: from the slopes that its activations take there."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations import FactError, Interval
from actlab.bounds.enclosure import known_unbounded, slopes_over
from actlab.bounds.errors import UnsupportedLayerError
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network
from actlab.bounds.interval_propagation import affine_interval, centred, checked_box
from actlab.bounds.linear_propagation import Intermediate, relaxation
from actlab.bounds.lipschitz import Norm
from actlab.bounds.rounding import full_precision
from actlab.bounds.spectral import spectral_norm


def jacobian_bounds(net: Network, box: Interval, *, intermediate: Intermediate = "linear") -> Interval:
    """Bounds of every entry of the Jacobian (Clarke's, at kinks) at every point of a box.

    Each activation's slope is enclosed on its own interval; an interval matrix is pushed through the layers.

    Args:
        net: from `network`; without maximum pools.
        box: ends of the shape of one example.
        intermediate: how the activations' inputs are bounded, as in `linear_bounds`.

    Returns:
        Ends of shape (inputs, *output): the derivative by each input.

    Raises:
        FactError: an activation jumps, or its slope is not known to be bounded.
        UnsupportedLayerError: a maximum pool.
    """
    checked_box(net, box)
    size = math.prod(net.input_shape)
    with full_precision():
        nodes, _ = relaxation(net, box, intermediate=intermediate)
        eye = jnp.eye(size, dtype=net.dtype).reshape(size, *net.input_shape)
        found = [Interval(eye, eye)]
        for node in net.nodes[1:]:
            parts, operation = [found[i] for i in node.inputs], node.operation
            if isinstance(operation, Maximum):
                raise UnsupportedLayerError("jacobian_bounds: a maximum pool; average pooling has bounds")
            if isinstance(operation, Elementwise):
                if known_unbounded(operation.facts.lipschitz()):
                    raise FactError(
                        f"jacobian_bounds: {operation.activation!r} jumps or has no known bound of its slope; "
                        "bounded_slope(f, lower=..., upper=...) has"
                    )
                slopes = slopes_over(operation.activation, operation.facts, nodes[node.inputs[0]])
                found.append(_times(parts[0], slopes))
            else:
                assert isinstance(operation, Affine)
                linear = _without_offset(operation)
                found.append(jax.vmap(lambda *p, linear=linear: affine_interval(linear, list(p), True))(*parts))
        return found[net.output]


def _without_offset(operation: Affine) -> Affine:
    return Affine(operation.linear, operation.absolute, None, operation.terms, operation.monotone, operation.largest)


def _times(rows: Interval, slopes: Interval) -> Interval:
    """Products of intervals, rounded outward."""
    pairs = [a * b for a in (rows.lower, rows.upper) for b in (slopes.lower[None], slopes.upper[None])]
    low, high = jnp.min(jnp.stack(pairs), axis=0), jnp.max(jnp.stack(pairs), axis=0)
    info = jnp.finfo(low.dtype)
    few, tiny = 2 * float(info.eps), 2 * float(info.tiny)
    return Interval(low - few * jnp.abs(low) - tiny, high + few * jnp.abs(high) + tiny)


def local_lipschitz_bound(
    net: Network, box: Interval, norm: Norm = "l2", *, intermediate: Intermediate = "linear"
) -> Float[Array, ""]:
    """An upper bound of |f(x) - f(y)| / |x - y| over all x and y of a box, in the norm at both ends.

    Never above the global constant by more than rounding where activations are active everywhere, and far below it
    where they are saturated. Differentiable; vmap over boxes.

    Args:
        net: from `network`.
        box: ends of the shape of one example.
        norm: "l2" or "linf".
        intermediate: as in `linear_bounds`.

    Raises:
        FactError: an activation without a bounded slope.
        UnsupportedLayerError: a maximum pool.
    """
    entries = jacobian_bounds(net, box, intermediate=intermediate)
    lower, upper = (v.reshape(v.shape[0], -1) for v in (entries.lower, entries.upper))
    few = 1 + 8 * (lower.shape[0] + 8) * float(jnp.finfo(lower.dtype).eps)
    size = jnp.maximum(jnp.abs(lower), jnp.abs(upper))
    if norm == "linf":
        return jnp.max(jnp.sum(size, axis=0)) * few
    centre, radius = centred(Interval(lower, upper))
    apart = spectral_norm(centre) + spectral_norm(radius)
    return jnp.minimum(apart, spectral_norm(size)) * few
