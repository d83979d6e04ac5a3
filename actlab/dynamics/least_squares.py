"""Nonlinear least squares by Levenberg and Marquardt's method, as one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LARGE = 1e15
"""A residual worse than any; its square is finite in float32."""


class Fit(NamedTuple):
    """Where a least-squares search ended.

    Attributes:
        x: the unknowns.
        residual: there.
    """

    x: Float[Array, " unknowns"]
    residual: Float[Array, " residuals"]


def least_squares(residual: Callable[[Array], Array], start: Float[Array, " unknowns"], iterations: int = 60) -> Fit:
    """Levenberg and Marquardt's method with exact derivatives, in one scan, so that vmap runs many starts at once.

    A trial whose residual is not finite counts as worse; one at the start leaves `LARGE` as the residual.
    """

    def both(x: Array) -> tuple[Array, Array]:
        def twice(v: Array) -> tuple[Array, Array]:
            return (r := residual(v)), r

        J, r = jax.jacfwd(twice, has_aux=True)(x)
        return r, J

    def improve(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        x, r, J, damping = state
        trial = x - jnp.linalg.solve(J.T @ J + damping * jnp.eye(x.size, dtype=x.dtype), J.T @ r)
        new_r, new_J = both(trial)
        better = jnp.sum(jnp.square(new_r)) < jnp.sum(jnp.square(r))
        damping = jnp.where(better, damping / 5, damping * 4)
        return (*(jnp.where(better, a, b) for a, b in ((trial, x), (new_r, r), (new_J, J))), damping), None

    # No derivatives yet, so that the first trial is the start itself: the residual is compiled once.
    r = jnp.full(jax.eval_shape(residual, start).shape, LARGE, start.dtype)
    begin = (start, r, jnp.zeros((r.size, start.size), start.dtype), jnp.full((), 5e-2, start.dtype))
    (x, r, _, _), _ = jax.lax.scan(improve, begin, length=iterations + 1)
    return Fit(x, r)
