"""Where the beam, the image and the detector are: parallel and fan beam, lengths in mm, angles in radians."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np


class GeometryError(ValueError):
    """A geometry that no scanner has; the message names the argument, its value and the remedy."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Geometry:
    """A scan of a plane: an image of square pixels, a flat detector of equal bins, a list of views.

    The axis of rotation is the centre of the image; x points along its columns, y up against its rows. The view of
    angle t has the detector along (cos t, sin t) and the beam along (-sin t, cos t): in a parallel beam, the bin at
    distance s from the axis measures the line integral over x cos t + y sin t = s. In a fan beam the source stands at
    `source_to_axis` before the axis and the detector at `source_to_detector` behind the source.

    A pytree: `angles` and `centre` are leaves (shift, fit or vmap over them), everything else is static.

    Attributes:
        angles: of the views in radians, shape (views,).
        centre: the bin, counted from 0 in the middle of the first one, where the axis of rotation is seen; fractional.
        shape: (rows, columns) of the image.
        pixel: edge of a pixel, mm.
        bins: number of detector bins.
        bin_width: mm.
        source_to_axis: mm; infinite in a parallel beam.
        source_to_detector: mm; infinite in a parallel beam.
    """

    angles: Any
    centre: Any
    shape: tuple[int, int] = field(metadata={"static": True})
    pixel: float = field(metadata={"static": True})
    bins: int = field(metadata={"static": True})
    bin_width: float = field(metadata={"static": True})
    source_to_axis: float = field(default=math.inf, metadata={"static": True})
    source_to_detector: float = field(default=math.inf, metadata={"static": True})

    @property
    def fan(self) -> bool:
        """Whether the rays diverge."""
        return math.isfinite(self.source_to_axis)

    @property
    def views(self) -> int:
        """Number of views."""
        return self.angles.shape[0]

    @property
    def sinogram_shape(self) -> tuple[int, int]:
        """(views, bins)."""
        return self.views, self.bins

    @property
    def radius(self) -> float:
        """From the axis to the farthest corner of the image, mm."""
        return 0.5 * self.pixel * math.hypot(*self.shape)

    @property
    def steepest(self) -> float:
        """The largest tangent of the angle between a ray through the image and the central ray."""
        return self.radius / math.sqrt(self.source_to_axis**2 - self.radius**2) if self.fan else 0.0

    @property
    def bins_per_pixel(self) -> int:
        """How many bins the shadow of a pixel can touch."""
        near = self.source_to_detector / (self.source_to_axis - self.radius) if self.fan else 1.0
        return _touched(self.pixel * near * math.hypot(1.0, self.steepest) / self.bin_width)

    @property
    def pixels_per_bin(self) -> int:
        """How many pixels of a row (column where the rays run along rows) a bin can see."""
        far = (self.source_to_axis + self.radius) / self.source_to_detector if self.fan else 1.0
        return _touched(math.sqrt(2.0) * self.bin_width * far / (1.0 - self.steepest) / self.pixel)

    def at_views(self, views: Any) -> Geometry:
        """The scan of these views alone: an index array or slice."""
        return replace(self, angles=self.angles[views])

    def __repr__(self) -> str:
        beam = (
            f"fan {self.source_to_axis:g} + {self.source_to_detector - self.source_to_axis:g} mm"
            if self.fan
            else "parallel"
        )
        rows, columns = self.shape
        return f"{beam}, {rows} x {columns} pixels of {self.pixel:g} mm, {self.bins} bins of {self.bin_width:g} mm"


def parallel_beam(
    shape: tuple[int, int] | int,
    views: int | Any,
    *,
    pixel: float = 1.0,
    bins: int | None = None,
    bin_width: float | None = None,
    centre: Any = None,
) -> Geometry:
    """A parallel beam.

    Args:
        shape: (rows, columns) of the image, or its edge.
        views: angles in radians, or how many, equally spaced over half a turn.
        pixel: edge of a pixel, mm.
        bins: by default enough to see the whole image from everywhere.
        bin_width: mm, by default that of a pixel.
        centre: the bin where the axis is seen; by default the middle of the detector.

    Raises:
        GeometryError: a size that is not positive, or angles that are no vector of finite numbers.
    """
    shape, bin_width = _shape(shape), pixel if bin_width is None else bin_width
    _positive(pixel=pixel, bin_width=bin_width)
    bins = math.ceil(pixel * math.hypot(*shape) / bin_width) if bins is None else bins
    _positive(bins=bins)
    return Geometry(_angles(views, math.pi), _centre(centre, bins), shape, float(pixel), int(bins), float(bin_width))


