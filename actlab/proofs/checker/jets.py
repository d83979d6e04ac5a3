"""The checker's evaluation of a program on a box: Taylor coefficients f, f', f''/2, f'''/6 as intervals, and decisions.

A program is a list of nodes, the last of which is the value. On a box, a comparison is decided where it has one outcome in
the interior but for finitely many points. Shares no code with the prover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, no_type_check

from mpmath import libmp
from mpmath.libmp import fone, fzero

from actlab.proofs.checker import algebra, functions
from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.algebra import Algebraic, polynomial
from actlab.proofs.checker.intervals import ONE, WHOLE, ZERO, Interval, Number, add, lt, mul, neg, point, scale, sub

ORDER = 3
if TYPE_CHECKING:
    Jet = tuple[Interval, Interval, Interval, Interval]
else:  # see `intervals`
    Jet = Any
UNKNOWN: Jet = (WHOLE, WHOLE, WHOLE, WHOLE)
IDENTITY = Algebraic((Fraction(0), Fraction(1)))
EXPONENTIAL = Algebraic((Fraction(0), Fraction(1)), of_exp=True)
OPEN = "open"
"""The value of a comparison that has both outcomes on the box."""


class Spread(NamedTuple):
    """A jet over the whole box, and its limits at the two ends, from inside."""

    wide: Jet
    left: Jet
    right: Jet
    form: Algebraic | None = None
    """What it is as an algebraic function of x, with the choices made on this box."""

    @property
    def jets(self) -> tuple[Jet, Jet, Jet]:
        """The three."""
        return self.wide, self.left, self.right


def spread(wide: Any, left: Any, right: Any, form: Any = None) -> Spread:
    """A Spread of three jets."""
    return Spread(wide, left, right, form)


Value = Any
"""A Spread, a bool, `OPEN` or None: a number, a truth value or `OPEN`; None is undefined somewhere on the box."""


@dataclass(frozen=True)
class Node:
    """One operation: its name, the earlier nodes it takes, and what else fixes it."""

    op: str
    args: tuple[int, ...] = ()
    data: Any = None


Program = tuple[Node, ...]


@dataclass
class Evaluation:
    """The values of all nodes on a box, and what was found about its choices."""

    values: list[Value] = field(default_factory=list)
    decisions: dict[int, int] = field(default_factory=dict)
    """For a node that chooses or compares, the index of what it chose."""
    undecided: set[int] = field(default_factory=set)
    """The nodes that chose differently in different parts of the box."""

    @property
    def result(self) -> Spread | None:
        """The program's value."""
        found = self.values[-1]
        return found if isinstance(found, Spread) else None


def constant(a: Interval) -> Spread:
    """A constant."""
    form = Algebraic(polynomial([Fraction(*libmp.to_rational(a[0]))])) if a[0] == a[1] else None
    return spread(*((a, ZERO, ZERO, ZERO),) * 3, form)


def evaluate(program: Program, box: Interval) -> Evaluation:
    """Evaluates every node on the box."""
    state = Evaluation()
    width = (fzero, libmp.mpf_sub(box[1], box[0], iv.BITS, "c"))
    ends = (box, (box[0],) * 2, (box[1],) * 2)
    variable = spread(*((x, ONE, ZERO, ZERO) for x in ends), IDENTITY)
    for index, node in enumerate(program):
        arguments = [state.values[i] for i in node.args]
        if node.op == "input":
            found: Value = variable
        elif node.op == "constant":
            found = _known(node.data)
        elif node.op in CHOOSING:
            found = CHOOSING[node.op](state, index, *arguments)
        elif node.op in LOGICAL:
            found = LOGICAL[node.op](*arguments)
        elif any(not isinstance(a, Spread) for a in arguments):
            found = None
        else:
            found = _operate(node, box, width, arguments)  # pyright: ignore[reportArgumentType]
        state.values.append(found)
    if (result := state.result) is not None:
        state.values[-1] = _exact(result, box)
    return state


def _operate(node: Node, box: Interval, width: Interval, arguments: list[Spread]) -> Spread | None:
    forms = [a.form for a in arguments]
    form = None
    if None not in forms and node.op in algebra.OPERATIONS:
        op, data = ("integer_pow", 2) if node.op == "square" else (node.op, node.data)
        form = algebra.form(op, data, _side(box), *forms)  # pyright: ignore[reportArgumentType]
    if node.op == "exp" and forms[0] == IDENTITY:
        form = EXPONENTIAL
    if form is None:
        arguments = [_exact(a, box) for a in arguments]
    operation = _operation(node)
    wide = operation(*(a.wide for a in arguments))
    if wide is None:
        return None
    if width == ZERO:
        return Spread(wide, wide, wide, form)
    left = operation(*(a.left for a in arguments)) or UNKNOWN
    right = operation(*(a.right for a in arguments)) or UNKNOWN
    return Spread(_contract(wide, left, right, width), left, right, form)


def _known(data: Any) -> Value:
    if isinstance(data, Fraction):
        return constant(iv.ratio(data.numerator, data.denominator))._replace(form=Algebraic(polynomial([data])))
    return data if isinstance(data, bool) else constant((data, data))


def _side(box: Interval) -> int:
    """1 right of 0, -1 left of it, 0 across."""
    return 1 if not lt(box[0], fzero) else -1 if not lt(fzero, box[1]) else 0


def _exact(a: Spread, box: Interval) -> Spread:
    """Narrowed to the exact ranges of its algebraic form, where it is more than a line."""
    if a.form is None or (len(a.form.p) <= 2 and not a.form.q and len(a.form.d) == 1):
        return a
    ends = (box, (box[0],) * 2, (box[1],) * 2)
    found = [functions.enclose_algebraic(a.form, where) for where in ends]
    jets = (jet if g is None else _met(jet, g) for jet, g in zip(a.jets, found, strict=True))
    return spread(*jets)


