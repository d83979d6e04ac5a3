"""Branch and bound: a cover of the domain by boxes, fine where the extremes of f, f', f'' are, coarse elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.proofs.enclosure import Enclosure, Evaluator

LARGEST = float(np.finfo(np.float32).max)
FINEST = -10
"""The boxes next to 0 end at 2^FINEST; the others are the dyadic intervals [2^k, 2^(k+1)] on both sides."""
BUDGET = 12_000
"""Evaluated boxes in all, after which the search ends as it stands."""
BALLS = 1500
"""Boxes that the fast tier evaluates in balls, where float64 overflows."""
PATIENCE = 3000
"""Boxes that may pass without a bound coming a hundredth nearer to what is attained."""
LEAST_WIDTH = 2.0**-30
"""Of boxes with an infinite bound, relative: so narrow, they show where the pole is."""
CROWD = 64
"""Of more than twice as many boxes that could be split for one bound, only so many of each kind are."""
MANY = 1000
"""Boxes of a cover beyond which it is searched for once more, for a smaller one."""
OVERFLOWING = 1e300
"""What is attained beyond it is claimed as infinite, in floats."""
FAR = 2.0**64
"""What still grows by a hundredth beyond it is taken to grow for ever."""


def initial_edges(lower: float, upper: float) -> np.ndarray:
    """The ends of the domain, and zero and the powers of two of both signs as far as they lie in it."""
    powers = 2.0 ** np.arange(FINEST, 128)
    every = np.concatenate([[lower, upper, 0.0], powers, -powers])
    return np.unique(every[(every >= lower) & (every <= upper)]) + 0.0


@dataclass
class Boxes:
    """Evaluated boxes: their ends and, for f, f', f'', the enclosures and what is attained for certain."""

    left: np.ndarray
    right: np.ndarray
    low: np.ndarray
    """(3, n) lower bounds of f, f', f''."""
    high: np.ndarray
    attained_low: np.ndarray
    """(3, n): some value (or one-sided limit of values) is at most this."""
    attained_high: np.ndarray
    rough: np.ndarray
    jumpy: np.ndarray
    undefined: np.ndarray
    singular: np.ndarray
    singular_right: np.ndarray
    pole: np.ndarray
    nowhere: np.ndarray
    culprit: np.ndarray
    root: np.ndarray
    decisions: np.ndarray
    touched: np.ndarray
    value_low: np.ndarray
    """(3, n): f at the midpoint, the left and the right end."""
    value_high: np.ndarray

    def __len__(self) -> int:
        return self.left.size

    def take(self, index: Any) -> Boxes:
        """Some of the boxes."""
        values = {n: getattr(self, n)[..., index] for n in _LAST} | {n: getattr(self, n)[index] for n in _FIRST}
        return Boxes(**values)

    def joined(self, other: Boxes) -> Boxes:
        """Both, in the order of the line."""
        values = {n: np.concatenate([getattr(self, n), getattr(other, n)], -1) for n in _LAST}
        values |= {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in _FIRST}
        return Boxes(**values).take(np.argsort(values["left"], kind="stable"))

    def edges(self) -> np.ndarray:
        """All ends, in order."""
        return np.append(self.left, self.right[-1])


_LAST = ("value_low", "value_high", "low", "high", "attained_low", "attained_high")
_FIRST = (
    "left",
    "right",
    "rough",
    "jumpy",
    "undefined",
    "singular",
    "singular_right",
    "pole",
    "nowhere",
    "culprit",
    "root",
    "decisions",
    "touched",
)


def evaluated(evaluator: Evaluator, left: np.ndarray, right: np.ndarray) -> Boxes:
    """The boxes with their enclosures, rounded outward to floats; what overflows float64 is computed in balls."""
    boxes = _evaluated(evaluator, left, right)
    lost = (np.isinf(boxes.low).any(0) | np.isinf(boxes.high).any(0)) & ~boxes.undefined
    if evaluator.A.tier == "proved" or not lost.any() or evaluator.in_balls > BALLS:
        return boxes
    evaluator.in_balls += int(lost.sum())
    from actlab.proofs.ball_ends import BallEnds

    again = _evaluated(Evaluator(evaluator.program, BallEnds(200)), left[lost], right[lost])
    return boxes.take(~lost).joined(again)


