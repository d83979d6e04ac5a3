"""The checker's judgement of the claims: box by box, then edge by edge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mpmath import libmp
from mpmath.libmp import fzero

from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.edges import Edge, End, Leaf, agreement, choices, edge_between, end_of, follow, same_number
from actlab.proofs.checker.evaluation import evaluate
from actlab.proofs.checker.intervals import Interval, Number, lt, scale
from actlab.proofs.checker.jets import Jet, Program, Spread

DEEPEST = 120
INCREASING, DECREASING = ("strictly increasing", "nondecreasing"), ("strictly decreasing", "nonincreasing")


class Rejected(Exception):
    """A claim that does not hold, or could not be verified; the message has the box."""


@dataclass(frozen=True)
class Claims:
    """What a certificate says of its function; None where it says nothing."""

    bounds: tuple[tuple[float, float] | None, ...]
    """Of the value, the slope and the curvature."""
    monotone: str
    continuous: bool | None
    smoothness: float | None
    kinks: tuple[float, ...] | None


NAMES = ("range", "slope", "curvature")


def verify(program: Program, edges: list[float], claims: Claims, budget: int) -> int:
    """Verifies every claim and returns the number of boxes that it took.

    Raises:
        Rejected: the first claim that fails or stays open, with the box.
    """
    leaves = list(_leaves(program, edges, claims, budget))
    found = [edge_between(program, a, b) for a, b in zip(leaves, leaves[1:], strict=False)]
    ends = [end_of(program, leaves[0], 0), end_of(program, leaves[-1], 1)]
    for at in [*(e.value for e in found), *(e.value for e in ends)]:
        _check_value(claims, at)
    _check_edges(claims, leaves, found, ends)
    _check_monotone(claims, leaves, found, ends)
    return len(leaves)


def _leaves(program: Program, edges: list[float], claims: Claims, budget: int) -> Iterator[Leaf]:
    spent = 0
    for low, high in zip(edges, edges[1:], strict=False):
        stack = [((iv.number(low), iv.number(high)), 0)]
        while stack:
            box, depth = stack.pop()
            spent += 1
            state = evaluate(program, box)
            signature = choices(program, state)
            value = state.result
            open_claim = "the function is not defined there" if value is None else _open(claims, value)
            if value is not None and open_claim is None and (signature is not None or depth >= DEEPEST):
                yield Leaf(box, value, signature)
                continue
            if value is not None:
                _refute(claims, value, box)
            if open_claim is not None and (depth >= DEEPEST or spent > budget):
                raise Rejected(f"{_text(box)}: {open_claim}")
            if signature is None and value is not None and spent > budget:
                raise Rejected(f"{_text(box)}: a choice of the function stays open")
            middle = iv.midpoint(*box)
            stack += [((middle, box[1]), depth + 1), ((box[0], middle), depth + 1)]


def _coefficients(jet: Jet) -> tuple[Interval, Interval, Interval]:
    return jet[0], jet[1], scale(jet[2], 2)


def difference(a: Program, b: Program, edges: list[float]) -> Number | None:
    """A point at which two programs have different values, of the edges and the middles of the boxes."""
    for low, high in zip(edges, edges[1:], strict=False):
        middle = iv.midpoint(iv.number(low), iv.number(high))
        for x in (iv.number(low), middle):
            values = [evaluate(p, (x, x)).result for p in (a, b)]
            if None in values:
                if values[0] is not values[1]:
                    return x
                continue
            if same_number(*(v.wide[0] for v in values if v is not None)) is False:
                return x
    return None


def _open(claims: Claims, value: Spread) -> str | None:
    """The claim that is not yet seen to hold on a box."""
    for name, bound, a in zip(NAMES, claims.bounds, _coefficients(value.wide), strict=True):
        if bound is not None and not _inside(a, bound):
            return f"{name} {_bound(bound)} is not verified: enclosed by {_text(a)}"
    sign = 1 if claims.monotone in INCREASING else -1 if claims.monotone in DECREASING else 0
    if sign and iv.sign_of(value.wide[1]) not in (0, sign):
        return f"{claims.monotone} is not verified: slope enclosed by {_text(value.wide[1])}"
    return None


def _refute(claims: Claims, value: Spread, box: Interval) -> None:
    """Raises as soon as the value at an end of the box contradicts a claim."""
    sign = 1 if claims.monotone in INCREASING else -1 if claims.monotone in DECREASING else 0
    for x, jet in zip(box, (value.left, value.right), strict=True):
        for name, bound, a in zip(NAMES, claims.bounds, _coefficients(jet), strict=True):
            if bound is not None and (lt(a[1], iv.number(bound[0])) or lt(iv.number(bound[1]), a[0])):
                raise Rejected(f"{_text(box)}: {name} {_bound(bound)} is false: {_text(a)} at x = {_number(x)}")
        if sign and (lt(jet[1][1], fzero) if sign > 0 else lt(fzero, jet[1][0])):
            raise Rejected(f"{_text(box)}: {claims.monotone} is false: slope {_text(jet[1])} at x = {_number(x)}")


def _inside(a: Interval, bound: tuple[float, float]) -> bool:
    low, high = bound
    return (low == -math.inf or not lt(a[0], iv.number(low))) and (high == math.inf or not lt(iv.number(high), a[1]))


def _check_value(claims: Claims, at: tuple[Number, Interval | None]) -> None:
    x, value = at
    bound = claims.bounds[0]
    if bound is not None and bound != (-math.inf, math.inf) and (value is None or not _inside(value, bound)):
        raise Rejected(f"x = {_number(x)}: the value {_text(value)} is not in the range {_bound(bound)}")


def _check_edges(claims: Claims, leaves: list[Leaf], edges: list[Edge], ends: list[End]) -> None:
    """Continuity, smoothness and kinks."""
    if claims.continuous is None and claims.smoothness is None and claims.kinks is None:
        return
    for leaf in leaves:
        if leaf.signature is None:
            raise Rejected(f"{_text(leaf.box)}: a choice of the function stays open, so nothing is known of its kinks")
    orders: dict[Number, int] = {}
    for edge in edges:
        order = 3 if edge.smooth and _same_value(edge) else agreement(edge)
        if order is None:
            raise Rejected(f"x = {_number(edge.x)}: the limits from both sides are not known well enough to compare")
        if order < 3 or not edge.smooth:
            orders[edge.x] = order
    for end in ends:
        if end.jumps is None:
            raise Rejected(f"x = {_number(end.value[0])}: the value is not known well enough to compare with the limit")
        if end.jumps:
            orders[end.value[0]] = -1
    jumps = [x for x, order in orders.items() if order < 0]
    if claims.continuous and jumps:
        raise Rejected(f"x = {_number(jumps[0])}: continuity is claimed, and the function jumps there")
    if claims.continuous is False and not jumps:
        raise Rejected("a jump is claimed, and the function is continuous")
    _check_smoothness(claims.smoothness, orders)
    if claims.kinks is not None:
        _check_kinks(claims.kinks, {x for x, order in orders.items() if order < 3})


def _same_value(edge: Edge) -> bool:
    """Whether the value at an edge is that of the formula around it."""
    return edge.value[1] is not None and same_number(edge.value[1], edge.left[0]) is True


def _check_smoothness(claimed: float | None, orders: dict[Number, int]) -> None:
    if claimed is None:
        return
    found = min(orders.values(), default=math.inf)
    if claimed > found:
        where = next(x for x, order in orders.items() if order == found)
        raise Rejected(f"x = {_number(where)}: smoothness {claimed} is claimed, and it is {found}")
    if claimed < found:
        raise Rejected(f"smoothness {claimed} is claimed, and no edge of the cover is less smooth than {found}")


def _check_kinks(claimed: tuple[float, ...], found: set[Number]) -> None:
    stated = {iv.number(k) for k in claimed}
    for x in found - stated:
        raise Rejected(f"x = {_number(x)}: a kink that the certificate does not list")
    for x in stated - found:
        raise Rejected(f"x = {_number(x)}: a kink is listed, and there is none")


def _check_monotone(claims: Claims, leaves: list[Leaf], edges: list[Edge], ends: list[End]) -> None:
    """The signs of the slopes are seen; here the jumps, strictness, and what "none" says."""
    kind = claims.monotone
    if kind == "none":
        return _check_not_monotone(leaves, edges, ends)
    if kind not in (*INCREASING, *DECREASING):
        return None
    sign = 1 if kind in INCREASING else -1
    steps = [(edge.x, follow(edge.steps, sign)) for edge in edges]
    steps += [(end.value[0], end.jumps is False or follow(end.steps, sign)) for end in ends]
    for x, step in steps:
        if step is False:
            raise Rejected(f"x = {_number(x)}: {kind} is claimed, and the function jumps the other way")
        if step is None:
            raise Rejected(f"x = {_number(x)}: {kind} is not verified across this edge")
    if kind.startswith("strictly"):
        _check_strict(kind, leaves, edges)
    return None


def _check_strict(kind: str, leaves: list[Leaf], edges: list[Edge]) -> None:
    """Each run of boxes with one formula holds a point where f' (or f'', f''') has no zero, or two different values."""
    run: list[Leaf] = []
    for leaf, edge in zip(leaves, [*edges, None], strict=True):
        run.append(leaf)
        if edge is None or not edge.smooth:
            if not any(_varies(part) for part in run):
                whole = (run[0].box[0], run[-1].box[1])
                raise Rejected(f"{_text(whole)}: {kind} is not verified, the function may be constant there")
            run = []


def _varies(leaf: Leaf) -> bool:
    if leaf.signature is None:
        return not iv.contains_zero(leaf.value.wide[1])
    return any(not iv.contains_zero(c) for c in leaf.value.wide[1:]) or (
        same_number(leaf.value.left[0], leaf.value.right[0]) is False
    )


def _check_not_monotone(leaves: list[Leaf], edges: list[Edge], ends: list[End]) -> None:
    slopes = [jet[1] for leaf in leaves for jet in (leaf.value.left, leaf.value.right)]
    moves = [e.steps for e in (*edges, *ends)]
    rises = any(lt(fzero, s[0]) for s in slopes) or any(follow(m, -1) is False for m in moves)
    falls = any(lt(s[1], fzero) for s in slopes) or any(follow(m, 1) is False for m in moves)
    if not (rises and falls):
        raise Rejected('monotone "none" is claimed, and no box shows both a rise and a fall')


def _number(x: Number) -> str:
    return libmp.to_str(x, 10)


def _text(a: Interval | None) -> str:
    return "undefined" if a is None else f"[{_number(a[0])}, {_number(a[1])}]"


def _bound(bound: tuple[float, float]) -> str:
    return f"[{bound[0]!r}, {bound[1]!r}]"
