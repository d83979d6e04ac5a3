"""What enclosures on a cover say together: continuity, smoothness, kinks, monotonicity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.activations.facts import Monotone
from actlab.proofs.enclosure import Evaluator
from actlab.proofs.search import Boxes

MOST_KINKS = 64
TINY = 2.0**-40
"""A box relatively as narrow as this, or absolutely near 0, stands for the point at which a branch turns."""


@dataclass(frozen=True)
class Seams:
    """How the pieces of a function join."""

    continuous: bool | None
    smoothness: int | float | None
    kinks: tuple[float, ...] | None
    point_low: float
    """The least and the largest value at the seams themselves; at an end of the domain too if a branch turns there."""
    point_high: float
    jumps: tuple[tuple[float, int], ...]
    """Where f jumps, and whether the value never falls (1), never rises (-1) or neither (0) there."""
    breaks: np.ndarray
    """For each inner edge of the cover: the formula to its left is not the one to its right."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Seam:
    """One place where two pieces meet."""

    place: float
    order: int | float
    """The first derivative that differs: 0 the value itself, 1 the slope ...; inf where none does, NaN unknown."""
    direction: int
    close: float
    """How far apart the two values may be where they overlap without being known to be equal."""
    same: bool
    """The formula is the same on both sides, and smooth."""
    agree: int = 3
    """The highest derivative up to which both sides are known to be finite, and not seen to differ."""
    of_value: bool = False
    """An end of the domain, where the value meets a limit and the derivatives meet nothing."""


def seams(evaluator: Evaluator, boxes: Boxes) -> Seams:
    """Examines each edge where a branch turns, and each box in which one does."""
    n = len(boxes)
    found, low, high = _at_the_ends(evaluator, boxes)
    if n == 1:
        nothing = np.zeros(0, bool)
        return _summary(found, _hidden(boxes), boxes, nothing, low, high)
    differ = np.zeros(n - 1, bool)
    for column in boxes.decisions.T:
        differ |= ~(column[:-1] == column[1:])
    breaks = differ | boxes.rough[:-1] | boxes.rough[1:]
    singular = boxes.singular_right[:-1] | boxes.singular[1:]
    asked = breaks | boxes.touched[:-1] | boxes.touched[1:] | singular
    index = np.flatnonzero(asked & ~boxes.rough[:-1] & ~boxes.rough[1:] & ~boxes.undefined[:-1] & ~boxes.undefined[1:])
    if index.size:
        examined, *inner = _examined(evaluator, boxes, index, differ | singular)
        found += examined
        low, high = min(low, inner[0]), max(high, inner[1])
    narrow = _narrow_rough(boxes)
    for group in narrow:
        found.append(_across(evaluator, boxes, group))
    hidden = _hidden(boxes, [i for g in narrow for i in range(g[0], g[1] + 1)])
    return _summary(found, hidden, boxes, breaks, low, high)


def _at_the_ends(evaluator: Evaluator, boxes: Boxes) -> tuple[list[Seam], float, float]:
    """The seams of the domain's ends, where a branch turns there, and the least and the largest value at them."""
    ends = [(box, side) for box, side in ((0, 1), (len(boxes) - 1, 2)) if boxes.touched[box]]
    if not ends:
        return [], math.inf, -math.inf
    A = evaluator.A.thin
    index = np.asarray([box for box, _ in ends])
    points = np.asarray([boxes.left[0] if side == 1 else boxes.right[-1] for _, side in ends])
    low, high, undefined = _values(evaluator, points)
    at, inside = evaluator(points, points), evaluator(boxes.left[index], boxes.right[index])
    found = []
    for i, (box, side) in enumerate(ends):
        one_formula = (at.decisions[i] == inside.decisions[i]).all()
        if undefined[i] or boxes.rough[box] or boxes.undefined[box] or boxes.pole[box] or one_formula:
            continue
        value, limit = A.take(A.take(at.node.at[0], 0), i), A.take(A.take(inside.node.at[0], side), i)
        step = A.sub(value, limit)
        above, below = bool(A.gt(step, 0.0)), bool(A.lt(step, 0.0))
        order = 0 if above or below else math.inf
        direction = (int(above) - int(below)) * (1 if side == 2 else -1)
        close = A.distance(value, limit) if order else 0.0
        found.append(Seam(float(points[i]), order, direction, float(close), same=False, of_value=True))
    return found, float(np.min(low, initial=np.inf)), float(np.max(high, initial=-np.inf))


def holes(evaluator: Evaluator, boxes: Boxes) -> tuple[float, ...]:
    """Single points at which f has no value for certain, though it has one on both sides: a branch leads there."""
    edges, turns = boxes.edges(), np.zeros(len(boxes) + 1, bool)
    poles = turns.copy()
    for side in (slice(None, -1), slice(1, None)):
        turns[side] |= boxes.touched
        poles[side] |= boxes.pole
    points = edges[turns & ~poles]
    return tuple(points[evaluator(points, points).node.nowhere].tolist()) if points.size else ()