def _evaluated(evaluator: Evaluator, left: np.ndarray, right: np.ndarray) -> Boxes:
    A, B = evaluator.A, evaluator.A.thin
    enclosure: Enclosure = evaluator(left, right)
    node = enclosure.node
    bounds = [A.floats(node.wide[k]) for k in range(3)]
    thin = [B.floats(node.at[k]) for k in range(3)]
    known = ~(node.rough | node.undefined)
    attained_low = np.where(known, [np.min(t[1], 0) for t in thin], np.inf)
    attained_high = np.where(known, [np.max(t[0], 0) for t in thin], -np.inf)
    return Boxes(
        left,
        right,
        np.where(node.undefined, -np.inf, [b[0] for b in bounds]),
        np.where(node.undefined, np.inf, [b[1] for b in bounds]),
        np.where(np.isnan(attained_low), np.inf, attained_low),
        np.where(np.isnan(attained_high), -np.inf, attained_high),
        node.rough,
        node.jumpy,
        node.undefined,
        node.singular,
        node.singular_right,
        node.pole,
        node.nowhere,
        enclosure.culprit,
        enclosure.root,
        enclosure.decisions,
        enclosure.touched,
        thin[0][0],
        thin[0][1],
    )


@dataclass
class Found:
    """The cover, and how near its bounds come to what is attained."""

    boxes: Boxes
    best: np.ndarray
    """What is attained: see `attained`."""
    targets: np.ndarray
    """(2, 3): the least and largest values of f, f', f'' that bounds are measured by; what is attained, as a rule."""


