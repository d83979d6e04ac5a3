"""Values over a plane: cells with coordinates, or the pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Colours = Literal["sequential", "diverging", "grey"]


@dataclass(frozen=True)
class Line:
    """A line over a heatmap: a predicted boundary, a contour.

    Attributes:
        label: what it is, named beneath the figure.
        x: shape (points,), in the heatmap's coordinates; pixel columns of an image.
        y: shape (points,); pixel rows of an image. A point that is not finite is a gap.
    """

    label: str
    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", np.asarray(self.x, np.float64))
        object.__setattr__(self, "y", np.asarray(self.y, np.float64))
        if self.x.ndim != 1 or self.x.shape != self.y.shape:
            raise ValueError(f"line {self.label!r}: x has shape {self.x.shape}, y {self.y.shape}; both (points,)")


@dataclass(frozen=True)
class Heatmap:
    """Values over a plane, one panel of a figure: cells at coordinates, or an image where there are none.

    Attributes:
        name: the quantity, the title of the figure; heatmaps of one name stand side by side on one scale of colours.
        activation: whose it is (an activation, a method, "truth"): the title of the panel.
        values: shape (rows, columns). A value that is not finite is left blank, and said.
        x: the columns' centres, shape (columns,), strictly monotone; None for an image.
        y: the rows' centres, shape (rows,), strictly monotone; None for an image, whose row 0 is at the top.
        x_label: axis label with unit.
        y_label: axis label with unit.
        value_label: label of the scale of colours, with unit.
        lines: drawn over the cells.
        marks: shape (rows, columns), true where a cell is painted in the accent colour instead; None for none.
        mark_label: what the marked cells are, said beneath the figure: "negative pixels", "diverged".
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
        colours: "sequential", "diverging" (centred on 0) or "grey" (black is least).
        limits: ends of the scale of colours, values beyond drawn as its ends; those of all values of the name if None.
        own_scale: a scale of its own instead of the common one.
    """

    name: str
    activation: str
    values: np.ndarray
    x: np.ndarray | None = None
    y: np.ndarray | None = None
    x_label: str = ""
    y_label: str = ""
    value_label: str = ""
    lines: tuple[Line, ...] = ()
    marks: np.ndarray | None = None
    mark_label: str = ""
    log_x: bool = False
    log_y: bool = False
    colours: Colours = "sequential"
    limits: tuple[float, float] | None = None
    own_scale: bool = False

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float64)
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"heatmap {self.name!r}: values must have shape (rows, columns), got {values.shape}")
        if (self.x is None) != (self.y is None):
            raise ValueError(f"heatmap {self.name!r}: give both x and y, or neither for an image")
        object.__setattr__(self, "values", values)
        for axis, log, length in (("x", self.log_x, values.shape[1]), ("y", self.log_y, values.shape[0])):
            self._set_centres(axis, log, length)
        if self.marks is not None:
            marks = np.asarray(self.marks, bool)
            if marks.shape != values.shape:
                raise ValueError(f"heatmap {self.name!r}: marks have shape {marks.shape}, values {values.shape}")
            object.__setattr__(self, "marks", marks)
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            raise ValueError(f"heatmap {self.name!r}: limits must be (low, high) with low < high, got {self.limits}")

    def _set_centres(self, axis: str, log: bool, length: int) -> None:
        given = getattr(self, axis)
        if given is None:
            if log:
                raise ValueError(f"heatmap {self.name!r}: log_{axis} needs coordinates {axis}")
            return
        centres = np.asarray(given, np.float64)
        if centres.shape != (length,):
            raise ValueError(f"heatmap {self.name!r}: {axis} has shape {centres.shape}, values need ({length},)")
        steps = np.diff(centres)
        if not (np.all(np.isfinite(centres)) and (np.all(steps > 0) or np.all(steps < 0))):
            raise ValueError(f"heatmap {self.name!r}: {axis} must be finite and strictly monotone, got {centres}")
        if log and not np.all(centres > 0):
            raise ValueError(f"heatmap {self.name!r}: a logarithmic {axis} axis needs positive {axis}, got {centres}")
        object.__setattr__(self, axis, centres)
