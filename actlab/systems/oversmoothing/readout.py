"""What layers of an untrained net still tell of the labels: a linear readout, beside the measures of collapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from actlab.nets.graph import operator_for
from actlab.signal import effective_rank
from actlab.systems.oversmoothing.measure import dirichlet_energy, rank_one_distance
from actlab.systems.oversmoothing.model import build
from actlab.systems.oversmoothing.problem import Problem
from actlab.systems.oversmoothing.recipe import Recipe
from actlab.training import seed_keys

MEASURES = ("readout accuracy", "Dirichlet energy", "effective rank", "distance to rank one")
"""In the order of `by_depth`; accuracy as a share."""


def ridge_accuracy(
    h: Float[Array, "nodes channels"],
    y: Int[Array, " nodes"],
    train: Int[Array, " train"],
    test: Int[Array, " test"],
    classes: int,
    penalty: float = 1e-3,
) -> Float[Array, ""]:
    """Share of the test nodes that ridge regression on the train nodes' one-hot labels classifies rightly.

    The states are scaled as a whole, not channel by channel: nodes that are alike to a thousandth stay so.

    Args:
        h: states of the nodes.
        y: classes from 0.
        train: nodes whose labels are known.
        test: nodes that are reported.
        classes: how many.
        penalty: of squared weights, for states of mean square 1.
    """
    h = h / jnp.maximum(jnp.sqrt(jnp.mean(jnp.square(h))), 1e-30)
    targets = jax.nn.one_hot(y[train], classes) - 1 / classes
    known = h[train]
    # In the smaller, dual form: there are fewer known nodes than channels, or not many more.
    gram = known @ known.T / h.shape[1] + penalty * jnp.eye(len(train))
    weights = jax.scipy.linalg.solve(gram, targets, assume_a="pos")
    scores = h[test] @ (known.T @ weights)
    return jnp.mean(jnp.argmax(scores, -1) == y[test])


def by_depth(
    problem: Problem, activation: Any, recipe: Recipe, depths: Sequence[int], seeds: Sequence[int]
) -> Float[np.ndarray, "seeds depths 4"]:
    """Measures of the states after so many layers of untrained nets, in the order of `MEASURES`; one program.

    Args:
        problem: with labels.
        activation: of the net.
        recipe: of a net as deep as the deepest layer asked for; its training is not used.
        depths: layers, from 1.
        seeds: of the weights.
    """
    layers = jnp.asarray(depths) - 1

    @jax.jit
    def measured(problem: Problem, keys: Array) -> Array:
        operator = operator_for(recipe.kind, problem.graph, recipe.loop)

        def one(key: Array) -> Array:
            states = build(problem, activation, recipe, key).states(operator, problem.x)[layers]

            def of(h: Array) -> Array:
                accuracy = ridge_accuracy(h, problem.y, problem.train, problem.test, problem.classes)
                return jnp.stack(
                    [accuracy, dirichlet_energy(h, problem.graph), effective_rank(h), rank_one_distance(h)]
                )

            return jax.lax.map(of, states)

        return jax.lax.map(one, keys)

    return np.asarray(measured(problem, seed_keys(seeds)), np.float64)
