"""Whether a map depends on what a net has learned: its layers drawn anew from the last to the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from actlab.systems.saliency.maps import rank_correlation


def cascading_randomization(
    explain: Callable[[Any, Array], Array], parameters: Any, x: Float[Array, "batch *shape"], key: Key[Array, ""]
) -> Float[Array, "kernels batch"]:
    """Spearman's correlation of the map with that of the net, as kernels are permuted from the last layer on.

    A permutation keeps every kernel's distribution of weights, so that only what was learned is lost. A method that
    stays near 1 explains the input, not the net.

    Args:
        explain: (parameters, x) -> maps; of an NNX module `nnx.merge(graphdef, parameters)` is the net.
        parameters: a pytree, such as `nnx.state(model)`; its leaves of at least two axes are the kernels, from the
            first layer to the last.
        x: examples.
        key: of the permutations.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 4 (cascading randomization).
    """
    own = explain(parameters, x)
    leaves, treedef = jax.tree.flatten(parameters)
    kernels = [i for i, leaf in enumerate(leaves) if jnp.ndim(leaf) >= 2]
    found = []
    for count, index in enumerate(reversed(kernels)):
        leaf = leaves[index]
        shuffled = jax.random.permutation(jax.random.fold_in(key, count), leaf.reshape(-1))
        leaves[index] = shuffled.reshape(leaf.shape)
        found.append(rank_correlation(own, explain(jax.tree.unflatten(treedef, leaves), x)))
    return jnp.stack(found)
