"""Students of one activation under values, slopes and curvature of the same teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

import actlab.activations as al
from actlab.activations import Activation
from actlab.systems.distillation.matching import Errors, relative_errors
from actlab.systems.distillation.model import REFERENCE, Recipe, distilled, points, reference_teacher


def contest(
    activation: Any, recipe: Recipe = REFERENCE, orders: tuple[int, ...] = (0, 1, 2)
) -> Callable[[Key[Array, ""]], Errors]:
    """A pure function of a seed's key, to map over seeds: relative errors, each of shape (orders,).

    Teacher, points and student are drawn by the key.

    Args:
        activation: of the students' hidden layers.
        recipe: of teacher, students and training.
        orders: how many derivatives are matched beside the values, one student each.
    """
    f: Activation = al.as_activation(activation)

    def one_seed(key: Array) -> Errors:
        of_teacher, of_points, of_test, of_student = jax.random.split(key, 4)
        teacher = reference_teacher(of_teacher, recipe)
        x, test = points(of_points, recipe.points), points(of_test, recipe.test_points)
        found = [
            relative_errors(distilled(of_student, teacher, x, f, o, recipe).model(), teacher, test) for o in orders
        ]
        return jax.tree.map(lambda *v: jnp.stack(v), *found)

    return one_seed
