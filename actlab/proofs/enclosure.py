"""A program on boxes: enclosures of f, f', f'', f''' over each box and at its midpoint and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actlab.proofs import jets, rules
from actlab.proofs.algebraic import Algebraic
from actlab.proofs.branches import BRANCHES, Branching
from actlab.proofs.jets import Jet
from actlab.proofs.program import Program


@dataclass(frozen=True)
class Node:
    """What is known of one equation on n boxes."""

    wide: Jet
    """Over each box, shape (n,)."""
    at: Jet
    """At the midpoint, the left and the right end of each box, shape (3, n)."""
    rough: np.ndarray
    """A branch is undecided on the box: no derivative there is sure to be continuous."""
    jumpy: np.ndarray
    """The value itself may jump inside the box."""
    undefined: np.ndarray
    """Some value inside the box is perhaps not a real number."""
    singular: np.ndarray
    """At the left end of the box an operation is at a point where its derivatives need not exist (the root of 0)."""
    pole: np.ndarray
    """At an end of the box an operation has no value (1/0, the logarithm of 0)."""
    nowhere: np.ndarray
    """No value inside the box is a real number, for certain."""
    singular_right: np.ndarray
    """As `singular`, which is of the left end alone."""


@dataclass(frozen=True)
class Enclosure:
    """The enclosures of a program's output, with the branch decisions that they rest on."""

    node: Node
    decisions: np.ndarray
    """(n, number of branches): the branch taken, NaN where undecided."""
    touched: np.ndarray
    """A decided branch meets its threshold at an end of the box."""
    root: np.ndarray
    """How far from the midpoint an undecided branch probably meets its threshold (one Newton step), else NaN."""
    culprit: np.ndarray
    """The index of the equation that is first undefined, else -1."""


FLAGS = ("rough", "jumpy", "undefined", "singular", "pole", "nowhere", "singular_right")


