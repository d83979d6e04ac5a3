"""Builds a program, equation by equation, in forms that interval arithmetic likes.

The rewrites are identities of real functions: 1 + tanh(u) = 2 logistic(2u), 1 + erf(u) = erfc(-u),
1/(1 + exp(u)) = logistic(-u), log(1 + u) = log1p(u), log1p(exp(u)) = softplus(u), sin(u)^2 = (1 - cos 2u)/2, u u = u^2.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from actlab.proofs.program import Argument, Equation

ANGLES = ("sin", "cos")
TOTAL = frozenset(
    "add sub mul neg abs sign max min exp expm1 logistic softplus tanh sin cos sinc sinh cosh atan asinh erf erfc cbrt "
    "lt le gt ge eq ne and or not xor number select floor ceil round".split()
)
"""Operations that have a value for all real arguments."""


class Builder:
    """Equations so far; the same operation on the same arguments is one equation."""

    def __init__(self) -> None:
        self.equations: list[Equation] = []
        self.defined: dict[str, Equation] = {}
        self._known: dict[Any, str] = {}
        self._total: dict[Any, bool] = {}
        self.place = ""

    def __call__(self, op: str, *args: Argument | bool, **params: Any) -> Any:
        """The argument (a name or a constant) that `op` of these arguments is."""
        rewrite = getattr(self, f"_{op}", None)
        result = rewrite(*args, **params) if rewrite else None
        return self.emit(op, *args, **params) if result is None else result

    def emit(self, op: str, *args: Any, **params: Any) -> str:
        """The equation as it is."""
        key = (op, args, tuple(sorted(params.items())))
        if key not in self._known:
            name = f"e{len(self.equations)}"
            equation = Equation(name, op, args, params, self.place)
            self.equations.append(equation)
            self.defined[name] = equation
            self._known[key] = name
        return self._known[key]

    def op_of(self, a: Any, *ops: str) -> Equation | None:
        """The equation that defines `a`, if it is of one of these operations."""
        e = self.defined.get(a) if isinstance(a, str) else None
        return e if e is not None and e.op in ops else None

    def total(self, a: Any) -> bool:
        """Whether a value is a number wherever x is one, by its operations."""
        if a not in self._total:
            e = self.defined.get(a) if isinstance(a, str) else None
            self._total[a] = e is None or (e.op in TOTAL and all(self.total(b) for b in e.args))
        return self._total[a]

    def _add(self, a: Any, b: Any) -> Any:
        if _number(a) and _number(b):
            return _exact(Fraction(a) + Fraction(b))
        if _number(a):
            a, b = b, a
        if b == 0.0:
            return a
        if b == 1.0 or b == -1.0:
            return self._one_plus(a, b)
        if e := self.op_of(b, "neg"):
            return self("sub", a, e.args[0])
        if e := self.op_of(a, "neg"):
            return self("sub", b, e.args[0])
        return self._softplus_sum(a, b) or self._softplus_sum(b, a)

    def _one_plus(self, a: Any, one: float) -> Any:
        """The sum a + 1 or a - 1 in a form that does not cancel."""
        if e := self.op_of(a, "tanh"):  # tanh + 1 = 2 logistic(2u); tanh - 1 = -2 logistic(-2u)
            gate = self("logistic", self("mul", 2.0 * one, e.args[0]))
            return self("mul", 2.0 * one, gate)
        if e := self.op_of(a, "erf"):
            tail = self("erfc", self("mul", -one, e.args[0]))
            return tail if one > 0 else self("neg", tail)
        if one < 0 and (e := self.op_of(a, "exp")):
            return self("expm1", e.args[0])
        if one < 0 and (e := self.op_of(a, "logistic")):
            return self("neg", self("logistic", self("neg", e.args[0])))
        if e := self.op_of(a, "neg"):
            return self("sub", one, e.args[0])
        return None

    def _softplus_sum(self, a: Any, b: Any) -> Any:
        """max(u, 0) + log1p(exp(-|u|)) = softplus(u)."""
        high, log = self.op_of(a, "max"), self.op_of(b, "log1p")
        if high is None or log is None:
            return None
        power = self.op_of(log.args[0], "exp")
        negated = self.op_of(power.args[0], "neg") if power else None
        size = self.op_of(negated.args[0], "abs") if negated else None
        if size is None or not any(x == 0.0 for x in high.args):
            return None
        u = next(x for x in high.args if x != 0.0)
        return self("softplus", u) if size.args[0] in (u, self("neg", u)) else None

    def _sub(self, a: Any, b: Any) -> Any:
        if _number(a) and _number(b):
            return _exact(Fraction(a) - Fraction(b))
        if b == 0.0:
            return a
        if a == 0.0:
            return self("neg", b)
        if a == b and self.total(a):
            return 0.0
        if _number(b):
            return self("add", a, -b)
        if e := self.op_of(b, "neg"):
            return self("add", a, e.args[0])
        if a == 1.0 or a == -1.0:
            if e := self.op_of(b, "tanh"):
                return self("mul", 2.0 * a, self("logistic", self("mul", -2.0 * a, e.args[0])))
            if e := self.op_of(b, "erf"):
                tail = self("erfc", self("mul", a, e.args[0]))
                return tail if a > 0 else self("neg", tail)
            if a > 0 and (e := self.op_of(b, "exp")):
                return self("neg", self("expm1", e.args[0]))
            if a > 0 and (e := self.op_of(b, "logistic")):
                return self("logistic", self("neg", e.args[0]))
        return None

    def _neg(self, a: Any) -> Any:
        if _number(a):
            return -a
        if e := self.op_of(a, "neg"):
            return e.args[0]
        if e := self.op_of(a, "sub"):
            return self("sub", e.args[1], e.args[0])
        if (e := self.op_of(a, "mul")) and _number(e.args[0]):
            return self("mul", -e.args[0], e.args[1])  # pyright: ignore
        return None

    def _mul(self, a: Any, b: Any) -> Any:
        if _number(a) and _number(b):
            return _exact(Fraction(a) * Fraction(b)) if math.isfinite(a) and math.isfinite(b) else None
        if _number(b):
            a, b = b, a
            return self("mul", a, b)
        if a == 0.0 and self.total(b):
            return 0.0
        if a == 1.0:
            return b
        if a == -1.0:
            return self("neg", b)
        if _number(a):
            if (e := self.op_of(b, "mul")) and _number(e.args[0]):
                product = _exact(Fraction(a) * Fraction(e.args[0]))
                return None if product is None else self("mul", product, e.args[1])
            if e := self.op_of(b, "neg"):
                return self("mul", -a, e.args[0])
            return None
        if a == b:
            return self("integer_pow", a, n=2)
        for p, q in ((a, b), (b, a)):
            if (e := self.op_of(p, "integer_pow")) and e.args[0] == q and e.params["n"] > 0:
                return self("integer_pow", q, n=e.params["n"] + 1)
        angles = self.op_of(a, *ANGLES), self.op_of(b, *ANGLES)
        if all(angles) and angles[0].args == angles[1].args:  # pyright: ignore  # sin u cos u
            return self("mul", 0.5, self("sin", self("mul", 2.0, angles[0].args[0])))  # pyright: ignore
        for p, q in ((a, b), (b, a)):  # constants and signs in front
            if (e := self.op_of(p, "mul")) and _number(e.args[0]):
                return self("mul", e.args[0], self("mul", e.args[1], q))
            if e := self.op_of(p, "neg"):
                return self("neg", self("mul", e.args[0], q))
        return None

    def _div(self, a: Any, b: Any) -> Any:
        if b == 1.0:
            return a
        if _number(a) and _number(b) and b != 0:
            return _exact(Fraction(a) / Fraction(b))
        if _number(b) and b != 0 and math.frexp(abs(b))[0] == 0.5:
            return self("mul", 1.0 / b, a)
        if a == 1.0 and (e := self.op_of(b, "add")):
            for one, other in (e.args, e.args[::-1]):
                if one == 1.0 and (power := self.op_of(other, "exp")):
                    return self("logistic", self("neg", power.args[0]))
        return None  # sin(u)/u too, which has no value at 0: see `_removed_pole`

    def _integer_pow(self, a: Any, *, n: int) -> Any:
        if n == 1:
            return a
        if n == 0:
            return 1.0
        if _number(a) and (a != 0 or n > 0):
            return _exact(Fraction(a) ** n)
        if n == 2:
            if e := self.op_of(a, "neg", "abs"):
                return self("integer_pow", e.args[0], n=2)
            if e := self.op_of(a, *ANGLES):
                wave = self("mul", 0.5, self("cos", self("mul", 2.0, e.args[0])))
                return self("sub" if e.op == "sin" else "add", 0.5, wave)
        if e := self.op_of(a, "integer_pow"):
            if e.params["n"] > 0 and n > 0:
                return self("integer_pow", e.args[0], n=e.params["n"] * n)
        return None

    def _pow(self, a: Any, b: Any) -> Any:
        if _number(b):
            if float(b).is_integer() and abs(b) <= 64:
                return self("integer_pow", a, n=int(b))
            if b == 0.5:
                return self("sqrt", a)
            if b == -0.5:
                return self("div", 1.0, self("sqrt", a))
            return self.emit("pow", a, exponent=float(b).hex())
        return self("exp", self("mul", b, self("log", a)))

    def _sqrt(self, a: Any) -> Any:
        if (e := self.op_of(a, "integer_pow")) and e.params["n"] == 2:
            return self("abs", e.args[0])
        return None

    def _exp(self, a: Any) -> Any:
        return 1.0 if a == 0.0 else None

    def _log(self, a: Any) -> Any:
        if e := self.op_of(a, "add"):
            for one, other in (e.args, e.args[::-1]):
                if one == 1.0:
                    return self("log1p", other)
        if e := self.op_of(a, "exp"):
            return e.args[0]
        if e := self.op_of(a, "logistic"):
            return self("neg", self("softplus", self("neg", e.args[0])))
        return 0.0 if a == 1.0 else None

    def _log1p(self, a: Any) -> Any:
        if e := self.op_of(a, "exp"):
            if (n := self.op_of(e.args[0], "neg")) and self.op_of(n.args[0], "abs"):
                return None  # one half of a softplus in jax's form; the sum is recognized
            return self("softplus", e.args[0])
        return None

    def _abs(self, a: Any) -> Any:
        if _number(a):
            return abs(a)
        if e := self.op_of(a, "neg"):
            return self("abs", e.args[0])
        if self.op_of(a, "abs", "exp", "logistic", "softplus", "sqrt", "cosh", "erfc"):
            return a
        return a if (e := self.op_of(a, "integer_pow")) and e.params["n"] % 2 == 0 else None

    def _max(self, a: Any, b: Any) -> Any:
        if _number(a) and _number(b):
            return max(a, b)
        if _infinite(a) or _infinite(b):
            bound, other = (a, b) if _infinite(a) else (b, a)
            return other if bound < 0 else None
        return a if a == b else None

    def _min(self, a: Any, b: Any) -> Any:
        if _number(a) and _number(b):
            return min(a, b)
        if _infinite(a) or _infinite(b):
            bound, other = (a, b) if _infinite(a) else (b, a)
            return other if bound > 0 else None
        return a if a == b else None

    def _compare(self, op: str, a: Any, b: Any) -> Any:
        if a == b:  # the same number, and never NaN where the function is defined
            return op in ("le", "ge", "eq")
        if _number(a) and _number(b):
            return {"lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b, "eq": a == b, "ne": a != b}[op]
        if _infinite(a) or _infinite(b):  # a real number lies between the infinities
            value = (0.0, b) if _infinite(b) else (a, 0.0)
            return self._compare(op, *value)
        return None

    def _lt(self, a: Any, b: Any) -> Any:
        return self._compare("lt", a, b)

    def _le(self, a: Any, b: Any) -> Any:
        return self._compare("le", a, b)

    def _gt(self, a: Any, b: Any) -> Any:
        return self._compare("gt", a, b)

    def _ge(self, a: Any, b: Any) -> Any:
        return self._compare("ge", a, b)

    def _eq(self, a: Any, b: Any) -> Any:
        return self._compare("eq", a, b)

    def _ne(self, a: Any, b: Any) -> Any:
        return self._compare("ne", a, b)

    def _not(self, a: Any) -> Any:
        return (not a) if isinstance(a, bool) else None

    def _and(self, a: Any, b: Any) -> Any:
        for p, q in ((a, b), (b, a)):
            if isinstance(p, bool):
                return q if p else False
        return None

    def _or(self, a: Any, b: Any) -> Any:
        for p, q in ((a, b), (b, a)):
            if isinstance(p, bool):
                return True if p else q
        return None

    def _xor(self, a: Any, b: Any) -> Any:
        for p, q in ((a, b), (b, a)):
            if isinstance(p, bool):
                return self("not", q) if p else q
        return None

    def _number(self, p: Any) -> Any:
        return float(p) if isinstance(p, bool) else None

    def _select(self, p: Any, a: Any, b: Any) -> Any:
        if isinstance(p, bool):
            return b if p else a
        if a == b and type(a) is type(b):
            return a
        return self._removed_pole(p, a, b)

    def _removed_pole(self, p: Any, a: Any, b: Any) -> Any:
        """where(u == 0, 1, sin(u')/u') with u' = u where it is not 0: sinc(u)."""
        test = self.op_of(p, "eq", "ne")
        if test is None or 0.0 not in test.args:
            return None
        u = next((x for x in test.args if x != 0.0), None)
        at_zero, elsewhere = (b, a) if test.op == "eq" else (a, b)
        quotient = self.op_of(elsewhere, "div")
        if at_zero != 1.0 or quotient is None or not (wave := self.op_of(quotient.args[0], "sin")):
            return None
        if wave.args[0] != quotient.args[1]:
            return None
        inner = wave.args[0]
        if (guard := self.op_of(inner, "select")) and guard.args[0] == p:
            inner = guard.args[1] if test.op == "eq" else guard.args[2]
        zero_together = inner == u or ((e := self.op_of(inner, "mul")) and _number(e.args[0]) and e.args[1] == u)
        return self("sinc", inner) if zero_together else None


def _number(a: Any) -> bool:
    return isinstance(a, float)


def _infinite(a: Any) -> bool:
    return isinstance(a, float) and math.isinf(a)


def _exact(value: Fraction) -> float | None:
    """The number as a float, where it is one."""
    try:
        rounded = float(value)
    except OverflowError:
        return None
    return rounded if Fraction(rounded) == value else None
