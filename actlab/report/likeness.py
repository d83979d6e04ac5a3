"""Drawings of an activation's portrait: f, f' and f'' with the known bounds labelled and the kinks marked."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from actlab.report.drawing import inline, number_ticks, panel
from actlab.report.numbers import bound, number
from actlab.report.palette import INK, MUTED, Stroke
from actlab.report.picture import Picture
from actlab.report.profile import Profile
from actlab.report.sentences import count, listing

PARTS = (("f(x)", "range", "value"), ("f′(x)", "slope", "slope"), ("f″(x)", "curvature", "curvature"))
SLACK = 2e-5
"""Samples are in float32: they may leave a true bound by this much, relative to its size."""


def likeness(profile: Profile, stroke: Stroke) -> tuple[Picture, ...]:
    """The three panels of a portrait; none where it is missing."""
    if profile.portrait.missing:
        return ()
    return tuple(_panel(profile, stroke, *part) for part in PARTS)


def legend(profile: Profile) -> str:
    """What the lines and dots of the portrait mean; only what is there."""
    facts, portrait, said = profile.facts, profile.portrait, []
    if any(_visible(facts[fact], _view(getattr(portrait, curve), facts[fact])) for _, fact, curve in PARTS):
        proved = facts["standing"] == "proved"
        why = "solid because they are proved" if proved else "dashed because they are declared and not proved"
        said.append(f"Horizontal lines are the finite bounds, {why}.")
    if any(portrait.window[0] < float(k) < portrait.window[1] for k in facts["kinks"] or ()):
        said.append("Dots on dotted lines are kinks.")
    if facts["gradient"] == "surrogate":
        said.append("f′ and f″ are those that autodiff uses, a declared surrogate.")
    if portrait.channels > 1:
        shown = f"{portrait.value.shape[0]} of {portrait.channels} channels are drawn"
        said.append(f"Its parameters are vectors: {shown}, and bounds hold over all of them.")
    return " ".join(said)


def outside(profile: Profile, fact: str, curve: str) -> int:
    """How many samples lie outside the known bounds; a surrogate's derivative, not the function's, is not counted."""
    bounds, samples = profile.facts[fact], getattr(profile.portrait, curve)
    if bounds is None or (fact != "range" and profile.facts["gradient"] == "surrogate"):
        return 0
    low, high = (float(b) for b in bounds)
    slack = [SLACK * max(1.0, abs(b)) if math.isfinite(b) else 0.0 for b in (low, high)]
    finite = samples[np.isfinite(samples)]
    return int(np.sum((finite < low - slack[0]) | (finite > high + slack[1])))


def seen(profile: Profile, curve: str) -> tuple[float, float] | None:
    """The smallest and largest finite sample; None without one."""
    samples = getattr(profile.portrait, curve)
    finite = samples[np.isfinite(samples)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _panel(profile: Profile, stroke: Stroke, title: str, fact: str, curve: str) -> Picture:
    samples, bounds = getattr(profile.portrait, curve), profile.facts[fact]
    with panel((3.9, 2.9)) as (figure, axes):
        axes.axvline(0.0, color=MUTED, linewidth=0.6, alpha=0.6)
        view = _view(samples, bounds)
        for order, channel in enumerate(samples):
            _line(axes, profile, channel, stroke, 1.0 - 0.16 * order)
        _bounds(axes, bounds, profile.facts["standing"], view)
        _mark_kinks(axes, profile, samples)
        axes.set_xlim(*profile.portrait.window)
        axes.set_ylim(*view)
        number_ticks(axes)
        axes.set_xlabel("x")
        svg: Markup = inline(figure, _spoken(profile, title, fact, curve))
    return Picture(title, svg, (profile.name,), _remarks(profile, samples, view, fact, curve))


def _view(samples: np.ndarray, bounds: list | None) -> tuple[float, float]:
    """Vertical limits: the samples and the finite bounds near them, with head room; spikes are cut off and reported."""
    finite = samples[np.isfinite(samples)]
    if not finite.size:
        return -1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    middle = np.percentile(finite, [5, 95])
    typical = max(float(middle[1] - middle[0]), 1e-3)
    if high - low > 40 * typical:
        low, high = max(low, float(middle[0]) - 4 * typical), min(high, float(middle[1]) + 4 * typical)
    size = max(high - low, 1e-3)
    ends = [float(b) for b in bounds or () if math.isfinite(float(b))]
    near = [b for b in ends if low - size <= b <= high + size]
    low, high = min([low, *near]), max([high, *near])
    flat = 0.5 if high - low < 1e-6 else 0.0
    room = 0.14 * max(high - low, 1e-3)
    return low - room - flat, high + room + flat


def _line(axes: Axes, profile: Profile, channel: np.ndarray, stroke: Stroke, alpha: float) -> None:
    """One channel, broken at the kinks: a jump is not a part of the function."""
    x, y = profile.portrait.x, np.where(np.isfinite(channel), channel, np.nan)
    kinks = np.array([float(k) for k in profile.facts["kinks"] or ()])
    cuts = np.unique(np.searchsorted(x, np.sort(kinks)))
    for part_x, part_y in zip(np.split(x, cuts), np.split(y, cuts), strict=True):
        axes.plot(part_x, part_y, color=stroke.colour, linewidth=2.2, alpha=alpha, zorder=4)


def _visible(bounds: list | None, view: tuple[float, float]) -> dict[Literal["lower", "upper"], float]:
    """The finite bounds that lie in the view, by side."""
    sides: tuple[Literal["lower", "upper"], ...] = ("lower", "upper")
    ends = zip(sides, map(float, bounds or ()), strict=False)
    return {side: end for side, end in ends if math.isfinite(end) and view[0] <= end <= view[1]}


def _bounds(axes: Axes, bounds: list | None, standing: str, view: tuple[float, float]) -> None:
    ends = _visible(bounds, view)
    same = len(ends) == 2 and ends["lower"] == ends["upper"]
    for side, end in ends.items():
        up = side == "upper"
        if same and not up:
            continue
        style = "solid" if standing == "proved" else (0, (5, 3))
        axes.axhline(end, color=INK, linewidth=0.9, linestyle=style, zorder=3)
        said = f"both bounds {bound(end)}" if same else f"{side} bound {bound(end, side)}"
        axes.annotate(
            said,
            (0.995 if up else 0.005, end),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3 if up else -4),
            textcoords="offset points",
            ha="right" if up else "left",
            va="bottom" if up else "top",
            fontsize=9,
            zorder=5,
        )


def _mark_kinks(axes: Axes, profile: Profile, samples: np.ndarray) -> None:
    x = profile.portrait.x
    for kink in (float(k) for k in profile.facts["kinks"] or ()):
        if not x[0] < kink < x[-1]:
            continue
        axes.axvline(kink, color=INK, linewidth=0.9, linestyle=(0, (1, 2.2)), zorder=2)
        i = int(np.searchsorted(x, kink))
        for y in {float(v) for v in samples[:, i - 1 : i + 1].ravel() if np.isfinite(v)}:
            axes.plot([kink], [y], "o", markersize=4.2, markerfacecolor=INK, markeredgewidth=0, zorder=6)


def _spoken(profile: Profile, title: str, fact: str, curve: str) -> str:
    left, right = profile.portrait.window
    ends = seen(profile, curve)
    said = f"values from {number(ends[0])} to {number(ends[1])}" if ends else "no finite value"
    bounds = profile.facts[fact]
    known = f"{fact} not known"
    if bounds:
        known = f"{fact} within {bound(bounds[0], 'lower')} and {bound(bounds[1], 'upper')}"
    return f"{title} of {profile.name} for x from {number(left)} to {number(right)}: {said}; {known}."


def _remarks(profile: Profile, samples: np.ndarray, view: tuple[float, float], fact: str, curve: str) -> str:
    bounds = profile.facts[fact]
    said = []
    if bounds is None:
        said.append("No bound is known.")
    else:
        open_sides = [side for side, end in zip(("below", "above"), bounds, strict=True) if math.isinf(float(end))]
        if open_sides:
            said.append(f"Unbounded {listing(open_sides[::-1])}.")
    bad = int(np.sum(~np.isfinite(samples)))
    if bad:
        said.append(f"Not finite at {bad} of {count(samples.size, 'sampled point')}: not drawn there.")
    finite = samples[np.isfinite(samples)]
    if np.any((finite < view[0]) | (finite > view[1])):
        said.append(f"Axis cut: samples reach {number(float(finite.min()))} to {number(float(finite.max()))}.")
    if wrong := outside(profile, fact, curve):
        said.append(f"{count(wrong, 'sample')} outside the {profile.facts['standing']} bounds.")
    return " ".join(said)