def _values(evaluator: Evaluator, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds of f at points, and where it may have no value (the bounds are those of an empty interval there)."""
    node = evaluator(points, points).node
    low, high = evaluator.A.floats(node.wide[0])
    return np.where(node.undefined, np.inf, low), np.where(node.undefined, -np.inf, high), node.undefined


def _examined(
    evaluator: Evaluator, boxes: Boxes, index: np.ndarray, differ: np.ndarray
) -> tuple[list[Seam], float, float]:
    """The seams at edges between two decided boxes, and the least and largest value at them."""
    A = evaluator.A.thin
    edge = boxes.right[index]
    before = evaluator(boxes.left[index], edge).node.at
    after = evaluator(edge, boxes.right[index + 1]).node.at
    value_low, value_high, undefined = _values(evaluator, edge)
    result = []
    sides = [(A.take(b, 2), A.take(a, 1)) for b, a in zip(before, after, strict=True)]
    bounds = [(A.floats(b), A.floats(a)) for b, a in sides]
    for i, k in enumerate(index):
        order, same, agree = math.inf, not differ[k], 3
        for j, (b, a) in enumerate(bounds):
            apart = A.apart(A.take(sides[j][0], i), A.take(sides[j][1], i))
            if apart or (j == 0 and not undefined[i] and _outside(value_low[i], value_high[i], b, a, i)):
                order = j
                break
            if not np.isfinite([b[0][i], b[1][i], a[0][i], a[1][i]]).all():
                order, agree = math.nan, j - 1
                break
        (bl, bh), (al, ah) = bounds[0]
        rises = bl[i] <= value_high[i] and value_low[i] <= ah[i] and bh[i] <= al[i]
        falls = bh[i] >= value_low[i] and value_high[i] >= al[i] and bl[i] >= ah[i]
        direction = 1 if rises else -1 if falls else 0
        close = A.distance(A.take(sides[0][0], i), A.take(sides[0][1], i)) if order > 0 else 0.0
        result.append(Seam(float(edge[i]), order, direction, float(close), bool(same), agree))
    return result, float(np.min(value_low, initial=np.inf)), float(np.max(value_high, initial=-np.inf))


def _outside(low: float, high: float, before: Any, after: Any, i: int) -> bool:
    """The value at the point itself is none of the limits."""
    return any(low > s[1][i] or high < s[0][i] for s in (before, after))


def _narrow_rough(boxes: Boxes) -> list[tuple[int, int]]:
    """Runs of neighbouring undecided boxes so narrow that they stand for a point."""
    groups: list[tuple[int, int]] = []
    for i in np.flatnonzero(boxes.rough):
        if groups and groups[-1][1] == i - 1:
            groups[-1] = (groups[-1][0], int(i))
        else:
            groups.append((int(i), int(i)))
    last = len(boxes) - 1
    return [g for g in groups if g[0] > 0 and g[1] < last and _is_point(boxes.left[g[0]], boxes.right[g[1]])]


def _is_point(left: float, right: float) -> bool:
    return bool(right - left <= TINY * max(abs(left), abs(right), 2.0**-20))


def _across(evaluator: Evaluator, boxes: Boxes, group: tuple[int, int]) -> Seam:
    """The seam inside a narrow box: by the jets at its two sides, of which a difference shows what breaks inside."""
    A = evaluator.A.thin
    first, last = group
    before = evaluator(boxes.left[[first - 1]], boxes.right[[first - 1]]).node.at
    after = evaluator(boxes.left[[last + 1]], boxes.right[[last + 1]]).node.at
    inside = evaluator(boxes.left[first : last + 1], boxes.right[first : last + 1]).node
    order = math.inf
    for j in range(4):
        (bl, bh), (al, ah) = A.floats(A.take(before[j], 2)), A.floats(A.take(after[j], 1))
        gap = max(float(bl[0] - ah[0]), float(al[0] - bh[0]))
        if gap > 1e-6 * max(1.0, abs(float(bl[0]))):
            order = j
            break
    low, high = evaluator.A.floats(inside.wide[0])
    close = float(np.max(high) - np.min(low)) if inside.jumpy.any() else 0.0
    if order == 0 and not inside.jumpy.any():
        order = 1
    return Seam(float(boxes.left[first]), order, 0, close, False)


def _hidden(boxes: Boxes, shown: list[int] | None = None) -> np.ndarray:
    """Boxes in which something breaks that no seam tells of."""
    hidden = boxes.rough.copy()
    hidden[shown or []] = False
    return hidden


def _summary(found: list[Seam], hidden: np.ndarray, boxes: Boxes, breaks: np.ndarray, low: float, high: float) -> Seams:
    notes: list[str] = []
    if boxes.pole.any():
        notes.append(f"a pole {_near(boxes)}: continuity, smoothness and kinks are not claimed")
        return Seams(None, None, None, low, high, (), breaks, tuple(notes))
    broken = [s for s in found if s.order == 0]
    far = [s for s in found if s.order > 0 and s.close > CLOSE * max(1.0, abs(s.place))]
    continuous: bool | None = not broken
    if not broken and (far or (hidden & boxes.jumpy).any()):
        continuous = None
    near = [s for s in found if 0 < s.order and 0 < s.close and s not in far and not s.same]
    if near and continuous:
        worst = max(s.close for s in near)
        where = ", ".join(f"{s.place:.6g}" for s in near[:4])
        notes.append(f"continuous at {where} up to a jump of at most {worst:.1e}: equality of reals cannot be computed")
    kinky = [s for s in found if s.order <= 3]
    unknown = [s for s in found if math.isnan(s.order) or (math.isinf(s.order) and not (s.same or s.of_value))]
    smoothness: int | float | None = math.inf
    if broken:
        smoothness = -1
    elif continuous is None:
        smoothness = None
    elif hidden.any():
        smoothness = 0
        notes.append("a branch turns at more places than were followed: smoothness is at least 0, kinks are not known")
    elif kinky and not any(math.isnan(s.order) for s in unknown):
        smoothness = int(min(s.order for s in kinky)) - 1
    elif any(math.isnan(s.order) for s in unknown):
        smoothness = max(0, min([s.agree for s in unknown if math.isnan(s.order)] + [int(s.order) - 1 for s in kinky]))
        notes.append(f"{DERIVATIVES[smoothness + 1]} may be unbounded where two pieces meet")
    elif unknown:
        smoothness = 3
        notes.append("two formulas agree to the third derivative where they meet: smoothness is at least 3")
    steep = [s for s in unknown if math.isnan(s.order)]
    kinks: tuple[float, ...] | None = tuple(sorted({s.place for s in (*kinky, *steep)}))
    if hidden.any() or len(kinks) > MOST_KINKS:
        kinks = None
    jumps = tuple((s.place, s.direction) for s in broken)
    return Seams(continuous, smoothness, kinks, low, high, jumps, breaks, tuple(notes))


def _near(boxes: Boxes) -> str:
    """Where the narrowest boxes with a pole lie."""
    index = np.flatnonzero(boxes.pole)
    index = index[np.argsort((boxes.right - boxes.left)[index], kind="stable")][:4]
    places = [0.0 if a <= 0 <= b else a for a, b in zip(boxes.left[index], boxes.right[index], strict=True)]
    return "at or near x = " + ", ".join(dict.fromkeys(f"{x:.4g}" for x in places))


DERIVATIVES = ("the value", "the slope", "the curvature", "the third derivative")
CLOSE = 1e-12
"""One-sided values that may differ by so much at most count as equal, with a note."""


def monotone(boxes: Boxes, joined: Seams) -> Monotone:
    """The order that f keeps, by the sign of its slope on every box and the direction of every jump.

    Strictly: a real-analytic function whose slope keeps its sign, and that is not constant, has a slope of 0 at
    isolated points at most. So each piece needs two different values only.
    """
    if joined.continuous is None or (boxes.rough & boxes.jumpy).any() or (boxes.undefined | boxes.pole).any():
        return _unordered(boxes)
    rising = bool((boxes.low[1] >= 0).all()) and all(d > 0 for _, d in joined.jumps)
    falling = bool((boxes.high[1] <= 0).all()) and all(d < 0 for _, d in joined.jumps)
    if not (rising or falling):
        return _unordered(boxes)
    strict = _never_constant(boxes, joined.breaks)
    if rising:
        return "strictly increasing" if strict else "nondecreasing"
    return "strictly decreasing" if strict else "nonincreasing"


def _unordered(boxes: Boxes) -> Monotone:
    both = (boxes.attained_high[1] > 0).any() and (boxes.attained_low[1] < 0).any()
    return "none" if both else "unknown"


def _never_constant(boxes: Boxes, breaks: np.ndarray) -> bool:
    """Every piece between two breaks takes two different values; every undecided box has a slope away from 0."""
    steep = (boxes.low[1] > 0) | (boxes.high[1] < 0)
    piece = np.concatenate([[0], np.cumsum(breaks)])
    for k in range(int(piece[-1]) + 1):
        members = piece == k
        if boxes.rough[members].any():
            if not steep[members].all():
                return False
            continue
        low, high = boxes.value_low[:, members], boxes.value_high[:, members]
        if not np.nanmin(high) < np.nanmax(low):
            return False
    return True