class Evaluator:
    """Evaluates one program in one arithmetic, on as many boxes as are given at once."""

    def __init__(self, program: Program, arithmetic: Any) -> None:
        self.program = program
        self.A = arithmetic
        self.in_balls = 0
        """How many boxes were evaluated anew in balls."""
        self.algebraic = {e.name: Algebraic.from_params(e.params) for e in program.equations if e.op == "algebraic"}

    def __call__(self, left: np.ndarray, right: np.ndarray) -> Enclosure:
        """The enclosure over the boxes [left[i], right[i]]."""
        A, B, n = self.A, self.A.thin, left.size
        A.begin()
        mid = np.where(left == right, left, 0.5 * left + 0.5 * right)
        self._offset = A.sub(A.between(left, right), A.point(mid))
        self._branching = Branching(A, left == right)
        points = np.stack([mid, left, right])
        zero, one = B.constant(0.0, (3, n)), B.constant(1.0, (3, n))
        none = np.zeros(n, bool)
        x = Node(
            (A.between(left, right), A.constant(1.0, (n,)), A.constant(0.0, (n,)), A.constant(0.0, (n,))),
            (B.point(points), one, zero, zero),
            *(none,) * 7,
        )
        self._shape = (n,)
        values: dict[str, Any] = {self.program.input: x}
        culprit = np.full(n, -1)
        for index, e in enumerate(self.program.equations):
            args = [values[a] if isinstance(a, str) else self._constant(a) for a in e.args]
            value = self._equation(e.name, e.op, args, e.params)
            values[e.name] = value
            if isinstance(value, Node):
                new = value.undefined & (culprit < 0)
                culprit[new] = index
        out = self.program.output
        node = values[out] if isinstance(out, str) else self._constant(out)
        b = self._branching
        return Enclosure(node, b.table(), b.touched, b.root, np.where(node.undefined, culprit, -1))

    def _constant(self, value: float) -> Node:
        A, (n,) = self.A, self._shape
        none = np.zeros(n, bool)
        wide, at = A.constant(value, (n,)), A.thin.constant(value, (3, n))
        return Node(jets.constant(A, wide), jets.constant(A.thin, at), *(none,) * 7)

    def _equation(self, name: str, op: str, args: list[Any], params: Mapping[str, Any]) -> Any:
        if op in BRANCHES:
            return self._branch(op, args)
        node = self._smooth(name, op, args, params)
        return self._cut(node)

    def _branch(self, op: str, args: list[Any]) -> Any:
        difference = self._difference(op, args)
        value = self._branching.apply(op, args, difference)
        return self._cut(value) if isinstance(value, Node) else value

    def _difference(self, op: str, args: list[Any]) -> Node | None:
        """The difference whose sign decides the branch: a - b of two arguments, the argument itself of one."""
        if op in ("max", "min", "lt", "le", "gt", "ge", "eq", "ne"):
            return self._cut(self._smooth("", "sub", args, {}))
        return args[0] if op in ("abs", "sign", "floor", "ceil", "round") else None

    def _smooth(self, name: str, op: str, args: list[Node], params: Mapping[str, Any]) -> Node:
        A = self.A
        flags = {what: np.logical_or.reduce([getattr(a, what) for a in args]) for what in FLAGS}
        if op == "algebraic":
            function = self.algebraic[name]
            four, piece = function.wide(A, args[0].wide[0])
            at = jets.compose(A.thin, function.at(A.thin, args[0].at[0], piece), args[0].at)
            undecided = self._branching.record(function.same_pieces, piece, args[0])
            infinite = [~A.finite(g) for g in four]
            flags["rough"] |= undecided | np.logical_or.reduce(infinite)
            flags["jumpy"] |= (undecided & (not function.joined)) | infinite[0]
            return Node(jets.compose(A, four, args[0].wide), at, **flags)
        if op in ("add", "sub", "mul", "neg"):
            wide, at = (_arithmetic(B, op, jet) for B, jet in self._sides(args))
            return Node(wide, at, **flags)
        if op == "div":
            self._meets(flags, args[1], rules.DIVISION)
            if self._fixed(args[1]):
                wide, at = (tuple(B.div(c, jet[1][0]) for c in jet[0]) for B, jet in self._sides(args))
            else:
                wide, at = (_arithmetic(B, op, jet) for B, jet in self._sides(args))
            return Node(wide, at, **flags)  # pyright: ignore
        outside, nowhere = rules.undefined(A, op, args[0].wide[0])
        flags["undefined"] |= outside
        flags["nowhere"] |= nowhere
        wide = rules.apply(A, op, params, args[0].wide, is_thin=False)
        at = rules.apply(A.thin, op, params, args[0].at, is_thin=True)
        pole = rules.hidden_pole(A, op, args[0].wide[0])
        flags["rough"] |= pole
        flags["jumpy"] |= pole
        if (where := rules.singularity(op, params)) is not None:
            self._meets(flags, args[0], where)
        return Node(wide, at, **flags)

    def _sides(self, args: list[Node]) -> tuple[tuple[Any, list[Jet]], tuple[Any, list[Jet]]]:
        return (self.A, [a.wide for a in args]), (self.A.thin, [a.at for a in args])

    def _fixed(self, node: Node) -> bool:
        """A constant other than 0."""
        A = self.A
        still = [A.ge(c, 0.0) & A.le(c, 0.0) for c in node.wide[1:]]
        return bool(np.logical_and.reduce([*still, A.gt(node.wide[0], 0.0) | A.lt(node.wide[0], 0.0)]).all())

    def _meets(self, flags: dict[str, np.ndarray], u: Node, where: rules.Singularity) -> None:
        """Marks boxes on which u meets a singular point: at an end alone, if u is strictly monotone, else inside."""
        A, B = self.A, self.A.thin
        for point in where.points:
            above, below = A.ge(u.wide[0], point), A.le(u.wide[0], point)
            meets = ~(A.gt(u.wide[0], point) | A.lt(u.wide[0], point))
            if not meets.any():
                continue
            left, right = B.take(u.at[0], 1), B.take(u.at[0], 2)
            moves = np.asarray(
                [B.apart(B.take(left, i), B.take(right, i)) if m else False for i, m in enumerate(meets)]
            )
            still = A.ge(u.wide[1], 0.0) & A.le(u.wide[1], 0.0) & ~u.rough & (not where.pole)
            one_way = (A.ge(u.wide[1], 0.0) | A.le(u.wide[1], 0.0)) & moves & ~u.rough
            at_end = meets & (above | below) & one_way
            inside = meets & ~at_end & ~still
            for name, end in (("singular", left), ("singular_right", right)):
                flags[name] = flags[name] | (at_end & ~(B.gt(end, point) | B.lt(end, point)))
            flags["rough"] = flags["rough"] | inside
            if where.pole:
                flags["pole"] = flags["pole"] | at_end
                flags["jumpy"] = flags["jumpy"] | inside
                none = above & below
                flags["undefined"] = flags["undefined"] | none
                flags["nowhere"] = flags["nowhere"] | none

    def _cut(self, node: Node) -> Node:
        """Contracted where every branch so far is decided."""
        A = self.A
        at = tuple(tuple(A.wide(A.thin.take(c, i)) for c in node.at) for i in range(3))
        cut = jets.contracted(A, node.wide, at, self._offset)  # pyright: ignore
        kept = node.rough | node.undefined
        wide = jets.where(A, kept, node.wide, cut) if kept.any() else cut
        return replace(node, wide=wide)


def _arithmetic(A: Any, op: str, args: list[Jet]) -> Jet:
    if op == "neg":
        return jets.neg(A, args[0])
    if op == "add":
        return jets.add(A, *args)
    if op == "sub":
        return jets.sub(A, *args)
    if op == "mul":
        return jets.mul(A, *args)
    inverse = jets.compose(A, rules.integer_power(A, args[1][0], -1), args[1])
    return jets.mul(A, args[0], inverse)