def search(
    evaluator: Evaluator,
    lower: float,
    upper: float,
    *,
    tolerance: float,
    order: int,
    known: Found | None = None,
    grows: bool = False,
) -> Found:
    """Splits boxes until each bound is at most the tolerance away from a value that is attained.

    The tolerance is relative to max(1, |value|). A box whose branch is undecided is split where the branch turns, and
    no further than to neighbouring floats. Ends early where no bound improves any more, or the budget is spent; the
    search is then repeated, aiming at no more than what was reached, so that the cover has no box without use. With
    `grows`, extremes that grow up to the ends of the domain are left alone: they are claimed as infinite. Where f has
    no value in a part of the domain, only the border of that part is looked for. A search may go on from a `known` one.
    """
    if known is None:
        edges = initial_edges(lower, upper)
        first = evaluated(evaluator, edges[:-1], edges[1:])
        found, stuck = _refined(evaluator, first, None, None, tolerance, order, grows, BUDGET, PATIENCE)
        if len(found.boxes) > MANY:  # once more, with what is attained, or at best reached, known from the start
            targets = _reached(found, tolerance) if stuck else None
            budget = 4 * MANY if stuck else BUDGET
            found, _ = _refined(evaluator, first, found.best, targets, tolerance, order, grows, budget, PATIENCE)
        return found
    start = known.boxes, known.best, known.targets
    found, _ = _refined(evaluator, *start, tolerance, order, grows, BUDGET, PATIENCE // 6)
    return found


def _refined(
    evaluator: Evaluator,
    boxes: Boxes,
    best: np.ndarray | None,
    targets: np.ndarray | None,
    tolerance: float,
    order: int,
    grows: bool,
    budget: int,
    patience: int,
) -> tuple[Found, bool]:
    """Splits until no box is loose; whether it ended before that."""
    spent = progress = 0
    nearest = np.full((2, 3), np.inf)
    while True:
        best = attained(boxes, best)
        aims = best[0] if targets is None else np.where(np.isfinite(targets), targets, best[0])
        aims = np.stack([np.minimum(aims[0], best[0, 0]), np.maximum(aims[1], best[0, 1])])
        wanted = _splittable(boxes) & _loose(boxes, tolerance, order, best, aims, grows)
        distance = _distance(boxes, aims)
        if (distance < 0.99 * nearest).any():
            progress = spent
        nearest = np.minimum(nearest, distance)
        stuck = spent >= budget or spent - progress > patience
        if not wanted.any() or stuck:
            return Found(boxes, best, aims), bool(wanted.any())
        left, right = _split(boxes.take(np.flatnonzero(wanted)))
        new = evaluated(evaluator, left, right)
        spent += len(new)
        boxes = boxes.take(~wanted).joined(new)


def _distance(boxes: Boxes, aims: np.ndarray) -> np.ndarray:
    """(2, 3): how far the bounds are from what they are measured by; infinite or finite."""
    with np.errstate(all="ignore"):
        result = np.stack([aims[0] - boxes.low.min(1), boxes.high.max(1) - aims[1]])
    return np.where(np.isnan(result), np.inf, np.maximum(result, 0.0))


def _reached(found: Found, tolerance: float) -> np.ndarray:
    """The aims that were reached, and of the others the bounds as they stand."""
    distance, boxes = _distance(found.boxes, found.targets), found.boxes
    bounds = np.stack([boxes.low.min(1), boxes.high.max(1)])
    with np.errstate(all="ignore"):
        near = distance <= tolerance * np.maximum(1.0, np.abs(found.targets))
    return np.where(near, found.targets, bounds)


def attained(boxes: Boxes, before: np.ndarray | None = None) -> np.ndarray:
    """(2, 2, 3): of the whole cover, then of |x| <= FAR: the least and the largest values of f, f', f'' attained."""
    middle = (boxes.left >= -FAR) & (boxes.right <= FAR)
    result = np.empty((2, 2, 3))
    for i, part in enumerate((slice(None), middle)):
        result[i, 0] = np.min(boxes.attained_low[:, part], 1, initial=np.inf)
        result[i, 1] = np.max(boxes.attained_high[:, part], 1, initial=-np.inf)
    if before is not None:
        result[:, 0] = np.minimum(result[:, 0], before[:, 0])
        result[:, 1] = np.maximum(result[:, 1], before[:, 1])
    return result


def growing(best: np.ndarray) -> np.ndarray:
    """(2, 3): which extremes of f, f', f'' go on growing far out."""
    with np.errstate(all="ignore"):
        growth = np.abs(best[0] - best[1]) > 0.01 * np.maximum(1.0, np.abs(best[1]))
    return growth & np.isfinite(best[1])


def _loose(boxes: Boxes, tolerance: float, order: int, best: np.ndarray, aims: np.ndarray, grows: bool) -> np.ndarray:
    """The boxes that keep some bound away from what is attained, and those that are undefined or undecided.

    Of very many at once only the worst and the narrowest: what these attain may settle the others (the sine's crests).
    """
    if boxes.nowhere.any():
        return boxes.undefined & ~boxes.nowhere
    width = boxes.right - boxes.left
    splittable, open_ends = _splittable(boxes), growing(best) if grows else np.zeros((2, 3), bool)
    roots = np.flatnonzero(np.isfinite(boxes.root) & splittable)
    wanted = boxes.undefined.copy()
    wanted[roots[np.argsort(width[roots], kind="stable")[:CROWD]]] = True
    for k in range(order + 1):
        for side, (bound, sign) in enumerate(((boxes.low[k], -1.0), (boxes.high[k], 1.0))):
            value = aims[side, k]
            if open_ends[side, k] or abs(value) > OVERFLOWING or (np.isinf(bound) & ~splittable).any():
                continue  # claimed as infinite, rightly or because a pole is found
            with np.errstate(all="ignore"):
                loose = (bound - value) * sign > 0.5 * tolerance * max(1.0, abs(value))
            loose &= splittable
            if loose.sum() > 2 * CROWD:
                few = np.flatnonzero(loose)
                worst = few[np.argsort(-sign * bound[few], kind="stable")[:CROWD]]
                narrow = few[np.argsort(width[few], kind="stable")[:CROWD]]
                loose = np.zeros_like(loose)
                loose[worst] = loose[narrow] = True
            wanted |= loose
    return wanted


def _splittable(boxes: Boxes) -> np.ndarray:
    width = boxes.right - boxes.left
    size = np.maximum(np.abs(boxes.left), np.abs(boxes.right))
    infinite = np.isinf(boxes.low).any(0) | np.isinf(boxes.high).any(0)
    least = np.where(infinite | boxes.undefined, LEAST_WIDTH * np.maximum(size, 2.0**-20), 0.0)
    middle = 0.5 * boxes.left + 0.5 * boxes.right
    return (width > least) & (middle > boxes.left) & (middle < boxes.right)


def _split(boxes: Boxes) -> tuple[np.ndarray, np.ndarray]:
    """Into four parts; where an undecided branch turns at a known point, at that float and its neighbours too."""
    left, right = boxes.left, boxes.right
    middle = 0.5 * left + 0.5 * right
    quarters = [0.5 * left + 0.5 * middle, middle, 0.5 * middle + 0.5 * right]
    cuts = [left, *quarters, right]
    near = middle + np.where(np.isfinite(boxes.root), boxes.root, np.nan)
    around = [near, np.nextafter(near, -np.inf), np.nextafter(near, np.inf)]
    cuts += [np.where((c > left) & (c < right), c, left) for c in around]
    points = np.sort(np.stack(cuts), 0)
    lefts, rights = points[:-1].ravel(), points[1:].ravel()
    proper = rights > lefts
    return lefts[proper], rights[proper]
