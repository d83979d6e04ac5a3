"""The smooth primitives: f, f', f'', f''' at a thin interval, and where these four turn.

An enclosure over a wide interval is the hull of the values at its two ends and at each interior turning point: that is
what keeps logistic' or sech^2 as tight as they are, where s (1 - s) would lose everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, no_type_check

Four = tuple[Any, Any, Any, Any]
ROOT3, ROOT2 = math.sqrt(3), math.sqrt(2)
LOGISTIC_2, LOGISTIC_3 = 1.3169578969248167, 2.292431669561178
"""Where logistic'' and logistic''' turn: log(2 + sqrt 3), log(5 + 2 sqrt 6)."""


@dataclass(frozen=True)
class Smooth:
    """One primitive: its derivatives at a thin interval, their turning points, and where it is defined."""

    derivatives: Callable[[Any, Any], Four]
    turns: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]] = ((), (), (), ())
    domain: tuple[float, float] = (-math.inf, math.inf)


@no_type_check
def _exp(A: Any, u: Any) -> Four:
    e = A.increasing("exp", u)
    return e, e, e, e


@no_type_check
def _expm1(A: Any, u: Any) -> Four:
    e = A.increasing("exp", u)
    return A.increasing("expm1", u), e, e, e


@no_type_check
def _reciprocals(A: Any, u: Any) -> tuple[Any, Any, Any]:
    """1/u, -1/u^2, 2/u^3."""
    one = A.constant(1.0, A.shape(u))
    r = A.div(one, u)
    return r, A.neg(A.square(r)), A.scaled(A.mul(r, A.square(r)), 2.0)


@no_type_check
def _log(A: Any, u: Any) -> Four:
    return A.increasing("log", u), *_reciprocals(A, u)


@no_type_check
def _log1p(A: Any, u: Any) -> Four:
    return A.increasing("log1p", u), *_reciprocals(A, A.add(u, A.constant(1.0, A.shape(u))))


@no_type_check
def _logistic_terms(A: Any, u: Any) -> Four:
    s, t = A.increasing("logistic", u), A.increasing("logistic", A.neg(u))
    product = A.mul(s, t)
    third = A.sub(A.constant(1.0, A.shape(u)), A.scaled(product, 6.0))
    return s, product, A.mul(product, A.sub(t, s)), A.mul(product, third)


@no_type_check
def _softplus(A: Any, u: Any) -> Four:
    s, first, second, _ = _logistic_terms(A, u)
    return A.increasing("softplus", u), s, first, second


@no_type_check
def _tanh(A: Any, u: Any) -> Four:
    t = A.increasing("tanh", u)
    _, first, second, third = _logistic_terms(A, A.scaled(u, 2.0))
    return t, A.scaled(first, 4.0), A.scaled(second, 8.0), A.scaled(third, 16.0)


@no_type_check
def _sinh(A: Any, u: Any) -> Four:
    s, c = A.increasing("sinh", u), A.even("cosh", u)
    return s, c, s, c


@no_type_check
def _cosh(A: Any, u: Any) -> Four:
    s, c = A.increasing("sinh", u), A.even("cosh", u)
    return c, s, c, s


@no_type_check
def _lorentz(A: Any, u: Any) -> tuple[Any, Any]:
    """1/(1 + u^2) and u/(1 + u^2)."""
    one = A.constant(1.0, A.shape(u))
    size = A.add(one, A.square(u))
    return A.div(one, size), A.div(u, size)


@no_type_check
def _atan(A: Any, u: Any) -> Four:
    first, ratio = _lorentz(A, u)
    second = A.scaled(A.mul(ratio, first), -2.0)
    # (6 u^2 - 2)/(1 + u^2)^3 = 6/(1 + u^2)^2 - 8/(1 + u^2)^3
    square = A.square(first)
    third = A.mul(square, A.sub(A.constant(6.0, A.shape(u)), A.scaled(first, 8.0)))
    return A.increasing("atan", u), first, second, third


@no_type_check
def _asinh(A: Any, u: Any) -> Four:
    lorentz, ratio = _lorentz(A, u)
    first = A.sqrt(lorentz)
    second = A.neg(A.mul(ratio, first))
    third = A.mul(A.mul(lorentz, first), A.sub(A.constant(2.0, A.shape(u)), A.scaled(lorentz, 3.0)))
    return A.increasing("asinh", u), first, second, third


@no_type_check
def _normal(A: Any, u: Any) -> tuple[Any, Any, Any]:
    """2/sqrt(pi) exp(-u^2) and its two derivatives."""
    bell = A.mul(A.two_over_root_pi(A.shape(u)), A.increasing("exp", A.neg(A.square(u))))
    second = A.scaled(A.mul(u, bell), -2.0)
    return bell, second, A.mul(bell, A.sub(A.scaled(A.square(u), 4.0), A.constant(2.0, A.shape(u))))


@no_type_check
def _erf(A: Any, u: Any) -> Four:
    return A.increasing("erf", u), *_normal(A, u)


@no_type_check
def _erfc(A: Any, u: Any) -> Four:
    first, second, third = _normal(A, u)
    return A.decreasing("erfc", u), A.neg(first), A.neg(second), A.neg(third)


@no_type_check
def _erf_inv(A: Any, u: Any) -> Four:
    y = A.increasing("erf_inv", u)
    square = A.square(y)
    one = A.constant(1.0, A.shape(u))
    first = A.div(A.increasing("exp", square), A.two_over_root_pi(A.shape(u)))
    slope2 = A.square(first)
    third = A.mul(A.mul(slope2, first), A.add(A.scaled(one, 2.0), A.scaled(square, 8.0)))
    return y, first, A.scaled(A.mul(y, slope2), 2.0), third


@no_type_check
def _sqrt(A: Any, u: Any) -> Four:
    root = A.sqrt(u)
    first = A.div(A.constant(0.5, A.shape(u)), root)
    second = A.scaled(A.div(first, u), -0.5)
    return root, first, second, A.scaled(A.div(second, u), -1.5)


@no_type_check
def cbrt(A: Any, u: Any) -> Four:
    """The cube root at a thin interval that does not have 0 inside."""
    root = A.increasing("cbrt", u)
    first = A.div(A.rational(1, 3, A.shape(u)), A.square(root))
    second = A.mul(A.rational(-2, 3, A.shape(u)), A.div(first, u))
    return root, first, second, A.mul(A.rational(-5, 3, A.shape(u)), A.div(second, u))


@no_type_check
def tan(A: Any, u: Any) -> Four:
    """The tangent over any interval: the real line where a pole may be inside."""
    t = A.tangent(u)
    square = A.square(t)
    one = A.constant(1.0, A.shape(u))
    first = A.add(one, square)
    second = A.scaled(A.mul(t, first), 2.0)
    return t, first, second, A.scaled(A.mul(first, A.add(one, A.scaled(square, 3.0))), 2.0)


@no_type_check
def _asin(A: Any, u: Any) -> Four:
    one = A.constant(1.0, A.shape(u))
    rest = A.mul(A.sub(one, u), A.add(one, u))
    first = A.div(one, A.sqrt(rest))
    second = A.mul(u, A.div(first, rest))
    third = A.mul(A.add(one, A.scaled(A.square(u), 2.0)), A.div(A.div(first, rest), rest))
    return A.increasing("asin", u), first, second, third


@no_type_check
def _acos(A: Any, u: Any) -> Four:
    _, first, second, third = _asin(A, u)
    return A.decreasing("acos", u), A.neg(first), A.neg(second), A.neg(third)


@no_type_check
def _acosh(A: Any, u: Any) -> Four:
    one = A.constant(1.0, A.shape(u))
    rest = A.mul(A.sub(u, one), A.add(u, one))
    first = A.div(one, A.sqrt(rest))
    third = A.mul(A.add(one, A.scaled(A.square(u), 2.0)), A.div(A.div(first, rest), rest))
    return A.increasing("acosh", u), first, A.neg(A.mul(u, A.div(first, rest))), third


@no_type_check
def _atanh(A: Any, u: Any) -> Four:
    one = A.constant(1.0, A.shape(u))
    first = A.div(one, A.mul(A.sub(one, u), A.add(one, u)))
    square = A.square(first)
    third = A.mul(A.mul(square, first), A.add(A.scaled(one, 2.0), A.scaled(A.square(u), 6.0)))
    return A.increasing("atanh", u), first, A.scaled(A.mul(u, square), 2.0), third


@no_type_check
def _both(*points: float) -> tuple[float, ...]:
    return (*(-p for p in points), *points)


ZERO = (0.0,)
SMOOTH: dict[str, Smooth] = {
    "exp": Smooth(_exp),
    "expm1": Smooth(_expm1),
    "log": Smooth(_log, domain=(0.0, math.inf)),
    "log1p": Smooth(_log1p, domain=(-1.0, math.inf)),
    "logistic": Smooth(_logistic_terms, ((), ZERO, _both(LOGISTIC_2), (0.0, *_both(LOGISTIC_3)))),
    "softplus": Smooth(_softplus, ((), (), ZERO, _both(LOGISTIC_2))),
    "tanh": Smooth(_tanh, ((), ZERO, _both(0.6584789484624084), (0.0, *_both(1.146215834780589)))),
    "sinh": Smooth(_sinh, ((), ZERO, (), ZERO)),
    "cosh": Smooth(_cosh, (ZERO, (), ZERO, ())),
    "atan": Smooth(_atan, ((), ZERO, _both(1 / ROOT3), _both(1.0) + ZERO)),
    "asinh": Smooth(_asinh, ((), ZERO, _both(1 / ROOT2), _both(math.sqrt(1.5)) + ZERO)),
    "erf": Smooth(_erf, ((), ZERO, _both(1 / ROOT2), _both(math.sqrt(1.5)) + ZERO)),
    "erfc": Smooth(_erfc, ((), ZERO, _both(1 / ROOT2), _both(math.sqrt(1.5)) + ZERO)),
    "erf_inv": Smooth(_erf_inv, ((), ZERO, (), ZERO), (-1.0, 1.0)),
    "sqrt": Smooth(_sqrt, domain=(0.0, math.inf)),
    "asin": Smooth(_asin, ((), ZERO, (), ZERO), (-1.0, 1.0)),
    "acos": Smooth(_acos, ((), ZERO, (), ZERO), (-1.0, 1.0)),
    "acosh": Smooth(_acosh, domain=(1.0, math.inf)),
    "atanh": Smooth(_atanh, ((), ZERO, (), ZERO), (-1.0, 1.0)),
}
"""Every smooth primitive without parameters whose derivatives have finitely many turning points."""
