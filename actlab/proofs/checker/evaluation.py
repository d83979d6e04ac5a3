"""The checker's evaluation of a program on a box.

A program is a list of nodes, the last of which is the value. Each node is enclosed by its operation, then narrowed from
the two ends of the box, and exactly where it is an algebraic function of x or of exp(x).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, no_type_check

from mpmath import libmp
from mpmath.libmp import fzero

from actlab.proofs.checker import algebra, ranges
from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.algebra import Algebraic, polynomial
from actlab.proofs.checker.choices import CHOOSING, LOGICAL
from actlab.proofs.checker.functions import AT, Derivatives
from actlab.proofs.checker.intervals import ONE, ZERO, Interval, add, lt, mul, scale, sub
from actlab.proofs.checker.jets import (
    ARITHMETIC,
    EXPONENTIAL,
    IDENTITY,
    ORDER,
    UNKNOWN,
    Evaluation,
    Jet,
    Node,
    Program,
    Spread,
    Value,
    compose,
    constant,
    spread,
)


def evaluate(program: Program, box: Interval) -> Evaluation:
    """Evaluates every node on the box."""
    state = Evaluation()
    width = (fzero, libmp.mpf_sub(box[1], box[0], iv.BITS, "c"))
    wide, left, right = ((x, ONE, ZERO, ZERO) for x in (box, (box[0], box[0]), (box[1], box[1])))
    variable = Spread(wide, left, right, IDENTITY)
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
        elif node.op == "infinity" or any(not isinstance(a, Spread) for a in arguments):
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
    found = [ranges.enclose_algebraic(a.form, where) for where in ends]
    jets = (jet if g is None else _met(jet, g) for jet, g in zip(a.jets, found, strict=True))
    return spread(*jets)


@no_type_check
def _met(jet: Jet, g: Derivatives) -> Jet:
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
    if node.op in AT or node.op in ("sin", "cos"):
        return lambda a: compose(ranges.enclose(node.op, a[0]), a)
    if node.op == "mul" and node.args[0] == node.args[1]:
        return lambda a, _: compose(ranges.enclose_power(2, a[0]), a)
    if node.op == "integer_pow":
        return lambda a: compose(ranges.enclose_power(node.data, a[0]), a)
    if node.op == "algebraic":
        return lambda a: compose(ranges.enclose_algebraic(node.data, a[0]), a)
    if node.op == "sinc":
        return lambda a: compose(ranges.enclose_sinc(a[0]), a)
    return ARITHMETIC[node.op]
