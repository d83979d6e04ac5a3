"""Do the tasks' gradients agree: their cosines, and how often they point against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.systems.continual.classifier import Classifier
from actlab.systems.continual.error import ContinualError
from actlab.systems.continual.learner import batch_of
from actlab.systems.continual.model import Parameters
from actlab.systems.continual.streams import Stream


class Interference(NamedTuple):
    """Over pairs of gradients.

    Attributes:
        cosine: mean.
        conflict: share of pairs with a negative inner product.
    """

    cosine: Any
    conflict: Any


def gradient_products(
    classifier: Classifier, stream: Stream, rows: int
) -> Callable[[Parameters, Any], Float[Array, "tasks tasks"]]:
    """An observer for `learn`: inner products of all tasks' gradients at the same parameters.

    Args:
        classifier: net and heads.
        stream: of the run.
        rows: examples of each task behind its gradient, the same at every observation: the first in the stream's order.

    Raises:
        ContinualError: more rows than a task has.
    """
    if not 1 <= rows <= stream.length:
        raise ContinualError(f"gradient_products: rows = {rows} must be 1 to {stream.length}, the rows of a task")

    def observe(parameters: Parameters, now: Any) -> Array:
        def one(task: Array) -> Array:
            batch = batch_of(stream, classifier, task, jnp.arange(rows))
            gradient = classifier.see(parameters, batch, now).gradient
            return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(gradient)])

        gradients = jax.lax.map(one, jnp.arange(stream.tasks))
        return gradients @ gradients.T

    return observe


def interference(products: Float[np.ndarray, "..."]) -> Interference:
    """Of each task's gradient, while it is trained on, with that of every earlier task: one value a run.

    Args:
        products: what `gradient_products` observed, (*runs, tasks, parts, tasks, tasks): the present task and the
            parts of its training, then the two tasks of a pair. A gradient of size 0 conflicts with none and has
            cosine 0.

    Raises:
        ContinualError: another shape, or one task.

    Source: Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eq. 6 (violations); Yu et al. 2020, arXiv:2001.06782,
    definition 1.
    """
    cosines = present_cosines(products)
    present, earlier = np.tril_indices(cosines.shape[-1], -1)
    pairs = cosines[..., present, :, earlier]  # (pairs, *batch, parts): numpy moves the chosen axes to the front
    return Interference(pairs.mean((0, -1)), (pairs < 0).mean((0, -1)))


def present_cosines(
    products: Float[np.ndarray, "..."],
) -> Float[np.ndarray, "..."]:
    """Cosines of the gradient of the task that is trained on with that of every task, (*runs, tasks, parts, tasks).

    Args:
        products: as for `interference`.

    Raises:
        ContinualError: another shape, or one task.
    """
    products = np.asarray(products, np.float64)
    tasks = products.shape[-1] if products.ndim else 0
    if products.ndim < 4 or products.shape[-2] != tasks or products.shape[-4] != tasks:
        raise ContinualError(f"products of shape {products.shape} must end in (tasks, parts, tasks, tasks)")
    if tasks < 2:
        raise ContinualError(f"products of shape {products.shape}: needs two tasks at least")
    size = np.sqrt(np.einsum("...ii->...i", products))
    present = np.arange(tasks)
    own = np.moveaxis(products[..., present, :, present, :], 0, -3)  # (*batch, tasks, parts, tasks)
    mine = np.moveaxis(size[..., present, :, present], 0, -2)[..., None]
    scale = mine * size
    return np.divide(own, scale, out=np.zeros_like(own), where=scale > 0)
