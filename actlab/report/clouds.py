"""Clouds as drawings: points, and over them the outlines of the regions that should hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from actlab.measurement import Cloud
from actlab.report.drawing import PANEL, inline, number_ticks, panel
from actlab.report.numbers import number
from actlab.report.palette import BASELINE_DASHES, REFERENCE, SERIES, SOLID, Stroke
from actlab.report.picture import Picture, Tile
from actlab.report.sentences import count, listing

DRAWN = 4000
"""Points drawn of a larger cloud, evenly taken in their order; the outermost along each axis are drawn besides."""
LINE = 48
"""Letters of a legend in a panel's width."""


def cloud_picture(name: str, clouds: Sequence[Cloud]) -> Picture:
    """The clouds of one name side by side; a label has one stroke in all of them."""
    labels = list(dict.fromkeys(r.label for c in clouds for r in c.regions))
    strokes = {label: _stroke(i) for i, label in enumerate(labels)}
    tiles = tuple(Tile(c.activation, _draw(c, strokes)) for c in clouds)
    return Picture(name, None, gaps=" ".join(filter(None, map(_remarks, clouds))), tiles=tiles)


def _stroke(i: int) -> Stroke:
    dash = SOLID if i == 0 else BASELINE_DASHES[(i - 1) % len(BASELINE_DASHES)]
    return Stroke(SERIES[i % len(SERIES)], dash, 2.0)


def _draw(cloud: Cloud, strokes: dict[str, Stroke]) -> Markup:
    with panel((PANEL[0], 3.3)) as (figure, axes):
        axes.grid(visible=True, axis="both")
        _points(axes, cloud)
        for order, region in enumerate(reversed(cloud.regions)):
            closed = np.concatenate([region.vertices, region.vertices[:1]])
            axes.add_line(_line(strokes[region.label], closed, 4 + order / 100))
        axes.autoscale_view()
        if cloud.equal_axes:
            axes.set_aspect("equal", adjustable="datalim")
        number_ticks(axes)
        axes.set_xlabel(cloud.x_label)
        axes.set_ylabel(cloud.y_label)
        shown = dict.fromkeys(r.label for r in cloud.regions)
        handles = [_line(strokes[label], np.zeros((0, 2)), 4.0, label) for label in shown]
        dots = Line2D([], [], color=REFERENCE, marker="o", markersize=4, linestyle="", label=cloud.point_label)
        columns = _columns([cloud.point_label, *shown])
        figure.legend(handles=[dots, *handles], loc="outside upper left", ncols=columns, frameon=False, fontsize=9.5)
        return inline(figure, _spoken(cloud))


def _columns(labels: Sequence[str]) -> int:
    """The most columns of a legend, of equal labels' width, that a panel has room for."""
    longest = max(map(len, labels)) + 6
    return max(1, min(4, LINE // longest))


def _line(stroke: Stroke, vertices: np.ndarray, order: float, label: str = "") -> Line2D:
    line = Line2D(*vertices.T, color=stroke.colour, linewidth=stroke.width, zorder=order, label=label)
    if stroke.dashes:
        line.set_dashes([d / stroke.width for d in stroke.dashes])
    return line


def _points(axes: Axes, cloud: Cloud) -> None:
    """One path of dots for all points: lines without length, with round ends."""
    points = _chosen(_finite(cloud))
    vertices = np.repeat(points, 2, axis=0)
    if not len(points):
        return
    path = Path(vertices, np.tile([Path.MOVETO, Path.LINETO], len(points)))
    path.should_simplify = False  # it would merge them
    width = 3.0 if len(points) <= 300 else 2.0
    alpha = 1.0 if len(points) <= 300 else 0.55
    dots = PathPatch(path, fill=False, edgecolor=REFERENCE, linewidth=width, capstyle="round", alpha=alpha, zorder=3)
    axes.add_patch(dots)
    axes.update_datalim(points)


def _finite(cloud: Cloud) -> np.ndarray:
    return cloud.points[np.all(np.isfinite(cloud.points), axis=1)]


def _chosen(points: np.ndarray) -> np.ndarray:
    if len(points) <= DRAWN:
        return points
    evenly = np.linspace(0, len(points) - 1, DRAWN).astype(int)
    return points[np.union1d(evenly, np.concatenate([points.argmin(axis=0), points.argmax(axis=0)]))]


def _remarks(cloud: Cloud) -> str:
    finite = _finite(cloud)
    who, said = f"{cloud.activation}: " if cloud.activation else "", []
    if len(finite) < len(cloud.points):
        said.append(f"{len(cloud.points) - len(finite)} of {count(len(cloud.points), 'point')} not finite, not drawn")
    if len(finite) > DRAWN:
        said.append(f"{len(_chosen(finite))} of {count(len(finite), 'point')} drawn, evenly taken, and the outermost")
    return f"{who}{listing(said)}." if said else ""


def _spoken(cloud: Cloud) -> str:
    who = f"{cloud.name}, {cloud.activation}" if cloud.activation else cloud.name
    finite = _finite(cloud)
    span = "none finite"
    if len(finite):
        (left, low), (right, high) = finite.min(axis=0), finite.max(axis=0)
        across, up = cloud.x_label or "x", cloud.y_label or "y"
        span = f"{across} from {number(left)} to {number(right)}, {up} from {number(low)} to {number(high)}"
    regions = [
        f"{r.label} from {number(r.vertices[:, 0].min())} to {number(r.vertices[:, 0].max())} across and "
        f"{number(r.vertices[:, 1].min())} to {number(r.vertices[:, 1].max())} up"
        for r in cloud.regions[:6]
    ]
    held = f" Regions: {'; '.join(regions)}." if regions else ""
    return f"{who}: {count(len(cloud.points), 'point')} ({cloud.point_label}), {span}.{held}"
