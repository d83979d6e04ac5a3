"""Every root of a function of one number in an interval: none missed, each alone in its bracket, by interval bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from actlab.proofs.enclosure import Evaluator
from actlab.proofs.ends import FloatEnds
from actlab.proofs.trace import traced

PARTS = 64
"""Boxes that a search begins with."""
CUT = 0.4861
"""Where a box is cut, as a share of it: off the middle, lest a root at a round number lie on an edge."""
ROUNDS, HALVINGS = 60, 120


class RootError(ValueError):
    """The roots cannot be told apart, or the function has no value somewhere in the interval."""


@dataclass(frozen=True)
class Roots:
    """All roots in an interval, ascending.

    Attributes:
        lower: of each bracket, shape (roots,), float64.
        upper: of each bracket; the function changes sign in it and its derivative does not.
        boxes: how many boxes it took to exclude all others.
    """

    lower: Float[np.ndarray, " roots"]
    upper: Float[np.ndarray, " roots"]
    boxes: int

    @property
    def points(self) -> Float[np.ndarray, " roots"]:
        """The middles of the brackets, which are as narrow as float64 bounds allow."""
        return 0.5 * (self.lower + self.upper)


def all_roots(
    f: Callable[[Any], Any], lower: float, upper: float, *, order: int = 0, narrowest: float = 1e-11, name: str = "f"
) -> Roots:
    """Every x in [lower, upper] at which the derivative of this order is 0.

    Boxes over which outward-rounded bounds exclude 0 are dropped, those over which the next derivative keeps its sign
    hold one root or none, all others are cut: so the list is complete, up to the accuracy of the C library's functions,
    which is taken to be 8 units in the last place.

    Args:
        f: a function of one number, made of operations that `actlab.proofs.certify` knows; smooth where 0 is not
            excluded.
        lower: of the interval.
        upper: of the interval, above `lower`.
        order: 0, 1 or 2: roots of f, of its slope, of its curvature.
        narrowest: boxes of this width over max(1, |x|) are not cut any further.
        name: of the function, for errors.

    Raises:
        ValueError: the interval is empty or not finite, or the order is none of these.
        UnsupportedPrimitiveError: an operation without bounds.
        RootError: a root that may be double or lies at an end of the interval, or a place where the function has no
            value.

    Source: Moore, Kearfott & Cloud 2009, Introduction to Interval Analysis, chapter 8.
    """
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise ValueError(f"all_roots: [{lower}, {upper}] must be finite, the lower end below the upper")
    if order not in (0, 1, 2):
        raise ValueError(f"all_roots: order = {order}; it is 0, 1 or 2")
    evaluator = Evaluator(traced(f, name=name), FloatEnds())
    edges = lower + (upper - lower) * np.arange(PARTS + 1) / PARTS
    edges[1:-1] += (upper - lower) / PARTS * (CUT - 0.5)
    left, right, boxes = edges[:-1], edges[1:], 0
    brackets: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(ROUNDS):
        boxes += left.size
        left, right, single = _judged(evaluator, left, right, order, name)
        brackets.append((left[single], right[single]))
        left, right = left[~single], right[~single]
        if not left.size:
            break
        thin = right - left <= narrowest * np.maximum(1.0, np.abs(left))
        if thin.any():
            raise _undecided(left[thin][0], right[thin][0], name)
        middle = left + CUT * (right - left)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    else:
        raise _undecided(left[0], right[0], name)
    low, high = (np.concatenate(ends) for ends in zip(*brackets, strict=True))
    low, high = _narrowed(evaluator, low, high, order)
    first = np.argsort(low)
    return Roots(low[first], high[first], boxes)


def _undecided(left: float, right: float, name: str) -> RootError:
    return RootError(
        f"{name}: perhaps a double root in [{left:.15g}, {right:.15g}], or one at an end of the interval; change a "
        "parameter or the interval slightly"
    )


def _judged(
    evaluator: Evaluator, left: np.ndarray, right: np.ndarray, order: int, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The boxes that may hold a root, and which of them hold exactly one."""
    with np.errstate(all="ignore"):
        node = evaluator(left, right).node
    if node.nowhere.any() or (node.undefined & (right - left < 1e-6 * np.maximum(1.0, np.abs(left)))).any():
        raise RootError(f"{name} is not defined everywhere in [{left.min():.6g}, {right.max():.6g}]")
    A = evaluator.A
    low, high = A.floats(node.wide[order])
    slope_low, slope_high = A.floats(node.wide[order + 1])
    maybe = ~((low > 0) | (high < 0)) | node.undefined
    steady = ((slope_low > 0) | (slope_high < 0)) & ~node.rough & ~node.undefined
    below, above = A.floats(node.at[order])
    signs = np.where(below > 0, 1, np.where(above < 0, -1, 0))[1:]  # at the left and the right end; 0 is undecided
    crossing = steady & (signs[0] * signs[1] < 0)
    maybe &= ~(steady & (signs[0] * signs[1] > 0))
    return left[maybe], right[maybe], crossing[maybe]


def _narrowed(evaluator: Evaluator, left: np.ndarray, right: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """The brackets, narrowed by Newton's method in interval arithmetic, or halved where that is better.

    The slope keeps its sign, so every root lies in m - f(m)/f'(bracket): a few rounds reach the accuracy of f itself.
    """
    if not left.size:
        return left, right
    A, rising = evaluator.A, None
    for _ in range(HALVINGS):
        with np.errstate(all="ignore"):
            node = evaluator(left, right).node
            middle, value = 0.5 * left + 0.5 * right, A.take(node.at[order], 0)
            low, high = A.floats(A.sub(A.point(middle), A.div(value, node.wide[order + 1])))
        sign = np.where(value.lo > 0, 1, np.where(value.hi < 0, -1, 0))
        if rising is None:  # the sign at the right ends
            at_right = A.floats(A.take(node.at[order], 2))
            rising = np.where(at_right[0] > 0, 1, -1)
        new_left = np.fmax(np.where(sign == -rising, middle, left), low)
        new_right = np.fmin(np.where(sign == rising, middle, right), high)
        kept = ~(new_left <= new_right)  # of rounding alone
        new_left, new_right = np.where(kept, left, new_left), np.where(kept, right, new_right)
        done = new_right - new_left > 0.9 * (right - left)
        left, right = new_left, new_right
        if done.all():
            break
    return left, right
