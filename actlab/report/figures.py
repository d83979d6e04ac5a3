"""The figures of a system: its curves with their bands, one panel for each quantity; heatmaps and clouds below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes

from actlab.measurement import Curve, Figure
from actlab.report.clouds import cloud_picture
from actlab.report.drawing import inline, number_ticks, panel
from actlab.report.heatmaps import heatmap_picture
from actlab.report.numbers import number
from actlab.report.palette import Stroke
from actlab.report.picture import Picture
from actlab.report.results import SystemResults
from actlab.report.sentences import count, listing

F = TypeVar("F", bound=Figure)


def pictures(system: SystemResults, strokes: Mapping[str, Stroke]) -> tuple[Picture, ...]:
    """One figure for each name: curves in one panel, references beneath and subjects on top; others side by side."""
    curves = _by_name(c for _, c in system.curves())
    return (
        *(_picture(name, of_one, strokes) for name, of_one in curves.items()),
        *(heatmap_picture(name, of_one) for name, of_one in _by_name(system.heatmaps()).items()),
        *(cloud_picture(name, of_one) for name, of_one in _by_name(system.clouds()).items()),
    )


def _by_name(figures: Iterable[F]) -> dict[str, list[F]]:
    named: dict[str, list[F]] = {}
    for figure in figures:
        named.setdefault(figure.name, []).append(figure)
    return named


def _picture(name: str, curves: Sequence[Curve], strokes: Mapping[str, Stroke]) -> Picture:
    first = curves[0]
    log_x, log_y = any(c.log_x for c in curves), any(c.log_y for c in curves)
    with panel() as (figure, axes):
        for order, curve in enumerate(reversed(curves)):
            _draw(axes, curve, strokes[curve.activation], order)
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log" if log_y else "linear")
        axes.margins(x=0.02)
        number_ticks(axes, log_x=log_x, log_y=log_y)
        axes.set_xlabel(first.x_label)
        axes.set_ylabel(first.y_label)
        svg = inline(figure, _spoken(name, curves))
    gaps = _gaps(curves, log_x=log_x, log_y=log_y)
    return Picture(name, svg, tuple(dict.fromkeys(c.activation for c in curves)), gaps)


def _draw(axes: Axes, curve: Curve, stroke: Stroke, order: int) -> None:
    x, mean = np.where(np.isfinite(curve.x), curve.x, np.nan), _mean(curve)
    low, high = curve.band
    axes.fill_between(x, low, high, color=stroke.colour, alpha=0.16, linewidth=0, zorder=2 + order / 100)
    (line,) = axes.plot(x, mean, color=stroke.colour, linewidth=stroke.width, zorder=3 + order / 100)
    if stroke.dashes:
        line.set_dashes([d / stroke.width for d in stroke.dashes])
    if x.size <= 12:
        line.set_marker("o")
        line.set_markersize(stroke.width + 1.4)


def _mean(curve: Curve) -> np.ndarray:
    """The mean over seeds, with a gap wherever a seed is not finite."""
    finite = np.all(np.isfinite(curve.values), axis=0)
    return np.where(finite, np.mean(np.where(finite, curve.values, 0.0), axis=0), np.nan)


def _spoken(name: str, curves: Sequence[Curve]) -> str:
    first = curves[0]
    ends = [f"{c.activation} from {number(float(_mean(c)[0]))} to {number(float(_mean(c)[-1]))}" for c in curves]
    x = f"{first.x_label} from {number(float(first.x[0]))} to {number(float(first.x[-1]))}"
    return f"{name}: {first.y_label} over {x}. {listing(ends)}."


def _gaps(curves: Sequence[Curve], *, log_x: bool, log_y: bool) -> str:
    """What is not drawn: values that are not finite, and on a logarithmic axis those that are not positive."""
    missing = [(c.activation, int(np.sum(np.isnan(_mean(c)))), c.x.size) for c in curves]
    parts = [f"{name} at {bad} of {count(all_, 'point')}" for name, bad, all_ in missing if bad]
    hidden = [c.activation for c in curves if (log_y and np.any(_mean(c) <= 0)) or (log_x and np.any(c.x <= 0))]
    said = f"Not finite, so not drawn: {listing(parts)}. " if parts else ""
    return said + (f"Not positive somewhere, so not drawn there: {listing(hidden)}." if hidden else "")
