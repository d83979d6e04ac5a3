"""Polynomials with rational coefficients, from the constant term upwards: exact, so that cancellation is seen."""

from __future__ import annotations

from fractions import Fraction
from itertools import zip_longest
from typing import no_type_check

Polynomial = tuple[Fraction, ...]
ZERO: Polynomial = ()
ONE: Polynomial = (Fraction(1),)
Z: Polynomial = (Fraction(0), Fraction(1))


@no_type_check
def trimmed(p: list[Fraction] | Polynomial) -> Polynomial:
    """Without leading zeros."""
    n = len(p)
    while n and p[n - 1] == 0:
        n -= 1
    return tuple(p[:n])


@no_type_check
def degree(p: Polynomial) -> int:
    """The degree; -1 of the zero polynomial."""
    return len(p) - 1


@no_type_check
def add(p: Polynomial, q: Polynomial) -> Polynomial:
    """The sum p + q."""
    return trimmed([a + b for a, b in zip_longest(p, q, fillvalue=Fraction(0))])


@no_type_check
def scale(p: Polynomial, factor: Fraction | int) -> Polynomial:
    """A number times p."""
    return trimmed([factor * a for a in p])


@no_type_check
def sub(p: Polynomial, q: Polynomial) -> Polynomial:
    """The difference p - q."""
    return add(p, scale(q, -1))


@no_type_check
def mul(p: Polynomial, q: Polynomial) -> Polynomial:
    """The product p q."""
    if not p or not q:
        return ZERO
    result = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return trimmed(result)


@no_type_check
def derivative(p: Polynomial) -> Polynomial:
    """The derivative."""
    return trimmed([k * a for k, a in enumerate(p)][1:])


@no_type_check
def divided(p: Polynomial, q: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder."""
    rest, result = list(p), [Fraction(0)] * max(len(p) - len(q) + 1, 0)
    for k in reversed(range(len(result))):
        result[k] = rest[k + len(q) - 1] / q[-1]
        for i, b in enumerate(q):
            rest[k + i] -= result[k] * b
    return trimmed(result), trimmed(rest)


@no_type_check
def gcd(p: Polynomial, q: Polynomial) -> Polynomial:
    """The greatest common divisor with leading coefficient 1."""
    while q:
        p, q = q, divided(p, q)[1]
    return scale(p, 1 / p[-1]) if p else ONE


@no_type_check
def mirrored(p: Polynomial) -> Polynomial:
    """p(-z)."""
    return tuple(a if k % 2 == 0 else -a for k, a in enumerate(p))


@no_type_check
def value(p: Polynomial, z: Fraction) -> Fraction:
    """p(z)."""
    total = Fraction(0)
    for a in reversed(p):
        total = total * z + a
    return total


@no_type_check
def as_text(p: Polynomial) -> list[str]:
    """The coefficients as "n/d"."""
    return [str(a) for a in p]


@no_type_check
def from_text(texts: list[str]) -> Polynomial:
    """The polynomial that `as_text` wrote."""
    return tuple(Fraction(t) for t in texts)
