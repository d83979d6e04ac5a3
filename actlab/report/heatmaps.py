"""Heatmaps as drawings: cells or pixels in colours that are the same by day and by night, lines and marks over them."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from actlab.measurement import Heatmap, Line
from actlab.report.drawing import PANEL, inline, number_ticks, panel
from actlab.report.numbers import number
from actlab.report.palette import OVER, UNDER
from actlab.report.picture import Picture, Tile
from actlab.report.sentences import listing

MAPS = {"sequential": "viridis", "diverging": "PuOr", "grey": "gray"}
ACCENT = (0.93, 0.10, 0.17, 1.0)
"""Marked cells: red, which none of the scales has."""
LINES = {"solid": (), "dashed": (6.0, 3.0), "dotted": (1.0, 2.2), "dash-dotted": (7.0, 2.5, 1.0, 2.5)}
BLANK = (0.0, 0.0, 0.0, 0.0)
Scale = tuple[float, float]


def heatmap_picture(name: str, heatmaps: Sequence[Heatmap]) -> Picture:
    """The heatmaps of one name side by side, those of one kind of colours on one scale."""
    common = [h for h in heatmaps if not h.own_scale]
    shared = common if len({h.colours for h in common}) == 1 else []
    single = [h.own_scale or not shared for h in heatmaps]
    scales = [_scale([h] if alone else shared) for h, alone in zip(heatmaps, single, strict=True)]
    tiles = tuple(
        Tile(h.activation, _draw(h, scale), _bar(h, scale) if alone else None)
        for h, scale, alone in zip(heatmaps, scales, single, strict=True)
    )
    bar = _bar(shared[0], _scale(shared)) if shared else None
    return Picture(name, None, gaps=_remarks(heatmaps, scales), tiles=tiles, scale=bar)


def _scale(heatmaps: Sequence[Heatmap]) -> Scale:
    """The ends of the colours: those that are stated, else those of the values that are drawn in them."""
    stated = [h.limits for h in heatmaps if h.limits is not None]
    values = np.ravel(stated) if stated else np.concatenate([h.values[_drawn(h)] for h in heatmaps])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if heatmaps[0].colours == "diverging":
        high = max(abs(low), abs(high))
        low = -high
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _marks(heatmap: Heatmap) -> np.ndarray:
    return np.zeros(heatmap.values.shape, bool) if heatmap.marks is None else heatmap.marks


def _drawn(heatmap: Heatmap) -> np.ndarray:
    """Where a value is shown by a colour of the scale."""
    return np.isfinite(heatmap.values) & ~_marks(heatmap)


def _colours(heatmap: Heatmap, scale: Scale) -> np.ndarray:
    """Each cell's colour, shape (rows, columns, 4)."""
    low, high = scale
    finite = np.isfinite(heatmap.values)
    share = np.clip((np.where(finite, heatmap.values, low) - low) / (high - low), 0.0, 1.0)
    rgba = np.where(finite[..., None], mpl.colormaps[MAPS[heatmap.colours]](share), BLANK)
    return np.where(_marks(heatmap)[..., None], ACCENT, rgba)


def _draw(heatmap: Heatmap, scale: Scale) -> Markup:
    rows, columns = heatmap.values.shape
    image = heatmap.x is None
    size = (PANEL[0], PANEL[0] * min(max(rows / columns, 0.2), 3.0)) if image else (PANEL[0], 3.1)
    with panel(size) as (figure, axes):
        axes.grid(visible=False)
        (_image if image else _cells)(axes, heatmap, _colours(heatmap, scale))
        for line, dashes in zip(heatmap.lines, _dashes(len(heatmap.lines)), strict=True):
            _over(axes, line, dashes)
        return inline(figure, _spoken(heatmap))


def _image(axes: Axes, heatmap: Heatmap, colours: np.ndarray) -> None:
    del heatmap
    axes.imshow(colours, interpolation="none", aspect="equal")
    axes.set_axis_off()


def _cells(axes: Axes, heatmap: Heatmap, colours: np.ndarray) -> None:
    assert heatmap.x is not None  # an image has no cells
    assert heatmap.y is not None
    x, y = _edges(heatmap.x, log=heatmap.log_x), _edges(heatmap.y, log=heatmap.log_y)
    axes.set_xscale("log" if heatmap.log_x else "linear")
    axes.set_yscale("log" if heatmap.log_y else "linear")
    axes.pcolormesh(x, y, colours, rasterized=True)
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    number_ticks(axes, log_x=heatmap.log_x, log_y=heatmap.log_y)
    axes.set_xlabel(heatmap.x_label)
    axes.set_ylabel(heatmap.y_label)


