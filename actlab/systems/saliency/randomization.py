"""Whether a map depends on what a net has learned: its layers drawn anew from the last to the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.systems.saliency.maps import rank_correlation


def cascading_randomization(
    explain: Callable[[Any, Array], Array], model: Any, x: Float[Array, "batch *shape"], key: Key[Array, ""]
) -> Float[Array, "kernels batch"]:
    """Spearman's correlation of the map with that of the net, as kernels are permuted from the last layer on.

    A permutation keeps every kernel's distribution of weights, so that only what was learned is lost. A method that
    stays near 1 explains the input, not the net.

    Args:
        explain: (model, x) -> maps.
        model: an NNX module whose kernels are parameters of at least two axes, in the order of its layers.
        x: examples.
        key: of the permutations.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 4 (cascading randomization).
    """
    own = explain(model, x)
    graphdef, state = nnx.split(model)
    leaves, treedef = jax.tree.flatten(state)
    kernels = [i for i, leaf in enumerate(leaves) if jnp.ndim(leaf) >= 2]
    found = []
    for count, index in enumerate(reversed(kernels)):
        leaf = leaves[index]
        shuffled = jax.random.permutation(jax.random.fold_in(key, count), leaf.reshape(-1))
        leaves[index] = shuffled.reshape(leaf.shape)
        changed = nnx.merge(graphdef, jax.tree.unflatten(treedef, leaves))
        found.append(rank_correlation(own, explain(changed, x)))
    return jnp.stack(found)
