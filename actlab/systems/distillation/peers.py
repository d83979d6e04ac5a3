"""What needs no activation: a Gaussian process on the teacher's values, scikit-learn's, and its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from actlab.systems.distillation.matching import Errors, relative_errors
from actlab.systems.distillation.model import REFERENCE, Recipe, points, reference_teacher
from actlab.training import seed_keys

GAUSSIAN_PROCESS = "Gaussian process on values"


def gaussian_process_errors(seeds: Sequence[int], recipe: Recipe = REFERENCE) -> Errors:
    """Relative errors, shape (seeds,), of the posterior mean under a squared-exponential kernel fitted to the points.

    The teachers and points are those of `contest` with the same seeds.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    found = []
    for key in seed_keys(tuple(seeds)):
        of_teacher, of_points, of_test, _ = jax.random.split(key, 4)
        teacher, x = reference_teacher(of_teacher, recipe), points(of_points, recipe.points)
        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(1.0, (1e-2, 1e2))
        process = GaussianProcessRegressor(kernel, alpha=1e-6, normalize_y=True).fit(
            np.asarray(x, np.float64), np.asarray(teacher(x)[:, 0], np.float64)
        )
        fitted: Any = process  # scikit-learn's attributes have no types
        amplitude, width = np.exp(fitted.kernel_.theta).tolist()
        weights = jnp.asarray(amplitude * fitted._y_train_std * fitted.alpha_, jnp.float32).reshape(-1)
        offset = float(fitted._y_train_mean)

        def mean(rows: jax.Array, x=x, weights=weights, width=width, offset=offset) -> jax.Array:
            distance = jnp.sum(jnp.square(rows[:, None] - x[None]), -1)
            return (jnp.exp(-0.5 * distance / width**2) @ weights)[:, None] + offset

        errors = jax.jit(lambda rows, mean=mean, teacher=teacher: relative_errors(mean, teacher, rows))
        found.append(errors(points(of_test, recipe.test_points)))
    return jax.tree.map(lambda *v: np.array(v, np.float64), *found)
