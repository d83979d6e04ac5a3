"""The reference problem: its teachers, its points, and students that match values, slopes and curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from actlab.nets import MLP
from actlab.systems.distillation.matching import Model, matching_loss, sizes
from actlab.training import Fitted, fit


@dataclass(frozen=True)
class Recipe:
    """The reference problem: a wiggly tanh net of two inputs, known at a hundred points.

    Attributes:
        teacher: hidden widths of the teacher.
        student: hidden widths of the student.
        weight_scale: of the teacher's kernels, in units of 1/sqrt(fan_in): the larger, the more curved.
        points: that the student sees, uniform in [-2, 2]^2.
        test_points: at which errors are measured.
        steps: of Adam on all points at once, the learning rate falling as a cosine.
        learning_rate: at the start.
    """

    teacher: tuple[int, ...] = (64, 64)
    student: tuple[int, ...] = (32, 32)
    weight_scale: float = 2.0
    points: int = 100
    test_points: int = 2000
    steps: int = 3000
    learning_rate: float = 5e-3


REFERENCE = Recipe()
INPUTS = 2


def reference_teacher(key: Key[Array, ""], recipe: Recipe = REFERENCE, activation: Any = "tanh") -> MLP:
    """A random net of two inputs and one output; no biases, kernels of variance `weight_scale^2 / fan_in`."""
    net = MLP((INPUTS, *recipe.teacher, 1), activation, rngs=nnx.Rngs(0))
    for k, layer in zip(jax.random.split(key, len(net.layers)), list(net.layers), strict=True):
        kernel = layer.kernel[...]
        normal = jax.random.normal(k, kernel.shape, kernel.dtype)
        layer.kernel[...] = recipe.weight_scale / kernel.shape[0] ** 0.5 * normal
    return net


def points(key: Key[Array, ""], count: int) -> Float[Array, "count 2"]:
    """Uniform in [-2, 2]^2."""
    return jax.random.uniform(key, (count, INPUTS), minval=-2.0, maxval=2.0)


def distilled(
    key: Key[Array, ""],
    teacher: Model,
    x: Float[Array, "rows inputs"],
    activation: Any,
    order: int,
    recipe: Recipe = REFERENCE,
    *,
    jacobian: Any = 1.0,
    curvature: Any = 1.0,
) -> Fitted:
    """Trains a student on values and, as `order` says, slopes and curvature: pure, to be jitted and vmapped.

    Args:
        key: of the student's kernels and of the directions.
        teacher: maps rows to rows.
        x: the rows that the student sees.
        activation: of the student.
        order: 0 values, 1 with slopes, 2 with curvature.
        recipe: widths, steps and learning rate.
        jacobian: weight of the slopes.
        curvature: weight of the curvature.
    """
    of_net, of_size, of_fit = jax.random.split(key, 3)
    outputs = jax.eval_shape(teacher, x).shape[-1]
    student = MLP((x.shape[1], *recipe.student, outputs), activation, rngs=nnx.Rngs(params=of_net))
    graphdef, state = nnx.split(student)
    size = sizes(teacher, x, of_size, order)

    def loss(model: Any, batch: Array, key: Array) -> Array:
        return matching_loss(model, teacher, batch, key, size, jacobian=jacobian, curvature=curvature, order=order)

    optimizer = optax.adam(optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps))
    return fit(graphdef, state, x, of_fit, loss=loss, optimizer=optimizer, steps=recipe.steps)