@no_type_check
def _met(jet: Jet, g: functions.Derivatives) -> Jet:
    exact = (g[0], g[1], scale(g[2], 0.5), mul(g[3], iv.ratio(1, 6)))
    return tuple(p if p is ZERO else iv.intersect(p, q) for p, q in zip(jet, exact, strict=True))  # pyright: ignore


@no_type_check
def _contract(wide: Jet, left: Jet, right: Jet, width: Interval) -> Jet:
    """Narrows each coefficient by the next: from both ends, and to the values at the ends where it is monotone."""
    found = list(wide)
    for j in reversed(range(ORDER)):
        growth = scale(found[j + 1], j + 1)  # the derivative of the j-th coefficient
        if growth is ZERO or found[j][0] == found[j][1]:
            continue
        if iv.sign_of(growth) is not None:
            found[j] = iv.intersect(found[j], iv.hull(left[j], right[j]))
        else:
            change = mul(growth, width)
            found[j] = iv.intersect(found[j], iv.intersect(add(left[j], change), sub(right[j], change)))
    return tuple(found)  # pyright: ignore[reportReturnType]


def _operation(node: Node) -> Callable[..., Jet | None]:
    if node.op in functions.AT or node.op in ("sin", "cos"):
        return lambda a: compose(functions.enclose(node.op, a[0]), a)
    if node.op == "mul" and node.args[0] == node.args[1]:
        return lambda a, _: compose(functions.enclose_power(2, a[0]), a)
    if node.op == "integer_pow":
        return lambda a: compose(functions.enclose_power(node.data, a[0]), a)
    if node.op == "algebraic":
        return lambda a: compose(functions.enclose_algebraic(node.data, a[0]), a)
    if node.op == "sinc":
        return lambda a: compose(functions.enclose_sinc(a[0]), a)
    return ARITHMETIC[node.op]


@no_type_check
def compose(g: functions.Derivatives | None, u: Jet) -> Jet | None:
    """The jet of g(u) from the ranges of g's derivatives."""
    if g is None:
        return None
    g1, g2, g3 = g[1], scale(g[2], 0.5), mul(g[3], iv.ratio(1, 6))
    square = functions.power(u[1], 2)
    second = add(mul(g1, u[2]), mul(g2, square))
    cross = scale(mul(g2, mul(u[1], u[2])), 2)
    third = add(add(mul(g1, u[3]), cross), mul(g3, functions.power(u[1], 3)))
    return g[0], mul(g1, u[1]), second, third


@no_type_check
def _add(a: Jet, b: Jet) -> Jet:
    return tuple(add(p, q) for p, q in zip(a, b, strict=True))  # pyright: ignore[reportReturnType]


@no_type_check
def _neg(a: Jet) -> Jet:
    return tuple(neg(p) for p in a)  # pyright: ignore[reportReturnType]


@no_type_check
def _mul(a: Jet, b: Jet) -> Jet:
    found = []
    for k in range(ORDER + 1):
        total = ZERO
        for j in range(k + 1):
            total = add(total, mul(a[j], b[k - j]))
        found.append(total)
    return tuple(found)  # pyright: ignore[reportReturnType]


@no_type_check
def _div(a: Jet, b: Jet) -> Jet | None:
    """By the reciprocal and by the recurrence of quotients, whichever is narrower."""
    if b[1:] == (ZERO, ZERO, ZERO):
        found = [iv.div(p, b[0]) for p in a]
        return None if None in found else tuple(found)  # pyright: ignore[reportReturnType]
    reciprocal = compose(functions.enclose_power(-1, b[0]), b)
    if reciprocal is None:
        return None
    product, quotient = _mul(a, reciprocal), []
    for k in range(ORDER + 1):
        rest = a[k]
        for j in range(k):
            rest = sub(rest, mul(quotient[j], b[k - j]))
        quotient.append(iv.intersect(product[k], iv.div(rest, b[0]) or WHOLE))
    return tuple(quotient)  # pyright: ignore[reportReturnType]


def _pow(a: Jet, b: Jet) -> Jet | None:
    if b[1:] == (ZERO, ZERO, ZERO) and b[0][0] == b[0][1]:
        exponent = b[0][0]
        whole = libmp.mpf_floor(exponent) == exponent and lt(libmp.mpf_abs(exponent), iv.number(1000))
        n = iv.whole(exponent) if whole else 0
        return compose(functions.enclose_power(n, a[0]) if whole else functions.enclose_real_power(exponent, a[0]), a)
    logarithm = compose(functions.enclose("log", a[0]), a)
    product = None if logarithm is None else _mul(b, logarithm)
    return None if product is None else compose(functions.enclose("exp", product[0]), product)


ARITHMETIC: dict[str, Callable[..., Jet | None]] = {
    "add": _add,
    "sub": lambda a, b: _add(a, _neg(b)),
    "neg": _neg,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
}


def _minus(a: Spread, b: Spread) -> Spread:
    return spread(*(_add(p, _neg(q)) for p, q in zip(a.jets, b.jets, strict=True)))


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
    return _extreme(1)(state, index, a, _negated(a))


def _negated(a: Spread) -> Spread:
    form = a.form and algebra.form("neg", None, 0, a.form)
    return spread(*(_neg(jet) for jet in a.jets), form)


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
        edges = (constant(point(plateau - below)), constant(point(plateau - below + 1)))
        if _order(a, edges[0]) in (0, 1) and _order(a, edges[1]) in (0, -1):
            state.decisions[index] = int(plateau)
            return constant(point(int(plateau)))
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
