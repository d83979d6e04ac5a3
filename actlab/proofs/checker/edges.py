"""Where two boxes of the cover meet, and at the ends of the domain: limits, values, and whether they agree."""

from __future__ import annotations

from typing import NamedTuple

from mpmath import libmp
from mpmath.libmp import finf, fninf

from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.evaluation import evaluate
from actlab.proofs.checker.intervals import Interval, Number, le, lt
from actlab.proofs.checker.jets import Evaluation, Jet, Program, Spread

NARROW = -100
"""Two enclosures that overlap and are narrower than 2^NARROW of their size count as one number."""


Steps = list[tuple[Interval | None, Interval | None]]
"""Pairs of neighbouring numbers; None is one that is not known."""


class Leaf(NamedTuple):
    """A box on which all bounds hold, and the evaluation that shows it."""

    box: Interval
    value: Spread
    signature: tuple[tuple[int, int], ...] | None
    """The choices that the value depends on; None where one of them is open."""


def choices(program: Program, state: Evaluation) -> tuple[tuple[int, int], ...] | None:
    """What was chosen on the way to the value, so that equal signatures mean one formula."""
    found, stack, seen = [], [len(program) - 1], set()
    while stack:
        index = stack.pop()
        if index in seen:
            continue
        seen.add(index)
        node = program[index]
        if index in state.undecided:
            return None
        if index not in state.decisions:
            stack += node.args
            continue
        chosen = state.decisions[index]
        found.append((index, chosen))
        if node.op == "select":
            stack.append(node.args[1 + chosen])
        elif node.op in ("max", "min"):
            stack.append(node.args[chosen])
        elif node.op == "abs":
            stack += node.args
    return tuple(sorted(found))


class Edge(NamedTuple):
    """Two boxes meet: the limits from both sides, the value, and whether one formula holds across."""

    x: Number
    left: Jet
    right: Jet
    value: tuple[Number, Interval | None]
    smooth: bool

    @property
    def steps(self) -> Steps:
        """From limit to value to limit, in the order of x."""
        return [(self.left[0], self.value[1]), (self.value[1], self.right[0])]


def edge_between(program: Program, before: Leaf, after: Leaf) -> Edge:
    """Of two neighbouring boxes."""
    x = before.box[1]
    left, right = before.value.right, after.value.left
    alike = before.signature is not None and before.signature == after.signature
    finite = all(fninf not in c and finf not in c for c in (*left, *right))
    return Edge(x, left, right, _point(program, x), alike and finite)


class End(NamedTuple):
    """An end of the domain: the limit from inside, the value, and whether both are of one formula."""

    value: tuple[Number, Interval | None]
    limit: Interval
    side: int
    """0 the lower end, 1 the upper."""
    alike: bool

    @property
    def jumps(self) -> bool | None:
        """Whether the value is not the limit; None where it is open."""
        same = None if self.value[1] is None else same_number(self.value[1], self.limit)
        return None if same is None and not (self.alike and self.value[1]) else same is False

    @property
    def steps(self) -> Steps:
        """From limit to value or from value to limit, in the order of x."""
        return [(self.limit, self.value[1]) if self.side else (self.value[1], self.limit)]


def end_of(program: Program, leaf: Leaf, side: int) -> End:
    """Of the first box (side 0) or the last (side 1)."""
    x = leaf.box[side]
    state = evaluate(program, (x, x))
    value = None if state.result is None else state.result.wide[0]
    limit = leaf.value.right[0] if side else leaf.value.left[0]
    return End((x, value), limit, side, leaf.signature is not None and choices(program, state) == leaf.signature)


def _point(program: Program, x: Number) -> tuple[Number, Interval | None]:
    """The value at a point, where comparisons could make it differ from the limits; an infinite or open one is None."""
    found = evaluate(program, (x, x)).result
    return x, None if found is None else found.wide[0]


def same_number(a: Interval, b: Interval) -> bool | None:
    """Whether two enclosures are of one number: True where they are narrow and overlap, False where they are apart."""
    if lt(a[1], b[0]) or lt(b[1], a[0]):
        return False
    if any(end in (finf, fninf) for end in (*a, *b)):
        return False if a == b and a[0] == a[1] else None  # an infinite derivative is none
    return True if _narrow(a) and _narrow(b) else None


def _narrow(a: Interval) -> bool:
    size = iv.greatest(libmp.mpf_abs(a[0]), libmp.mpf_abs(a[1]), iv.number(1))
    return le(libmp.mpf_sub(a[1], a[0], iv.BITS, "c"), libmp.mpf_shift(size, NARROW))


def agreement(edge: Edge) -> int | None:
    """To which order the limits agree: -1 a jump, 0 a kink of the value, ..., 3 all known; None where it is open."""
    values = [same_number(edge.left[0], edge.right[0])]
    values += [same_number(edge.value[1], side[0]) if edge.value[1] else None for side in (edge.left, edge.right)]
    if False in values:
        return -1
    if None in values:
        return None
    for order in (1, 2, 3):
        same = same_number(edge.left[order], edge.right[order])
        if same is None:
            return None
        if not same:
            return order - 1
    return 3


def follow(steps: Steps, sign: int) -> bool | None:
    """Whether each second number is the first or comes after it in the direction; None where it is open."""
    known = [(a, b) for a, b in steps if a is not None and b is not None]
    if len(known) < len(steps):
        return None
    if all(same_number(a, b) for a, b in known):
        return True
    up = [(a, b) if sign > 0 else (b, a) for a, b in known]
    if any(lt(b[1], a[0]) for a, b in up):
        return False
    return True if all(le(a[1], b[0]) or same_number(a, b) for a, b in up) else None
