"""The checker's choices: maxima, signs, roundings, comparisons, selections.

A comparison is decided on a box where it has one outcome in the interior: the difference has one sign, and where it
touches 0 it does so at an end of the box alone.
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import libmp
from mpmath.libmp import fone, fzero

from actlab.proofs.checker import algebra
from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.intervals import WHOLE, ZERO, Number, point
from actlab.proofs.checker.jets import OPEN, Evaluation, Jet, Spread, Value, added, constant, negated, spread


def _minus(a: Spread, b: Spread) -> Spread:
    return spread(*(added(p, negated(q)) for p, q in zip(a.jets, b.jets, strict=True)))


def _order(a: Spread, b: Spread) -> int | None:
    """The sign of a - b in the interior of the box: 1, 0 (equal throughout), -1, or None where it varies."""
    wide, left, right = _minus(a, b).jets
    whole = wide[0]
    monotone = iv.sign_of(wide[1])
    if monotone is not None:
        whole = iv.intersect(whole, iv.hull(left[0], right[0]))
    sign = iv.sign_of(whole)
    if sign is None or sign == 0 or not iv.contains_zero(whole):
        return sign
    # It touches 0. At an end alone, if it is strictly monotone: one-signed slope, and no piece on which it is constant.
    strict = monotone is not None and any(not iv.contains_zero(c) for c in wide[1:])
    return sign if strict else None


def _extreme(direction: int) -> Callable[..., Value]:
    def pick(state: Evaluation, index: int, a: Value, b: Value) -> Value:
        if not isinstance(a, Spread) or not isinstance(b, Spread):
            return None
        wide, left, right = _minus(a, b).jets
        difference = wide[0]
        if iv.sign_of(wide[1]) is not None:
            difference = iv.intersect(difference, iv.hull(left[0], right[0]))
        sign = iv.sign_of(difference)
        if sign is not None:
            state.decisions[index] = int(sign * direction < 0)
            return (a, b)[state.decisions[index]]
        state.undecided.add(index)
        bound = iv.greatest if direction > 0 else iv.least
        return spread(*(_either(p, q, bound) for p, q in zip(a.jets, b.jets, strict=True)))

    return pick


def _either(a: Jet, b: Jet, bound: Callable[..., Number]) -> Jet:
    """The maximum or minimum of two that cross: continuous, its slope one of the two."""
    return (bound(a[0][0], b[0][0]), bound(a[0][1], b[0][1])), iv.hull(a[1], b[1]), WHOLE, WHOLE


def _abs(state: Evaluation, index: int, a: Value) -> Value:
    if not isinstance(a, Spread):
        return None
    return _extreme(1)(state, index, a, _opposite(a))


def _opposite(a: Spread) -> Spread:
    form = a.form and algebra.form("neg", None, 0, a.form)
    return Spread(negated(a.wide), negated(a.left), negated(a.right), form)


def _sign(state: Evaluation, index: int, a: Value) -> Value:
    sign = _order(a, constant(ZERO)) if isinstance(a, Spread) else None
    if sign is None:
        state.undecided.add(index)
        return spread(*(((iv.number(-1), fone), WHOLE, WHOLE, WHOLE),) * 3) if isinstance(a, Spread) else None
    state.decisions[index] = sign
    return constant(point(sign))


def _step(rounded: Callable[[Number], Number], below: float) -> Callable[..., Value]:
    """A rounding: its plateau n holds the numbers from n - below to n - below + 1."""

    def choose(state: Evaluation, index: int, a: Value) -> Value:
        if not isinstance(a, Spread):
            return None
        low, high = a.wide[0]
        if low == high:
            return constant((rounded(low), rounded(low)))
        plateau = iv.whole(libmp.mpf_floor(libmp.mpf_add(iv.midpoint(low, high), iv.number(below))))
        start = libmp.mpf_sub(iv.number(plateau), iv.number(below))  # exactly: a float has no half beyond 2^52
        edges = [constant((v, v)) for v in (start, libmp.mpf_add(start, fone))]
        if _order(a, edges[0]) in (0, 1) and _order(a, edges[1]) in (0, -1):
            state.decisions[index] = plateau
            return constant(point(plateau))
        state.undecided.add(index)
        values = (rounded(low), rounded(high))
        return spread(*((values, WHOLE, WHOLE, WHOLE),) * 3)

    return choose


def _compare(outcome: Callable[[int], bool]) -> Callable[..., Value]:
    def compare(state: Evaluation, index: int, a: Value, b: Value) -> Value:
        if isinstance(a, bool) and isinstance(b, bool):
            return outcome(int(a) - int(b))
        sign = _order(a, b) if isinstance(a, Spread) and isinstance(b, Spread) else None
        if sign is None:
            state.undecided.add(index)
            return OPEN
        state.decisions[index] = int(outcome(sign))
        return outcome(sign)

    return compare


def _select(state: Evaluation, index: int, which: Value, *cases: Value) -> Value:
    if isinstance(which, Spread) and which.wide[0][0] == which.wide[0][1]:  # an index rather than a truth value
        which_case = iv.whole(which.wide[0][0])
        return cases[min(max(which_case, 0), len(cases) - 1)]
    if isinstance(which, bool):
        state.decisions[index] = int(which)
        return cases[int(which)]
    state.undecided.add(index)
    if all(isinstance(c, bool) for c in cases):
        return cases[0] if len(set(cases)) == 1 else OPEN
    if not all(isinstance(c, Spread) for c in cases):
        return None
    hulls = (
        tuple(iv.hull(*parts) for parts in zip(*jets, strict=True))
        for jets in zip(*(c.jets for c in cases), strict=True)
    )  # pyright: ignore
    wide, left, right = hulls
    return Spread((wide[0], WHOLE, WHOLE, WHOLE), left, right)  # pyright: ignore


CHOOSING: dict[str, Callable[..., Value]] = {
    "max": _extreme(1),
    "min": _extreme(-1),
    "abs": _abs,
    "sign": _sign,
    "gt": _compare(lambda s: s > 0),
    "ge": _compare(lambda s: s >= 0),
    "lt": _compare(lambda s: s < 0),
    "le": _compare(lambda s: s <= 0),
    "eq": _compare(lambda s: s == 0),
    "ne": _compare(lambda s: s != 0),
    "select": _select,
    "floor": _step(libmp.mpf_floor, 0.0),
    "ceil": _step(libmp.mpf_ceil, 1.0),
    "round": _step(libmp.mpf_nint, 0.5),
}


def _and(a: Value, b: Value) -> Value:
    if a is False or b is False:
        return False
    return True if a is True and b is True else OPEN


def _not(a: Value) -> Value:
    return not a if isinstance(a, bool) else OPEN


def _number_of(a: Value) -> Value:
    """A truth value as 0 or 1; a number as it is."""
    if isinstance(a, bool):
        return constant(point(int(a)))
    return spread(*(((fzero, fone), WHOLE, WHOLE, WHOLE),) * 3) if a == OPEN else a


LOGICAL: dict[str, Callable[..., Value]] = {
    "and": _and,
    "or": lambda a, b: _not(_and(_not(a), _not(b))),
    "xor": lambda a, b: a != b if isinstance(a, bool) and isinstance(b, bool) else OPEN,
    "not": _not,
    "number": _number_of,
}
