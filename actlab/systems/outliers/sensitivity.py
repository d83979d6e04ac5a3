"""What one more row does to an estimate: sensitivity curves, breakdown points, and influence without a refit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from actlab.systems.outliers.losses import Loss
from actlab.systems.outliers.scale import mad

Estimator = Callable[[Any], Any]
"""A sample, shape (n,), -> a number; traceable by JAX."""


def sensitivity_curve(
    estimator: Estimator, sample: Float[Array, " n"], points: Float[Array, " points"]
) -> Float[Array, " points"]:
    """(n + 1) (T(x_1, ..., x_n, z) - T(x_1, ..., x_n)) for each added point z.

    Source: Hampel, Ronchetti, Rousseeuw & Stahel 1986, section 2.1e, eq. 2.1.21 with one row more.
    """
    before, rows = estimator(sample), sample.shape[0] + 1
    return rows * (jax.vmap(lambda z: estimator(jnp.append(sample, z)))(points) - before)


def breakdown_point(estimator: Estimator, sample: Float[Array, " n"], size: float = 1e8) -> float:
    """The smallest fraction of replaced rows, all put at `size`, that carries the estimate away.

    Away is farther from the estimate of the clean sample than ten times that sample's width; with rows at one place the
    fraction is an upper bound of the breakdown point over all contaminations.

    Source: Donoho & Huber 1983, in A Festschrift for Erich L. Lehmann (replacement breakdown point).
    """
    n = sample.shape[0]
    count = jnp.arange(n + 1)
    estimates = jax.vmap(lambda k: estimator(jnp.where(jnp.arange(n) < k, size, sample)))(count)
    away = jnp.abs(estimates - estimates[0]) > 10.0 * (jnp.max(sample) - jnp.min(sample))
    return float(jnp.argmax(away) / n) if bool(jnp.any(away)) else 1.0


def location(loss: Loss, sample: Float[Array, " n"], steps: int = 100) -> Float[Array, ""]:
    """The location estimate by psi, from the median, with the scale fixed at the MAD; reweighted means.

    Source: Huber & Ronchetti 2009, Robust Statistics, section 6.7.
    """
    scale = mad(sample)

    def reweighted(centre: Array, _: Any) -> tuple[Array, None]:
        weights = loss.weight((sample - centre) / scale)
        return jnp.sum(weights * sample) / jnp.sum(weights), None

    return jax.lax.scan(reweighted, jnp.median(sample), length=steps)[0]


def implicit_influence(
    objective: Callable[[Any, Any], Any], params: Any, rows: Any, regularizer: Callable[[Any], Any]
) -> Float[np.ndarray, "rows parameters"]:
    """The change of the parameters if one row were left out, for each row, without refitting.

    At a minimum of J = sum_i l_i + R, leaving row i out moves the parameters by H^-1 grad l_i, H the Hessian of J.

    Args:
        objective: (params, row) -> the loss of one row.
        params: a pytree at a minimum of J.
        rows: a pytree of arrays with a common leading axis.
        regularizer: params -> R; with a net it must make H regular.

    Raises:
        ValueError: H is not positive definite: params are not at a strict minimum.

    Source: Cook & Weisberg 1982; Koh & Liang 2017, ICML, eq. 1.
    """
    flat, unravel = ravel_pytree(params)

    def total(p: Array) -> Array:
        return jnp.sum(jax.vmap(lambda row: objective(unravel(p), row))(rows)) + regularizer(unravel(p))

    gradients = jax.vmap(jax.grad(lambda p, row: objective(unravel(p), row)), (None, 0))(flat, rows)
    hessian = np.asarray(jax.hessian(total)(flat), np.float64)
    least = float(np.linalg.eigvalsh(hessian)[0])
    if least <= 0:
        raise ValueError(
            f"implicit_influence: the Hessian's least eigenvalue is {least:.3g}; train longer or regularize more"
        )
    return np.linalg.solve(hessian, np.asarray(gradients, np.float64).T).T
