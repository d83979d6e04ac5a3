"""Matplotlib figures as inline SVG: text stays text in the page's font, colours follow the page's light or dark."""

from __future__ import annotations

import functools
import io
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

from actlab.report.numbers import LARGE, SMALL, Format
from actlab.report.palette import GRID, INK, MUTED, VARIABLES

PANEL = (3.9, 2.75)
"""Size of a panel in inches: a phone's width, so that 10 point text is read there unscaled."""

CELL_DPI = 200
"""Pixels an inch of what is drawn as an image."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "actlab",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelpad": 5.0,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "lines.solid_capstyle": "round",
}
_DRAWN = itertools.count(1)
_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


@contextmanager
def panel(size: tuple[float, float] = PANEL) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one set of axes in the report's style; draw on it and call `inline` inside."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        yield figure, axes


def number_ticks(axes: Axes, *, log_x: bool = False, log_y: bool = False) -> None:
    """Few ticks, with numbers written as everywhere in the report and alike along an axis; call it after drawing."""
    for axis, log, ends in ((axes.xaxis, log_x, axes.get_xlim()), (axes.yaxis, log_y, axes.get_ylim())):
        axis.set_major_locator(_locator(min(ends), max(ends), log))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(functools.partial(_tick, powers=_powers(ends, log))))


def _locator(low: float, high: float, log: bool) -> Locator:
    """Even steps; on a logarithmic axis that spans a decade or more its decades, with numbers between where few."""
    span = high / low if log and low > 0 else 1.0
    if span < 10:
        return MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
    between = (1.0,) if span >= 1e3 else (1.0, 3.0) if span >= 1e2 else (1.0, 2.0, 5.0)
    return LogLocator(subs=between, numticks=6 if span >= 1e3 else 12)


def _powers(ends: tuple[float, float], log: bool) -> bool:
    """Whether an axis is labelled with powers of ten throughout."""
    sizes = [abs(float(e)) for e in ends if e != 0]
    return max(sizes) >= LARGE or (min(sizes) if log else max(sizes)) < SMALL


def _tick(value: float, position: int | None = None, *, powers: bool) -> str:
    del position
    value = float(f"{value:.10g}")
    text = Format(powers_from=0.0 if powers and value not in (0.0, 1.0) else LARGE).text(value)
    text = re.sub(r"\.?0+×", "×", text) if "." in text else text
    return re.sub(r"^(−?)1×", r"\1", text)


def inline(figure: Figure, label: str) -> Markup:
    """The figure as an `<svg>` element that scales with its container.

    Args:
        figure: drawn with this module's style and the palette's colours.
        label: what a reader who cannot see it should know.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, dpi=CELL_DPI)
    root = ElementTree.fromstring(buffer.getvalue())
    for child in list(root):
        if child.tag == f"{_SVG}metadata":
            root.remove(child)
    _unique_references(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if "style" in element.attrib:
            element.set("style", _with_variables(element.get("style", "")))
    for parent in root.iter("defs"):
        for style in parent.findall("style"):  # it would restyle the whole page
            parent.remove(style)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {"role": "img", "aria-label": label}
    # Serialized from parsed text, hence escaped; names that users give cannot break out of it.
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704


def _with_variables(style: str) -> str:
    """Colours as the page's variables; the font's size alone, so that its family is the page's."""
    style = re.sub(r"#[0-9a-fA-F]{6}", lambda hit: VARIABLES.get(hit[0].lower(), hit[0]), style)
    return re.sub(r"font: ([0-9.]+px)[^;]*", r"font-size: \1", style)


def _unique_references(root: ElementTree.Element) -> None:
    """Ids only where something refers to them, and then unique over the page."""
    prefix = f"s{next(_DRAWN)}-"
    for element in root.iter():
        if _LINK in element.attrib:
            target = element.attrib.pop(_LINK)
            element.set("href", f"#{prefix}{target[1:]}" if target.startswith("#") else target)
        if "clip-path" in element.attrib:
            element.set("clip-path", element.get("clip-path", "").replace("url(#", f"url(#{prefix}"))
    used = {e.get("href", "#")[1:] for e in root.iter() if e.get("href", "#").startswith("#")} | {
        e.get("clip-path", "")[5:-1] for e in root.iter()
    }
    for element in root.iter():
        if identity := element.attrib.pop("id", None):
            if prefix + identity in used:
                element.set("id", prefix + identity)
