"""Replaces algebraic parts of a program by single operations that do not cancel (see `algebraic`).

Bottom up, each equation is written as a function of one earlier value z = u or z = exp(u), with a formula for z >= 0
and one for z <= 0, where that is possible. An equation that is, and that divides, takes a root or uses u twice, is
replaced as a whole; what it no longer needs is pruned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from actlab.proofs import polynomials as poly
from actlab.proofs import surds
from actlab.proofs.algebraic import Algebraic
from actlab.proofs.polynomials import Polynomial, Z
from actlab.proofs.program import Argument, Equation, Program
from actlab.proofs.surds import Surd

LARGEST_DEGREE = 12


@dataclass(frozen=True)
class Form:
    """An equation as a function of a base value: of the value itself or of its exponential."""

    base: str
    of_exponential: bool
    right: Surd
    left: Surd
    gain: bool
    """Enclosures profit: the base is used more than once, or there is a quotient or a root."""

    def as_algebraic(self) -> Algebraic:
        """The operation that replaces it."""
        return Algebraic(self.right, self.left, self.of_exponential)


Value = Form | Fraction


def folded(program: Program) -> Program:
    """The same function, its algebraic parts folded."""
    forms: dict[str, list[Form]] = {program.input: [_identity(program.input)]}
    equations = {e.name: e for e in program.equations}
    for e in program.equations:
        forms[e.name] = _forms(e, forms, equations)
    chosen = {name: _best(candidates) for name, candidates in forms.items()}
    wanted = _wanted(program, chosen)
    result = [_replaced(e, chosen[e.name]) if e.name in wanted else e for e in program.equations]
    return Program(tuple(result), program.output, program.input)


def _wanted(program: Program, chosen: dict[str, Form | None]) -> set[str]:
    """The outermost equations that gain: those that something not folded itself, or the output, uses."""
    needed, wanted = {program.output}, set()
    for e in reversed(program.equations):
        if e.name not in needed:
            continue
        form = chosen[e.name]
        if form is not None and form.gain:
            wanted.add(e.name)
            needed.add(form.base)
        else:
            needed.update(e.args)
    return wanted


def _replaced(e: Equation, form: Form | None) -> Equation:
    assert form is not None
    return Equation(e.name, "algebraic", (form.base,), form.as_algebraic().as_params(), e.place)


def _best(candidates: list[Form]) -> Form | None:
    """One that gains, of the least degree, in an exponential rather than in its value; none where none does."""
    useful = [f for f in candidates if f.gain]
    return min(useful, key=lambda f: (max(f.right.size, f.left.size), not f.of_exponential)) if useful else None


def _identity(name: str) -> Form:
    z = Surd(Z)
    return Form(name, False, z, z, False)


def _exponential(base: str, form: Surd, gain: bool = False) -> Form:
    return Form(base, True, form, form, gain)


def _forms(e: Equation, forms: dict[str, list[Form]], equations: dict[str, Equation]) -> list[Form]:
    """The equation over each base over which all its arguments are algebraic; and over itself."""
    found = [_identity(e.name)]
    own = _own_exponential(e)
    if own is not None:
        found.append(own)
    found += _sided(e, forms, equations)
    if e.op not in _RULES or len(found) > 8:
        return found
    options = [[Fraction(a)] if isinstance(a, float) else forms[a] for a in e.args]  # pyright: ignore
    if len(options) == 1:
        pairs: list[tuple[Any, ...]] = [(a,) for a in options[0]]
    else:
        pairs = [(a, b) for a in options[0] for b in options[1]]
    for pair in pairs:
        form = _combined(e, pair)
        if form is not None:
            found.append(form)
    return found[:12]


def _own_exponential(e: Equation) -> Form | None:
    """exp(u), exp(u) - 1, the logistic function, tanh(u): in z = exp(u)."""
    if not (e.args and isinstance(e.args[0], str)):
        return None
    one = Fraction(1)
    square = (Fraction(0), Fraction(0), one)
    table = {
        "exp": Surd(Z),
        "expm1": Surd((-one, one)),
        "logistic": Surd(Z, D=(one, one)),
        "tanh": Surd(poly.sub(square, (one,)), D=poly.add(square, (one,))),
    }
    return _exponential(e.args[0], table[e.op]) if e.op in table else None


def _sided(e: Equation, forms: dict[str, list[Form]], equations: dict[str, Equation]) -> list[Form]:
    """abs, sign, max(., 0), min(., 0) and a choice by the sign of the base: other formulas for z >= 0 and z <= 0."""
    found = []
    if e.op in ("abs", "max", "min") and (e.op == "abs" or 0.0 in e.args):
        u = next((a for a in e.args if isinstance(a, str)), None)
        for form in forms.get(u, []) if u else []:
            sides = _signed(e.op, form)
            if sides is not None:
                found.append(Form(form.base, form.of_exponential, *sides, form.gain))
    if e.op == "select" and (test := equations.get(e.args[0])) and test.op in ("gt", "ge", "lt", "le"):  # pyright: ignore
        base, threshold = test.args
        if isinstance(base, str) and threshold == 0.0:
            off, on = (_over(a, base, forms) for a in e.args[1:])
            for a in off:
                for b in on:
                    right, left = (b, a) if test.op in ("gt", "ge") else (a, b)
                    form = Form(base, False, right.right, left.left, a.gain or b.gain)
                    if form.as_algebraic().joined:
                        found.append(form)
    return found


def _over(a: Argument, base: str, forms: dict[str, list[Form]]) -> list[Form]:
    if isinstance(a, float):
        c = surds.constant(a)
        return [Form(base, False, c, c, False)]
    return [f for f in forms[str(a)] if f.base == base and not f.of_exponential]


def _signed(op: str, form: Form) -> tuple[Surd, Surd] | None:
    """The two formulas of |f|, max(f, 0) or min(f, 0), where f keeps one sign on each side of 0."""
    sides = []
    for surd, mirrored in ((form.right, form.right), (form.left, form.left.mirrored())):
        sign = _sign(mirrored)
        if sign == 0:
            return None
        zero = Surd(poly.ZERO)
        keep = surd if sign > 0 else surds.neg(surd)
        sides.append({"abs": keep, "max": surd if sign > 0 else zero, "min": zero if sign > 0 else surd}[op])
    return sides[0], sides[1]


def _sign(s: Surd) -> int:
    """The sign of a polynomial on z > 0, where its coefficients show it."""
    if s.Q or poly.degree(s.D) != 0:
        return 0
    if all(a >= 0 for a in s.P):
        return 1
    return -1 if all(a <= 0 for a in s.P) else 0


def _combined(e: Equation, args: tuple[Value, ...]) -> Form | None:
    bases = [a for a in args if isinstance(a, Form)]
    if not bases or any((b.base, b.of_exponential) != (bases[0].base, bases[0].of_exponential) for b in bases):
        return None
    first = bases[0]
    rule = _RULES[e.op]
    sides = []
    for side in ("right", "left"):
        value = rule(*(getattr(a, side) if isinstance(a, Form) else surds.constant(a) for a in args), **e.params)
        below = _below(e, args[1], side, first.of_exponential) if e.op == "div" else poly.ONE
        if value is None or below is None:
            return None
        value = _reduced(value, side, first.of_exponential, below)
        if value is None:
            return None
        if value.size > LARGEST_DEGREE:
            return None
        sides.append(value)
    gain = any(b.gain for b in bases) or e.op in ("div", "sqrt") or len(bases) > 1
    gain = gain and not (sides[0].is_polynomial and sides[1].is_polynomial and sides[0] == sides[1])
    return Form(first.base, first.of_exponential, sides[0], sides[1], gain)


def _below(e: Equation, divisor: Value, side: str, of_exponential: bool) -> Polynomial | None:
    """The norm by which a divisor's conjugate divides; None where its zeros may be zeros of the divisor."""
    if not isinstance(divisor, Form) or not (b := getattr(divisor, side)).Q:
        return poly.ONE
    norm = b.norm
    parts = [(b.D, True), (b.P, bool(b.P)), (b.Q, not b.P), (b.S, not b.P)]
    plain = all(_positive(p, side, of_exponential, strictly=s) and (not p or p[-1] > 0) for p, s in parts)
    return norm if plain else poly.ONE if _positive(norm, side, of_exponential) else None


