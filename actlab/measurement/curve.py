"""A quantity along an axis, over seeds."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from actlab.measurement.bootstrap import bootstrap_interval


@dataclass(frozen=True)
class Curve:
    """A quantity along an axis, over seeds: what a system's figure draws, a line with its band.

    Attributes:
        name: the quantity, the title of the figure; curves of one name are drawn together.
        activation: whose curve it is (an activation or a reference method): the legend.
        x: shape (points,).
        values: shape (seeds, points); the line is the mean, the band the 95 % bootstrap interval.
        x_label: axis label with unit.
        y_label: axis label with unit.
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
    """

    name: str
    activation: str
    x: np.ndarray
    values: np.ndarray
    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", np.asarray(self.x, np.float64))
        object.__setattr__(self, "values", np.atleast_2d(np.asarray(self.values, np.float64)))
        if self.values.shape[1:] != self.x.shape:
            raise ValueError(f"curve {self.name!r}: x has shape {self.x.shape}, values {self.values.shape}")

    @functools.cached_property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the 95 % interval of the mean, each of shape (points,)."""
        ends = np.array([bootstrap_interval(column) for column in self.values.T])
        return ends[:, 0], ends[:, 1]
