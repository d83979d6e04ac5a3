"""Operations that branch: which way each box goes, and what holds where that is undecided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from actlab.proofs import jets

COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
STEPS = ("floor", "ceil", "round")
FLAGS = ("undefined", "singular", "pole", "nowhere", "singular_right")
BRANCHES = frozenset([*COMPARISONS, *STEPS, "and", "or", "not", "xor", "abs", "sign", "max", "min", "select", "number"])


class Truth(NamedTuple):
    """Where a predicate certainly holds, almost everywhere in the box, and where it certainly fails."""

    true: np.ndarray
    false: np.ndarray


class Branching:
    """Decides branches on n boxes, and keeps the record of the decisions."""

    def __init__(self, arithmetic: Any, point: np.ndarray) -> None:
        self.A, self.n = arithmetic, point.size
        self.point = point
        """Boxes of one point, where nothing holds "almost everywhere"."""
        self.columns: list[np.ndarray] = []
        self.touched = np.zeros(self.n, bool)
        self.root = np.full(self.n, np.nan)

    def table(self) -> np.ndarray:
        """The decisions, one column for each branch."""
        return np.stack(self.columns, 1) if self.columns else np.zeros((self.n, 0))

    def record(self, irrelevant: bool, piece: np.ndarray, u: Any) -> np.ndarray:
        """Notes which piece of an algebraic function is taken; returns where that is undecided."""
        if irrelevant:
            return np.zeros(self.n, bool)
        self._note(piece, u)
        return np.isnan(piece)

    def apply(self, op: str, args: list[Any], difference: Any) -> Any:
        """The Node or the Truth of one operation."""
        if op in COMPARISONS:
            return self._compare(op, difference)
        if op in ("and", "or", "not", "xor"):
            return _connect(op, [self.truth(a) for a in args])
        if op in ("select", "number"):
            return self._select(op, args)
        if op in STEPS:
            return self._step(op, difference)
        return self._signed(op, args, difference)

    def truth(self, value: Any) -> Truth:
        """A predicate; a number is false where it is 0."""
        if isinstance(value, Truth):
            return value
        zero = self.A.ge(value.wide[0], 0.0) & self.A.le(value.wide[0], 0.0)
        return Truth(self.A.gt(value.wide[0], 0.0) | self.A.lt(value.wide[0], 0.0), zero)

    def _sides(self, d: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Where d > 0, d < 0 and d = 0 almost everywhere, and where one of the first two touches 0 at an end."""
        A, value = self.A, d.wide[0]
        steep = (A.gt(d.wide[1], 0.0) | A.lt(d.wide[1], 0.0)) & ~d.rough & ~self.point
        zero = A.ge(value, 0.0) & A.le(value, 0.0)
        above, below = A.gt(value, 0.0), A.lt(value, 0.0)
        up, down = A.ge(value, 0.0) & steep, A.le(value, 0.0) & steep
        touches = (up & ~above) | (down & ~below)
        defined = ~d.undefined
        return (above | up) & defined, (below | down) & defined, zero & defined, touches & defined

    def _note(self, decision: np.ndarray, d: Any) -> None:
        self.columns.append(decision)
        undecided = np.isnan(decision)
        if undecided.any():
            middle, slope = (self.A.thin.middle(self.A.thin.take(d.at[k], 0)) for k in (0, 1))
            with np.errstate(all="ignore"):
                step = -middle / slope
            self.root = np.where(undecided & np.isnan(self.root), step, self.root)

    def _compare(self, op: str, d: Any) -> Truth:
        above, below, zero, touches = self._sides(d)
        A, value = self.A, d.wide[0]
        not_below, not_above = A.ge(value, 0.0) & ~d.undefined, A.le(value, 0.0) & ~d.undefined
        true, false = {
            "gt": (above, not_above),
            "lt": (below, not_below),
            "ge": (not_below, below),
            "le": (not_above, above),
            "eq": (zero, above | below),
            "ne": (above | below, zero),
        }[op]
        decision = np.where(true, 1.0, np.where(false, 0.0, np.nan))
        edge = touches | ((not_below | not_above) & ~(above | below | zero) & ~np.isnan(decision))
        self.touched |= edge
        self._note(decision, d)
        return Truth(true, false & ~true)

    def _select(self, op: str, args: list[Any]) -> Any:
        from actlab.proofs.enclosure import Node

        A = self.A
        if op == "number":
            args = [args[0], self._fixed(0.0), self._fixed(1.0)]
        (true, false), off, on = self.truth(args[0]), args[1], args[2]
        undecided = ~(true | false)

        def pick(mask: np.ndarray, a: np.ndarray, b: np.ndarray, either: Any) -> np.ndarray:
            return np.where(undecided, either, np.where(mask, a, b))

        wide = jets.where(A, true, on.wide, off.wide)
        at = jets.where(A.thin, true, on.at, off.at)
        if undecided.any():
            wide = jets.where(A, undecided, jets.hull(A, on.wide, off.wide), wide)
            at = jets.where(A.thin, undecided, jets.hull(A.thin, on.at, off.at), at)
        return Node(
            wide,
            at,
            pick(true, on.rough, off.rough, True),
            pick(true, on.jumpy, off.jumpy, True),
            pick(true, on.undefined, off.undefined, on.undefined | off.undefined),
            pick(true, on.singular, off.singular, on.singular | off.singular),
            pick(true, on.pole, off.pole, on.pole | off.pole),
            pick(true, on.nowhere, off.nowhere, on.nowhere & off.nowhere),
            pick(true, on.singular_right, off.singular_right, on.singular_right | off.singular_right),
        )

    def _fixed(self, value: float) -> Any:
        from actlab.proofs.enclosure import Node

        A, none = self.A, np.zeros(self.n, bool)
        wide, at = A.constant(value, (self.n,)), A.thin.constant(value, (3, self.n))
        return Node(jets.constant(A, wide), jets.constant(A.thin, at), *(none,) * 7)

    def _signed(self, op: str, args: list[Any], d: Any) -> Any:
        """abs, max and min by the sign of d, where |d|, max and min stay continuous; sign, which does not."""
        from actlab.proofs.enclosure import Node

        A, value = self.A, d.wide[0]
        if op == "sign":
            above, below, zero, touches = self._sides(d)
            self.touched |= touches
            decision = np.where(above, 1.0, np.where(below, -1.0, np.where(zero, 0.0, np.nan)))
            self._note(decision, d)
            undecided = np.isnan(decision)
            held = A.hull(A.constant(-1.0, (self.n,)), A.constant(1.0, (self.n,)))
            wide = jets.constant(A, A.where(undecided, held, A.point(np.where(undecided, 0.0, decision))))
            at = A.thin.point(np.broadcast_to(np.where(undecided, 0.0, decision), (3, self.n)))
            return Node(wide, jets.constant(A.thin, at), undecided, undecided, *(getattr(d, f) for f in FLAGS))
        up, down = A.ge(value, 0.0), A.le(value, 0.0)
        decision = np.where(up, 1.0, np.where(down, 0.0, np.nan))
        self._note(decision, d)
        first, second = (args[0], None) if op == "abs" else (args if op == "max" else args[::-1])
        if second is None:
            second = _negated(A, first)
        undecided = np.isnan(decision)
        wide, at = jets.where(A, up, first.wide, second.wide), jets.where(A.thin, up, first.at, second.at)
        if undecided.any():
            both = jets.hull(A, first.wide, second.wide)
            if op == "abs":
                both = (A.at_least(both[0], 0.0), *both[1:])
            elif op == "max":
                both = (A.maximum(first.wide[0], second.wide[0]), *both[1:])
            else:
                both = (A.neg(A.maximum(A.neg(first.wide[0]), A.neg(second.wide[0]))), *both[1:])
            wide = jets.where(A, undecided, both, wide)
            at = jets.where(A.thin, undecided, jets.hull(A.thin, first.at, second.at), at)
        return Node(
            wide,
            at,
            np.where(undecided, True, np.where(up, first.rough, second.rough)),
            np.where(undecided, first.jumpy | second.jumpy, np.where(up, first.jumpy, second.jumpy)),
            first.undefined | second.undefined,
            first.singular | second.singular,
            first.pole | second.pole,
            first.nowhere | second.nowhere,
            first.singular_right | second.singular_right,
        )

    def _step(self, op: str, d: Any) -> Any:
        """The floor, ceiling or nearest whole number: constant on a box that holds no jump."""
        from actlab.proofs.enclosure import Node

        A = self.A
        low, high = A.floats(d.wide[0])
        # Of a strictly monotone d the ends of the box do not count. Beyond 2^52 the floats are whole: it has no inside.
        steep = (A.gt(d.wide[1], 0.0) | A.lt(d.wide[1], 0.0)) & ~d.rough & ~self.point
        steep &= np.maximum(np.abs(low), np.abs(high)) < 2.0**52
        if op == "floor":
            first, last = np.floor(low), np.where(steep, np.ceil(high) - 1, np.floor(high))
        elif op == "ceil":
            first, last = np.where(steep, np.floor(low) + 1, np.ceil(low)), np.ceil(high)
        else:
            half, half2 = np.floor(low) + 0.5, np.floor(high) + 0.5
            first = np.floor(low) + np.where(steep, low >= half, low > half)
            last = np.floor(high) + np.where(steep, high > half2, high >= half2)
        one = (first == last) & ~d.undefined & np.isfinite(first)
        decision = np.where(one, first, np.nan)
        start = first - {"floor": 0.0, "ceil": 1.0, "round": 0.5}[op]  # the plateau reaches from here to start + 1
        self.touched |= one & ((low == start) | (high == start + 1))
        self.columns.append(decision)
        low, high = np.floor(low) - (op == "round"), np.ceil(high) + (op == "round")
        wide = jets.constant(A, A.where(one, A.point(np.where(one, first, 0.0)), A.between(low, high)))
        at = A.thin.point(np.broadcast_to(np.where(one, first, 0.0), (3, self.n)))
        return Node(wide, jets.constant(A.thin, at), ~one, ~one, *(getattr(d, f) for f in FLAGS))


def _negated(A: Any, node: Any) -> Any:
    """-u as a Node."""
    return replace(node, wide=jets.neg(A, node.wide), at=jets.neg(A.thin, node.at))


def _connect(op: str, args: list[Truth]) -> Truth:
    if op == "not":
        return Truth(args[0].false, args[0].true)
    a, b = args
    if op == "and":
        return Truth(a.true & b.true, a.false | b.false)
    if op == "or":
        return Truth(a.true | b.true, a.false & b.false)
    return Truth(a.true & b.false | a.false & b.true, a.true & b.true | a.false & b.false)
