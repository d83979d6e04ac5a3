"""Conditions on facts: `slope.lower > 0 and smoothness >= 1`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from actlab.activations import Facts

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
TERM = re.compile(r"^\s*([a-z_]+)(?:\.(lower|upper))?\s*(>=|<=|==|!=|>|<)\s*(.+?)\s*$")
INTERVALS, NUMBERS, WORDS = ("range", "slope", "curvature"), ("smoothness",), ("monotone", "gradient", "standing")
FORM = "terms such as 'slope.lower > 0', 'smoothness >= 1' or 'monotone == strictly increasing', joined by 'and'"


class WhereError(ValueError):
    """A condition that cannot be read; the message says which term and what is allowed."""


def condition(text: str) -> Callable[[Facts], bool]:
    """The predicate that a condition states. An unknown fact meets no condition, save `monotone == unknown`.

    Raises:
        WhereError: a term is not of the form FACT[.lower|.upper] OPERATOR VALUE, or compares what cannot be compared.
    """
    terms = [_term(term) for term in re.split(r"\s+and\s+", text.strip())]
    return lambda facts: all(term(facts) for term in terms)


def _term(text: str) -> Callable[[Facts], bool]:
    match = TERM.match(text)
    if match is None:
        raise WhereError(f"--where: cannot read {text!r}; write {FORM}")
    fact, end, sign, value = match.groups()
    compare = OPERATORS[sign]
    if fact in INTERVALS and end:
        bound = _number(value, text)
        return lambda f: (interval := getattr(f, fact)) is not None and bool(compare(getattr(interval, end), bound))
    if fact in NUMBERS and not end:
        bound = _number(value, text)
        return lambda f: getattr(f, fact) is not None and compare(getattr(f, fact), bound)
    if fact in WORDS and not end and sign in ("==", "!="):
        word = value.strip("\"'")
        if fact == "monotone" and word != "unknown":  # what is not known is not shown to be another word either
            return lambda f: f.monotone != "unknown" and compare(f.monotone, word)
        return lambda f: compare(getattr(f, fact), word)
    raise WhereError(
        f"--where: {text!r} compares no fact; {', '.join(INTERVALS)} have .lower and .upper, "
        f"{', '.join(NUMBERS)} is a number, {', '.join(WORDS)} are compared by == and !="
    )


def _number(text: str, term: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise WhereError(f"--where: {text!r} in {term!r} is not a number (inf and -inf are)") from error
    if math.isnan(value):
        raise WhereError(f"--where: nothing compares with nan in {term!r}")
    return value
