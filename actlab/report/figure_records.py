"""The file format of figures: curves, heatmaps and clouds."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict

from actlab.measurement import Cloud, Curve, Heatmap, Line, Region

_listed = BeforeValidator(lambda value: value.tolist() if isinstance(value, np.ndarray) else value)
Numbers = Annotated[list[float], _listed]
Table = Annotated[list[list[float]], _listed]
Truths = Annotated[list[list[bool]], _listed]


class Record(BaseModel):
    """Non-finite numbers are written by name, because JSON has none; an unknown field is refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", ser_json_inf_nan="strings")


class CurveRecord(Record):
    """A Curve with its values per seed."""

    name: str
    activation: str
    x: Numbers
    values: Table
    x_label: str
    y_label: str
    log_x: bool
    log_y: bool

    def restore(self) -> Curve:
        """The Curve."""
        return Curve(**{**dict(self), "x": np.array(self.x), "values": np.array(self.values)})


class LineRecord(Record):
    """A Line."""

    label: str
    x: Numbers
    y: Numbers

    def restore(self) -> Line:
        """The Line."""
        return Line(self.label, np.array(self.x), np.array(self.y))


class HeatmapRecord(Record):
    """A Heatmap."""

    name: str
    activation: str
    values: Table
    x: Numbers | None
    y: Numbers | None
    x_label: str
    y_label: str
    value_label: str
    lines: list[LineRecord]
    marks: Truths | None
    mark_label: str
    log_x: bool
    log_y: bool
    colours: Literal["sequential", "diverging", "grey"]
    limits: tuple[float, float] | None
    own_scale: bool

    def restore(self) -> Heatmap:
        """The Heatmap."""
        given = {name: getattr(self, name) for name in ("values", "x", "y", "marks")}
        arrays = {name: None if value is None else np.array(value) for name, value in given.items()}
        return Heatmap(**{**dict(self), **arrays, "lines": tuple(line.restore() for line in self.lines)})


class RegionRecord(Record):
    """A Region."""

    label: str
    vertices: Table

    def restore(self) -> Region:
        """The Region."""
        return Region(self.label, np.array(self.vertices))


class CloudRecord(Record):
    """A Cloud."""

    name: str
    activation: str
    points: Table
    regions: list[RegionRecord]
    x_label: str
    y_label: str
    point_label: str
    equal_axes: bool

    def restore(self) -> Cloud:
        """The Cloud."""
        regions = tuple(region.restore() for region in self.regions)
        return Cloud(**{**dict(self), "points": np.array(self.points), "regions": regions})
