"""The small drawing beside each number: a dot with its interval, on one scale for all rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actlab.report.standings import Row

WIDTH = 120.0
_MARGIN = 7.0


@dataclass(frozen=True)
class Whisker:
    """Positions on a drawing `WIDTH` wide.

    Attributes:
        mean: of the dot; None where the mean is not finite.
        low: left end of the interval; equal to `mean` where there is no interval.
        high: right end.
        cut: whether the row lies off the scale, which the bulk of the rows sets.
    """

    mean: float | None
    low: float
    high: float
    cut: bool = False


def whiskers(rows: Sequence[Row]) -> tuple[Whisker, ...]:
    """One whisker a row. A row more than ten times farther out than the others is drawn at the edge and marked."""
    ends = [_ends(row) for row in rows]
    left, right = _scale(e for e in ends if e is not None)
    return tuple(_placed(e, left, right) for e in ends)


def _ends(row: Row) -> tuple[float, float, float] | None:
    mean, (low, high) = row.measurement.mean, row.measurement.interval
    if not math.isfinite(mean):
        return None
    return (mean, low, high) if math.isfinite(low + high) else (mean, mean, mean)


def _scale(ends: Iterable[tuple[float, float, float]]) -> tuple[float, float]:
    """The span of all rows, without those that would crush the rest to a point."""
    kept = sorted(ends)
    while len(kept) > 2:
        gaps = [b[0] - a[0] for a, b in zip(kept, kept[1:], strict=False)]
        inner, first, last = kept[-2][0] - kept[0][0], gaps[0], gaps[-1]
        if last > 10 * max(inner, kept[-2][2] - kept[0][1], 1e-12):
            kept = kept[:-1]
        elif first > 10 * max(kept[-1][0] - kept[1][0], kept[-1][2] - kept[1][1], 1e-12):
            kept = kept[1:]
        else:
            break
    return (min(e[1] for e in kept), max(e[2] for e in kept)) if kept else (0.0, 1.0)


def _placed(ends: tuple[float, float, float] | None, left: float, right: float) -> Whisker:
    if ends is None:
        return Whisker(None, 0.0, 0.0)
    if ends[0] > right or ends[0] < left:
        edge = WIDTH - 3.0 if ends[0] > right else 3.0
        return Whisker(edge, edge, edge, cut=True)
    mean, low, high = (_position(e, left, right) for e in ends)
    return Whisker(mean, low, high)


def _position(value: float, left: float, right: float) -> float:
    share = 0.5 if right <= left else (value - left) / (right - left)
    return round(_MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * _MARGIN), 1)
