"""A chain cut at its sorts, which are exact, monotone in every entry and 1-Lipschitz in every norm; constants by parts.

`actlab.bounds` writes MaxMin with ReLU, x - relu(x - y), whose intervals and constants are wider than the sort's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp

from actlab.activations.vector import GroupSort
from actlab.bounds import lipschitz_bound, network
from actlab.nets import Chain, Sequence
from actlab.systems.robustness.attack import Norm


def segments(layers: list[Any]) -> Iterator[tuple[Sequence | None, Any]]:
    """Runs of layers, None for an empty one, and the sort that follows each; None after the last."""
    run: list[Any] = []
    for layer in layers:
        if isinstance(getattr(layer, "activation", None), GroupSort):
            yield (Sequence(run) if run else None), layer
            run = []
        else:
            run.append(layer)
    yield (Sequence(run) if run else None), None


def features_lipschitz(net: Chain, shape: tuple[int, ...], norm: Norm = "l2") -> float:
    """A bound of the Lipschitz constant of everything before the last layer, for inputs of this shape."""
    return _constant(list(net.layers)[:-1], shape, norm)


def net_lipschitz(net: Chain, shape: tuple[int, ...], norm: Norm) -> float:
    """A bound of the whole net's Lipschitz constant."""
    return _constant(list(net.layers), shape, norm)


def _constant(layers: list[Any], shape: tuple[int, ...], norm: Norm) -> float:
    product, example = 1.0, jnp.zeros((1, *shape))
    for run, _ in segments(layers):
        if run is not None:
            product *= float(lipschitz_bound(network(run, example.shape[1:]), norm)) * (1 + 1e-12)
            example = run(example)
    return product
