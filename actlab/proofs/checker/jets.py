"""The checker's numbers on a box: Taylor coefficients f, f', f''/2, f'''/6, over all of it and at its ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, no_type_check

from mpmath import libmp

from actlab.proofs.checker import functions, ranges
from actlab.proofs.checker import intervals as iv
from actlab.proofs.checker.algebra import Algebraic, polynomial
from actlab.proofs.checker.intervals import WHOLE, ZERO, Interval, add, lt, mul, neg, scale, sub

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
    return Spread((a, ZERO, ZERO, ZERO), (a, ZERO, ZERO, ZERO), (a, ZERO, ZERO, ZERO), form)


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
def added(a: Jet, b: Jet) -> Jet:
    """The sum."""
    return tuple(add(p, q) for p, q in zip(a, b, strict=True))  # pyright: ignore[reportReturnType]


@no_type_check
def negated(a: Jet) -> Jet:
    """The negative."""
    return tuple(neg(p) for p in a)  # pyright: ignore[reportReturnType]


@no_type_check
def multiplied(a: Jet, b: Jet) -> Jet:
    """The product."""
    found = []
    for k in range(ORDER + 1):
        total = ZERO
        for j in range(k + 1):
            total = add(total, mul(a[j], b[k - j]))
        found.append(total)
    return tuple(found)  # pyright: ignore[reportReturnType]


@no_type_check
def divided(a: Jet, b: Jet) -> Jet | None:
    """By the reciprocal and by the recurrence of quotients, whichever is narrower."""
    if b[1:] == (ZERO, ZERO, ZERO):
        found = [iv.div(p, b[0]) for p in a]
        return None if None in found else tuple(found)  # pyright: ignore[reportReturnType]
    reciprocal = compose(ranges.enclose_power(-1, b[0]), b)
    if reciprocal is None:
        return None
    product, quotient = multiplied(a, reciprocal), []
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
        return compose(ranges.enclose_power(n, a[0]) if whole else ranges.enclose_real_power(exponent, a[0]), a)
    logarithm = compose(ranges.enclose("log", a[0]), a)
    product = None if logarithm is None else multiplied(b, logarithm)
    return None if product is None else compose(ranges.enclose("exp", product[0]), product)


ARITHMETIC: dict[str, Callable[..., Jet | None]] = {
    "add": added,
    "sub": lambda a, b: added(a, negated(b)),
    "neg": negated,
    "mul": multiplied,
    "div": divided,
    "pow": _pow,
}