def fan_beam(
    shape: tuple[int, int] | int,
    views: int | Any,
    *,
    source_to_axis: float,
    source_to_detector: float,
    pixel: float = 1.0,
    bins: int | None = None,
    bin_width: float | None = None,
    centre: Any = None,
) -> Geometry:
    """A fan beam on a flat detector.

    Args:
        shape: (rows, columns) of the image, or its edge.
        views: angles in radians, or how many, equally spaced over a whole turn.
        source_to_axis: mm.
        source_to_detector: mm.
        pixel: edge of a pixel, mm.
        bins: by default enough to see the whole image from everywhere.
        bin_width: mm; by default a pixel on the axis, magnified.
        centre: the bin where the axis is seen; by default the middle of the detector.

    Raises:
        GeometryError: as for `parallel_beam`; a source inside the image, a detector before the axis, or a fan that
            opens more than 45 degrees to a side.
    """
    shape = _shape(shape)
    _positive(pixel=pixel, source_to_axis=source_to_axis, source_to_detector=source_to_detector)
    if source_to_detector < source_to_axis:
        raise GeometryError(
            f"source_to_detector = {source_to_detector:g} mm is less than source_to_axis = {source_to_axis:g} mm; "
            "the axis stands between source and detector"
        )
    radius = 0.5 * pixel * math.hypot(*shape)
    if source_to_axis <= math.sqrt(2.0) * radius:
        raise GeometryError(
            f"source_to_axis = {source_to_axis:g} mm opens the fan to 45 degrees or more over an image of radius "
            f"{radius:g} mm; move the source beyond {math.sqrt(2.0) * radius:g} mm"
        )
    bin_width = pixel * source_to_detector / source_to_axis if bin_width is None else bin_width
    _positive(bin_width=bin_width)
    half = source_to_detector * radius / math.sqrt(source_to_axis**2 - radius**2)
    bins = math.ceil(2.0 * half / bin_width) if bins is None else bins
    _positive(bins=bins)
    angles, centre = _angles(views, 2.0 * math.pi), _centre(centre, bins)
    sizes = (float(pixel), int(bins), float(bin_width), float(source_to_axis), float(source_to_detector))
    geometry = Geometry(angles, centre, shape, *sizes)
    widest = 0.5 * bins * bin_width / source_to_detector
    if widest >= 1.0:
        raise GeometryError(
            f"a detector of {bins} bins of {bin_width:g} mm at {source_to_detector:g} mm reaches 45 degrees or more "
            "from the central ray; use fewer or smaller bins"
        )
    return geometry


def _touched(length: float) -> int:
    """How many unit cells an interval of this length can touch."""
    return math.ceil(length - 1e-9) + 1


def _shape(shape: Any) -> tuple[int, int]:
    pair = (shape, shape) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if len(pair) != 2 or min(pair) < 1:
        raise GeometryError(f"shape = {shape!r} must be (rows, columns), both positive, or one edge")
    return int(pair[0]), int(pair[1])


def _positive(**values: Any) -> None:
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise GeometryError(f"{name} = {value!r} must be positive and finite")


def _angles(views: Any, turn: float) -> Any:
    if isinstance(views, (int, np.integer)):
        _positive(views=views)
        return np.arange(views) * (turn / views)
    angles = views if isinstance(views, jax.Array) else np.asarray(views, np.float64)
    if angles.ndim != 1 or angles.size == 0:
        raise GeometryError(f"views: angles have the shape {angles.shape}; give a vector of radians, or their number")
    if isinstance(angles, np.ndarray) and not np.all(np.isfinite(angles)):
        raise GeometryError(f"views: angle {np.argmin(np.isfinite(angles))} is not finite")
    return angles


def _centre(centre: Any, bins: int) -> Any:
    return np.float64((bins - 1) / 2) if centre is None else centre
