"""Iterations on line integrals: SIRT, SART, and MLEM for data that are linear in the image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.systems.tomography.geometry import Geometry
from actlab.systems.tomography.projector import backproject, project

GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def sirt(
    geometry: Geometry,
    integrals: Float[Array, "views bins"],
    steps: int,
    *,
    start: Any = None,
    lower: float | None = 0.0,
    weight: Any = 1.0,
) -> tuple[Float[Array, "rows columns"], Float[Array, " steps"]]:
    """Simultaneous iterative reconstruction: x + C A' R (p - A x), C and R the inverse sums of columns and rows of A.

    Args:
        geometry: of the scan.
        integrals: line integrals p.
        steps: iterations.
        start: image, by default 0.
        lower: clipped to at least this after every step; None: never.
        weight: of the rays, 0 for those held out.

    Returns:
        The image, and the weighted root mean square residual before each step.

    Source: Gilbert 1972, J. Theor. Biol. 36:105; Gregor & Benson 2008, IEEE Trans. Med. Imaging 27:918.
    """
    weight = jnp.broadcast_to(jnp.asarray(weight, integrals.dtype), integrals.shape)
    inverse_rows = _inverse(project(geometry, jnp.ones(geometry.shape, integrals.dtype))) * weight
    inverse_columns = _inverse(backproject(geometry, weight))

    def step(image: Array, _: None) -> tuple[Array, Array]:
        residual = integrals - project(geometry, image)
        moved = image + inverse_columns * backproject(geometry, inverse_rows * residual)
        return _clipped(moved, lower), _rms(residual, weight)

    return jax.lax.scan(step, _start(geometry, integrals, start), None, length=steps)


def sart(
    geometry: Geometry,
    integrals: Float[Array, "views bins"],
    sweeps: int,
    *,
    start: Any = None,
    lower: float | None = 0.0,
    relaxation: float = 1.0,
    weight: Any = 1.0,
) -> tuple[Float[Array, "rows columns"], Float[Array, " sweeps"]]:
    """Simultaneous algebraic reconstruction: a SIRT step for one view after another, in an order that spreads them.

    Args:
        geometry: of the scan.
        integrals: line integrals.
        sweeps: passes over all views.
        start: image, by default 0.
        lower: clipped to at least this after every view; None: never.
        relaxation: of every step, in (0, 2).
        weight: of the rays, 0 for those held out.

    Returns:
        The image, and the root mean square of the residuals met in each sweep.

    Source: Andersen & Kak 1984, Ultrasonic Imaging 6:81; order of Kohler 2004 (golden section).
    """
    weight = jnp.broadcast_to(jnp.asarray(weight, integrals.dtype), integrals.shape)
    order = jnp.asarray(np.argsort((np.arange(geometry.views) * GOLDEN) % 1.0))
    angles = jnp.asarray(geometry.angles, integrals.dtype)
    ones = jnp.ones(geometry.shape, integrals.dtype)

    def view(image: Array, number: Array) -> tuple[Array, Array]:
        one = replace(geometry, angles=angles[number][None])
        measured, counted = integrals[number][None], weight[number][None]
        residual = counted * (measured - project(one, image))
        change = backproject(one, residual * _inverse(project(one, ones))) * _inverse(backproject(one, counted))
        return _clipped(image + relaxation * change, lower), jnp.sum(jnp.square(residual))

    def sweep(image: Array, _: None) -> tuple[Array, Array]:
        image, squares = jax.lax.scan(view, image, order)
        return image, jnp.sqrt(jnp.sum(squares) / jnp.sum(weight))

    return jax.lax.scan(sweep, _start(geometry, integrals, start), None, length=sweeps)


def mlem(
    geometry: Geometry,
    data: Float[Array, "views bins"],
    steps: int,
    *,
    background: Any = 0.0,
    start: Any = None,
    weight: Any = 1.0,
) -> tuple[Float[Array, "rows columns"], Float[Array, " steps"]]:
    """Maximum likelihood by expectation maximization for data ~ Poisson(A x + background): emission tomography.

    For transmitted counts, which are no linear function of the image, see `transmission_ml`.

    Args:
        geometry: of the scan.
        data: counts, not negative.
        steps: iterations; the likelihood never falls.
        background: expected besides.
        start: a positive image; by default the constant of the right mean.
        weight: of the rays, 0 for those held out.

    Returns:
        The image, never negative, and the negative log-likelihood (without its constant) before each step.

    Source: Shepp & Vardi 1982, IEEE Trans. Med. Imaging 1:113.
    """
    weight = jnp.broadcast_to(jnp.asarray(weight, data.dtype), data.shape)
    sensitivity = backproject(geometry, weight)
    if start is None:
        start = jnp.full(geometry.shape, jnp.sum(weight * data) / jnp.sum(sensitivity), data.dtype)

    def step(image: Array, _: None) -> tuple[Array, Array]:
        mean = project(geometry, image) + background
        safe = jnp.where(mean > 0, mean, 1.0)
        loss = jnp.sum(weight * (mean - data * jnp.log(safe)))
        ratio = weight * jnp.where(mean > 0, data / safe, 0.0)
        return image * backproject(geometry, ratio) * _inverse(sensitivity), loss

    return jax.lax.scan(step, _start(geometry, data, start), None, length=steps)


def _start(geometry: Geometry, data: Array, start: Any) -> Array:
    return jnp.zeros(geometry.shape, data.dtype) if start is None else jnp.asarray(start, data.dtype)


def _inverse(sums: Array) -> Array:
    """1 over, and 0 where nothing is seen; rounding leaves slivers at the edge of the field."""
    seen = sums > 1e-5 * jnp.max(sums)
    return jnp.where(seen, 1.0 / jnp.where(seen, sums, 1.0), 0.0)


def _clipped(image: Array, lower: float | None) -> Array:
    return image if lower is None else jnp.maximum(image, lower)


def _rms(residual: Array, weight: Array) -> Array:
    return jnp.sqrt(jnp.sum(weight * jnp.square(residual)) / jnp.sum(weight))
