"""What is measured of Gaussian predictions: likelihood, error, coverage; and the gradients that a head reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.measurement import Better, Measurement
from actlab.nets.head import Head
from actlab.systems.uncertainty import calibration
from actlab.systems.uncertainty.crps import crps_gaussian
from actlab.systems.uncertainty.gaussian import gaussian_nll

NINETY = 1.6448536269514722
"""The standard normal's 95 % quantile: the half width of its 90 % interval."""

LEVELS = np.linspace(0.05, 0.95, 19)
"""Nominal levels of the calibration curve."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scores:
    """The measurements of one run's test set, each a number (or, vmapped, one a seed); units of y are original.

    `calibration`, shape (levels,), is the fraction inside the central interval of each of `LEVELS`.
    """

    nll: Any
    rmse: Any
    crps: Any
    coverage: Any
    width: Any
    calibration: Any


def gaussian_scores(
    mean: Float[Array, " m"], log_variance: Float[Array, " m"], y: Float[Array, " m"], y_scale: Float[Array, ""]
) -> Scores:
    """Scores of Gaussian predictions for standardized targets, in the targets' original unit.

    Args:
        mean: predicted, standardized.
        log_variance: predicted, standardized.
        y: observed, standardized.
        y_scale: the original unit's size of one standardized unit.
    """
    deviation = jnp.exp(0.5 * log_variance)
    lower, upper = mean - NINETY * deviation, mean + NINETY * deviation
    pit = calibration.pit_gaussian(mean, deviation, y)
    return Scores(
        nll=gaussian_nll(y - mean, log_variance).mean() + jnp.log(y_scale),
        rmse=jnp.sqrt(jnp.square(y - mean).mean()) * y_scale,
        crps=crps_gaussian(mean, deviation, y).mean() * y_scale,
        coverage=calibration.coverage(lower, upper, y),
        width=calibration.width(lower, upper) * y_scale,
        calibration=calibration.calibration_curve(pit, jnp.asarray(LEVELS, y.dtype)),
    )


ROWS: tuple[tuple[str, str, str, Better], ...] = (
    ("test NLL", "nll", "nats", "lower"),
    ("test RMSE", "rmse", "", "lower"),
    ("test CRPS", "crps", "", "lower"),
    ("coverage of the 90 % interval", "coverage", "", "neither"),
    ("width of the 90 % interval", "width", "", "neither"),
)
"""Name, field, unit and good direction of each measurement, the headline first."""


def measurements(name: str, scores: Scores, seeds: tuple[int, ...]) -> tuple[Measurement, ...]:
    """The table's rows of scores that have a leading axis of seeds."""
    return tuple(
        Measurement(title, name, np.asarray(getattr(scores, field)), unit, better, seeds)
        for title, field, unit, better in ROWS
    )


def raw_gradient(head: Head, raw: Float[Array, " points"], residual: float) -> Float[Array, " points"]:
    """|d nll / d raw scale| at each raw scale output, the mean being `residual` away from the target."""

    def nll(r: Float[Array, ""]) -> Float[Array, ""]:
        return head.nll(jnp.stack([jnp.zeros_like(r), r]), jnp.asarray(residual, r.dtype))

    return jnp.abs(jax.vmap(jax.grad(nll))(raw))
