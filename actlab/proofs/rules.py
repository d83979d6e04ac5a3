"""The interval rule of each operation of a program: derivatives over intervals, wide or thin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, no_type_check

import numpy as np

from actlab.proofs import jets
from actlab.proofs.derivatives import SMOOTH, Four, cbrt, tan
from actlab.proofs.jets import Jet


@no_type_check
def smooth(A: Any, name: str, u: Any) -> Four:
    """Enclosures of f, f', f'', f''' over the interval u: the hull at both ends and at each turning point inside."""
    primitive, B = SMOOTH[name], A.thin
    low, high = primitive.domain
    u = A.at_most(A.at_least(u, low), high)
    result = _at_ends(A, primitive.derivatives, u)
    for k, points in enumerate(primitive.turns):
        for point in points:
            inside = ~(A.gt(u, math.nextafter(point, math.inf)) | A.lt(u, math.nextafter(point, -math.inf)))
            if inside.any():
                value = A.wide(primitive.derivatives(B, B.bracket(point, A.shape(u)))[k])
                result[k] = A.where(inside, A.hull(result[k], value), result[k])
    for k in range(4 if name == "exp" else 1 if name in LEAST else 0):
        result[k] = A.at_least(result[k], LEAST[name])
    for k, sign in enumerate(SIGNS.get(name, ()), 1):
        result[k] = A.at_least(result[k], 0.0) if sign > 0 else A.at_most(result[k], 0.0) if sign < 0 else result[k]
    return tuple(result)  # pyright: ignore


SIGNS: dict[str, tuple[int, int, int]] = {
    "sqrt": (1, -1, 1),
    "log": (1, -1, 1),
    "log1p": (1, -1, 1),
    "asin": (1, 0, 1),
    "acos": (-1, 0, -1),
    "acosh": (1, -1, 1),
    "atanh": (1, 0, 1),
    "erf_inv": (1, 0, 1),
}
"""The signs of the derivatives: at a singular end, where a quotient by 0 shows none."""
LEAST = {"exp": 0.0, "expm1": -1.0, "softplus": 0.0, "cosh": 1.0}
"""Values that are never fallen short of, also where Arb gives up (the exponential of 1e300)."""


@no_type_check
def _at_ends(A: Any, derivatives: Callable[[Any, Any], Four], u: Any) -> list[Any]:
    """The hull of the four derivatives at the two ends of u."""
    low, high = (derivatives(A.thin, A.end(u, side)) for side in (0, 1))
    return [A.hull(A.wide(a), A.wide(b)) for a, b in zip(low, high, strict=True)]


@no_type_check
def thin(A: Any, name: str, u: Any) -> Four:
    """The same at a thin interval, where the natural extension is tight."""
    return SMOOTH[name].derivatives(A, u)


@no_type_check
def wave(A: Any, name: str, u: Any) -> Four:
    """Sine or cosine, and its derivatives."""
    s, c = A.wave("sin", u), A.wave("cos", u)
    return (s, c, A.neg(s), A.neg(c)) if name == "sin" else (c, A.neg(s), A.neg(c), s)


@no_type_check
def integer_power(A: Any, u: Any, n: int) -> Four:
    """u^n for any whole n; negative ones have a pole at 0."""

    def term(k: int) -> Any:
        factor = float(math.prod(range(n, n - k, -1)))
        if factor == 0.0:
            return A.constant(0.0, A.shape(u))
        m = n - k
        value = A.power(u, m) if m >= 0 else A.div(A.constant(1.0, A.shape(u)), A.power(u, -m))
        return value if factor == 1.0 else A.scaled(value, factor)

    return term(0), term(1), term(2), term(3)


@no_type_check
def real_power(A: Any, u: Any, p: float) -> Four:
    """u^p for u >= 0 and any p; the coefficients of the derivatives are rounded outward."""
    exact, factor = Fraction(p), Fraction(1)
    result = []
    for k in range(4):
        value = A.real_power(u, exact - k)
        result.append(A.mul(A.rational(factor.numerator, factor.denominator, A.shape(u)), value))
        factor *= exact - k
    return tuple(result)  # pyright: ignore


@no_type_check
def cubic_root(A: Any, u: Any) -> Four:
    """The odd cube root; its derivatives are unbounded at 0."""
    result, whole = _at_ends(A, cbrt, u), A.whole(A.shape(u))
    inside = ~(A.ge(u, 0.0) | A.le(u, 0.0))
    around = (A.at_least(whole, 0.0), whole, whole)
    return result[0], *(A.where(inside, w, r) for w, r in zip(around, result[1:], strict=True))  # pyright: ignore


@no_type_check
def sinc(A: Any, u: Any) -> Four:
    """sin(u)/u and its derivatives: quotients away from 0, Taylor sums near it, and |sinc^(k)| <= 1/(k+1)."""
    one = A.constant(1.0, A.shape(u))
    near = ~(A.gt(u, 0.5) | A.lt(u, -0.5))
    far, close = A.where(near, one, u), A.where(near, u, one)
    s, c = A.wave("sin", far), A.wave("cos", far)
    quotient = A.div(s, far)  # u s = sin, so u s' + s = cos, u s'' + 2 s' = -sin, u s''' + 3 s'' = -cos
    first = A.div(A.sub(c, quotient), far)
    second = A.neg(A.div(A.add(s, A.scaled(first, 2.0)), far))
    third = A.neg(A.div(A.add(c, A.scaled(second, 3.0)), far))
    result = []
    for k, value in enumerate((quotient, first, second, third)):
        bound = A.hull(A.rational(-1, k + 1, A.shape(u)), A.rational(1, k + 1, A.shape(u)))
        result.append(A.meet(bound, A.where(near, _sinc_series(A, close, k), value)))
    return tuple(result)  # pyright: ignore


@no_type_check
def _sinc_series(A: Any, u: Any, k: int) -> Any:
    """The k-th derivative's Taylor sum with its remainder, for u near 0 (at |u| = 1 the remainder is below 1e-44)."""
    total, last = A.constant(0.0, A.shape(u)), 40
    for n in range(0, last, 2):
        if n < k:
            continue
        coefficient = Fraction((-1) ** (n // 2), math.factorial(n + 1)) * math.perm(n, k)
        term = A.mul(A.rational(coefficient.numerator, coefficient.denominator, A.shape(u)), A.power(u, n - k))
        total = A.add(total, term)
    # The remainder: |sinc^(n)| <= 1/(n+1), so at most |u|^(last-k) / ((last-k)! (last+1)).
    size = A.power(A.hull(u, A.neg(u)), last - k)
    bound = Fraction(1, math.factorial(last - k) * (last + 1))
    size = A.hull(size, A.neg(size))
    return A.add(total, A.mul(A.rational(bound.numerator, bound.denominator, A.shape(u)), size))


@no_type_check
def apply(A: Any, op: str, params: Mapping[str, Any], u: Jet, is_thin: bool) -> Jet:
    """A smooth operation of one argument."""
    if op in SMOOTH:
        return jets.compose(A, (thin if is_thin else smooth)(A, op, u[0]), u)
    return jets.compose(A, UNARY[op](A, u[0], params), u)


UNARY: dict[str, Callable[[Any, Any, Mapping[str, Any]], Four]] = {
    "sin": lambda A, u, _: wave(A, "sin", u),
    "cos": lambda A, u, _: wave(A, "cos", u),
    "tan": lambda A, u, _: tan(A, u),
    "cbrt": lambda A, u, _: cubic_root(A, u),
    "sinc": lambda A, u, _: sinc(A, u),
    "integer_pow": lambda A, u, p: integer_power(A, u, int(p["n"])),
    "pow": lambda A, u, p: real_power(A, u, float.fromhex(p["exponent"])),
}
"""Smooth operations of one argument with parameters, or with infinitely many turning points."""
SMOOTH_OPS = frozenset([*SMOOTH, *UNARY])

DOMAINS: dict[str, tuple[float, float]] = {name: p.domain for name, p in SMOOTH.items()} | {"pow": (0.0, math.inf)}


@dataclass(frozen=True)
class Singularity:
    """Where an operation is not analytic, though its domain goes on or ends there."""

    points: tuple[float, ...]
    pole: bool
    """It has no value there, rather than an unbounded derivative."""


DIVISION = Singularity((0.0,), True)


@no_type_check
def singularity(op: str, params: Mapping[str, Any]) -> Singularity | None:
    """The singular points of an operation."""
    if op == "log" or (op == "integer_pow" and int(params["n"]) < 0):
        return Singularity((0.0,), True)
    if op == "pow":
        return Singularity((0.0,), float.fromhex(params["exponent"]) < 0)
    return _SINGULAR.get(op)


_SINGULAR = {
    "log1p": Singularity((-1.0,), True),
    "atanh": Singularity((-1.0, 1.0), True),
    "erf_inv": Singularity((-1.0, 1.0), True),
    "sqrt": Singularity((0.0,), False),
    "cbrt": Singularity((0.0,), False),
    "asin": Singularity((-1.0, 1.0), False),
    "acos": Singularity((-1.0, 1.0), False),
    "acosh": Singularity((1.0,), False),
}


@no_type_check
def undefined(A: Any, op: str, u: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where the argument is not certainly inside the closed domain of the operation; where it is certainly outside."""
    low, high = DOMAINS.get(op, (-math.inf, math.inf))
    inside, outside = np.ones(A.shape(u), bool), np.zeros(A.shape(u), bool)
    if low > -math.inf:
        inside &= A.ge(u, low)
        outside |= A.lt(u, low)
    if high < math.inf:
        inside &= A.le(u, high)
        outside |= A.gt(u, high)
    return ~inside, outside


@no_type_check
def hidden_pole(A: Any, op: str, u: Any) -> np.ndarray:
    """Where the tangent may have a pole inside the box."""
    if op != "tan":
        return np.zeros(A.shape(u), bool)
    low, high = A.floats(A.tangent(u))
    return np.isinf(low) & np.isinf(high)
