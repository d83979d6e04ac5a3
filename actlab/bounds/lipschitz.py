"""Lipschitz constants of a whole network, everywhere: products of norms and slopes along its graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.definition import aligned
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network, Node
from actlab.bounds.rounding import full_precision, growth
from actlab.bounds.spectral import convolution_norm, spectral_norm

Norm = Literal["l2", "linf"]
DENSE = 2**22
"""The largest number of weights of a layer that is written out as a matrix."""


def lipschitz_bound(net: Network, norm: Norm = "l2") -> Float[Array, ""]:
    """An upper bound of |f(x) - f(y)| / |x - y| over all x and y, in the norm at both ends.

    l2: the product of each layer's spectral norm and each activation's largest slope; branches add.
    linf: the same with absolute row sums, carried output by output, which is never above the product.
    Infinite where an activation's slope is unbounded or unknown. Differentiable in the weights.

    Args:
        net: from `network`.
        norm: "l2" or "linf".
    """
    if norm == "linf":
        return jnp.max(coordinate_lipschitz(net))
    return node_lipschitz(net)[net.output]


def node_lipschitz(net: Network) -> list[Any]:
    """Of every node, an upper bound of its Lipschitz constant (l2) as a function of the input."""
    dtype = net.dtype
    found: list[Any] = [jnp.ones((), dtype)]
    with full_precision():
        for node in net.nodes[1:]:
            shapes = [net.nodes[i].shape for i in node.inputs]
            parts = [found[i] for i in node.inputs]
            operation = node.operation
            if isinstance(operation, Elementwise):
                found.append(parts[0] * jnp.max(jnp.asarray(operation.facts.lipschitz(), dtype)))
            elif isinstance(operation, Maximum):
                found.append(parts[0] * math.sqrt(operation.overlap))
            else:
                norms = layer_norms(node, shapes, dtype)
                found.append(sum(n * p for n, p in zip(norms, parts, strict=True)))
    few = 1 + 8 * len(net.nodes) * float(jnp.finfo(dtype).eps)
    return [v * few for v in found]


def coordinate_lipschitz(net: Network) -> Float[Array, "*output"]:
    """For each output, a bound of its change per unit of linf distance."""
    found: list[Any] = [jnp.ones(net.input_shape, net.dtype)]
    with full_precision():
        for node in net.nodes[1:]:
            parts = [found[i] for i in node.inputs]
            operation = node.operation
            if isinstance(operation, Elementwise):
                found.append(parts[0] * aligned(operation.facts.lipschitz(), parts[0]))
            elif isinstance(operation, Maximum):
                found.append(operation.function(parts[0]))
            else:
                assert isinstance(operation, Affine)
                found.append(operation.absolute(*parts) * (1 + growth(operation.terms, net.dtype)))
    return found[net.output]


def layer_norms(node: Node, shapes: list[tuple[int, ...]], dtype: Any) -> list[Any]:
    """Of an affine node, an upper bound of its spectral norm as a map of each of its inputs."""
    operation = node.operation
    assert isinstance(operation, Affine)
    return [_layer_norm(operation, shapes, k, node.shape, dtype) for k in range(len(shapes))]


def _layer_norm(operation: Affine, shapes: list[tuple[int, ...]], k: int, out: tuple[int, ...], dtype: Any) -> Any:
    def alone(function: Callable[..., Array]) -> Callable[[Array], Array]:
        return lambda x: function(*(x if i == k else jnp.zeros(s, dtype) for i, s in enumerate(shapes)))

    ones = jnp.ones(shapes[k], dtype)
    rows, back = jax.vjp(alone(operation.absolute), ones)
    columns = back(jnp.ones(out, dtype))[0]
    few = 1 + growth(max(operation.terms, math.prod(out)), dtype)
    simple = jnp.sqrt(_safe(jnp.max(rows) * jnp.max(columns))) * few  # Schur: ||W||^2 <= ||W||_1 ||W||_inf
    if operation.terms <= 1 or len(shapes) > 1:
        return simple
    count = math.prod(shapes[k])
    if operation.convolution is not None and count * math.prod(out) > DENSE // 64:
        layer = operation.convolution
        return jnp.minimum(simple, convolution_norm(layer.kernel, layer.shape, layer.strides))
    if count * math.prod(out) > DENSE:
        return simple
    basis = jnp.eye(count, dtype=dtype).reshape(count, *shapes[k])
    matrix = jax.vmap(alone(operation.linear))(basis).reshape(count, -1)
    return jnp.minimum(simple, spectral_norm(matrix))


def _safe(value: Array) -> Array:
    """Above 0, where the square root has a derivative."""
    return jnp.maximum(value, jnp.finfo(value.dtype).tiny)