def _edges(centres: np.ndarray, *, log: bool) -> np.ndarray:
    """The borders half way between centres; a cell by itself is one wide, or a factor of 2."""
    c = np.log(centres) if log else centres
    middle = (c[1:] + c[:-1]) / 2
    half = (c[1] - c[0]) / 2 if c.size > 1 else (np.log(2.0) if log else 1.0) / 2
    last = (c[-1] - c[-2]) / 2 if c.size > 1 else half
    edges = np.concatenate([[c[0] - half], middle, [c[-1] + last]])
    return np.exp(edges) if log else edges


def _dashes(n: int) -> list[tuple[float, ...]]:
    patterns = list(LINES.values())
    return [patterns[i % len(patterns)] for i in range(n)]


def _over(axes: Axes, line: Line, dashes: tuple[float, ...]) -> None:
    """A line that is seen on every colour: white with a black edge, cut off at the cells' border."""
    x, y = (np.where(np.isfinite(v), v, np.nan) for v in (line.x, line.y))
    axes.autoscale(enable=False)
    axes.plot(x, y, color=UNDER, linewidth=4.0, zorder=5, solid_capstyle="butt")
    (top,) = axes.plot(x, y, color=OVER, linewidth=2.0, zorder=6, solid_capstyle="butt")
    if dashes:
        top.set_dashes(list(dashes))


def _bar(heatmap: Heatmap, scale: Scale) -> Markup:
    """The scale of colours, lying."""
    low, high = scale
    with panel((PANEL[0], 0.62)) as (figure, axes):
        axes.grid(visible=False)
        gradient = mpl.colormaps[MAPS[heatmap.colours]](np.linspace(0.0, 1.0, 256))[None]
        axes.imshow(gradient, extent=(low, high, 0.0, 1.0), aspect="auto", interpolation="none")
        number_ticks(axes)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(heatmap.value_label)
        return inline(figure, f"Colours: {heatmap.value_label or 'values'} from {number(low)} to {number(high)}.")


def _spoken(heatmap: Heatmap) -> str:
    who = f"{heatmap.name}, {heatmap.activation}" if heatmap.activation else heatmap.name
    rows, columns = heatmap.values.shape
    where = f"an image of {rows} by {columns} pixels"
    if heatmap.x is not None and heatmap.y is not None:
        ends = [(n, number(float(v[0])), number(float(v[-1]))) for n, v in (("x", heatmap.x), ("y", heatmap.y))]
        names = {"x": heatmap.x_label or "x", "y": heatmap.y_label or "y"}
        where = " and ".join(f"{names[n]} from {a} to {b}" for n, a, b in ends)
    finite = heatmap.values[np.isfinite(heatmap.values)]
    span = f"from {number(float(finite.min()))} to {number(float(finite.max()))}" if finite.size else "nowhere finite"
    lines = f" Lines: {listing([line.label for line in heatmap.lines])}." if heatmap.lines else ""
    marked = int(_marks(heatmap).sum())
    marks = f" Marked: {heatmap.mark_label or 'cells'}, {marked} of {rows * columns}." if marked else ""
    return f"{who}: {heatmap.value_label or 'values'} over {where}, {span}.{marks}{lines}"


def _remarks(heatmaps: Sequence[Heatmap], scales: Sequence[Scale]) -> str:
    """What the lines and marks are, what is blank and what lies beyond the scale."""
    labels = list(dict.fromkeys((i, line.label) for h in heatmaps for i, line in enumerate(h.lines)))
    kinds = list(LINES)
    lines = listing([f"{kinds[i % len(kinds)]}, {label}" for i, label in labels]) if labels else ""
    said = [f"Lines: {lines}."] if lines else []
    for label in dict.fromkeys(h.mark_label for h in heatmaps if _marks(h).any()):
        parts = [(h.activation, int(_marks(h).sum()), h.values.size) for h in heatmaps if h.mark_label == label]
        said.append(f"Red: {label or 'marked'} ({_counted(parts)}).")
    blank = [(h.activation, int(np.sum(~np.isfinite(h.values) & ~_marks(h))), h.values.size) for h in heatmaps]
    if any(n for _, n, _ in blank):
        said.append(f"Not finite, so left blank: {_counted(blank)}.")
    beyond = [
        (h.activation, int(np.sum((np.clip(h.values, *scale) != h.values)[_drawn(h)])), h.values.size)
        for h, scale in zip(heatmaps, scales, strict=True)
    ]
    if any(n for _, n, _ in beyond):
        said.append(f"Beyond the scale, drawn as its end: {_counted(beyond)}.")
    return " ".join(said)


def _counted(parts: Sequence[tuple[str, int, int]]) -> str:
    """`relu 3 of 20 and tanh 1 of 20`."""
    return listing([f"{who} {n} of {all_}".strip() for who, n, all_ in parts if n])