def _reduced(s: Surd, side: str, of_exponential: bool, harmless: Polynomial) -> Surd | None:
    """Without common factors; None where one has a zero (x/x has no value at 0), or the root a negative part."""
    common = s.common()
    while poly.degree(factor := poly.gcd(common, harmless)) > 0:
        common = poly.divided(common, factor)[0]
    if not _positive(common, side, of_exponential):
        return None
    if s.Q and not _positive(s.S, side, of_exponential, strictly=False):
        return None
    return s.reduced()


def _positive(p: Polynomial, side: str, of_exponential: bool, *, strictly: bool = True) -> bool:
    """Whether p, or -p where strictly, is seen to be positive (or at least 0) for all z of the side."""
    if not p:
        return not strictly
    if strictly and p[-1] < 0:
        p = poly.scale(p, -1)
    if poly.degree(p) == 2 and p[2] > 0 and p[1] * p[1] < 4 * p[0] * p[2]:
        return True
    there = p if side == "right" or of_exponential else poly.mirrored(p)
    if strictly and there[-1] < 0:
        there = poly.scale(there, -1)
    return all(a >= 0 for a in there) and (not strictly or of_exponential or there[0] > 0)


def _power(a: Surd, *, n: int) -> Surd | None:
    if abs(n) > LARGEST_DEGREE:
        return None
    result: Surd | None = surds.constant(1)
    base = a if n > 0 else surds.inverse(a)
    for _ in range(abs(n)):
        result = None if result is None or base is None else surds.mul(result, base)
    return result


def _divided(a: Surd, b: Surd) -> Surd | None:
    inverse = surds.inverse(b)
    return None if inverse is None else surds.mul(a, inverse)


_RULES: dict[str, Callable[..., Surd | None]] = {
    "add": surds.add,
    "sub": lambda a, b: surds.add(a, surds.neg(b)),
    "mul": surds.mul,
    "div": _divided,
    "neg": surds.neg,
    "sqrt": surds.sqrt,
    "integer_pow": _power,
}
