"""Points in the plane under regions that should hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Region:
    """A polygon with a label: a certified bound on outputs.

    Attributes:
        label: the legend; regions of one label share colour and dashes.
        vertices: shape (corners, 2), in order around it; closed by itself.
    """

    label: str
    vertices: np.ndarray

    def __post_init__(self) -> None:
        vertices = np.asarray(self.vertices, np.float64)
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 2 or not np.all(np.isfinite(vertices)):
            raise ValueError(f"region {self.label!r}: vertices must be finite, of shape (corners, 2), got {vertices}")
        object.__setattr__(self, "vertices", vertices)

    @classmethod
    def box(cls, label: str, lower: np.ndarray, upper: np.ndarray) -> Region:
        """The rectangle between two corners, each of shape (2,)."""
        (left, low), (right, high) = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
        return cls(label, np.array([[left, low], [right, low], [right, high], [left, high]]))


@dataclass(frozen=True)
class Cloud:
    """Points in the plane with regions over them, one panel of a figure: sampled outputs under their bounds.

    Attributes:
        name: the title of the figure; clouds of one name stand side by side.
        activation: whose it is: the title of the panel.
        points: shape (n, 2). A point that is not finite is not drawn, and that is said.
        regions: outlines drawn over the points, the first on top.
        x_label: axis label with unit.
        y_label: axis label with unit.
        point_label: the points' legend.
        equal_axes: one unit as long across as up.
    """

    name: str
    activation: str
    points: np.ndarray
    regions: tuple[Region, ...] = ()
    x_label: str = ""
    y_label: str = ""
    point_label: str = "samples"
    equal_axes: bool = False

    def __post_init__(self) -> None:
        points = np.asarray(self.points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or points.size == 0:
            raise ValueError(f"cloud {self.name!r}: points must have shape (n, 2), got {points.shape}")
        object.__setattr__(self, "points", points)
