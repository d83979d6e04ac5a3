"""What each jax primitive is in the language of programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from actlab.proofs.errors import UnsupportedPrimitiveError

Symbol = Callable[[Any, list[Any], Any], Any]


def _same(op: str) -> Symbol:
    return lambda build, args, eqn: build(op, *args)


def _convert(build: Any, args: list[Any], eqn: Any) -> Any:
    """Between dtypes: a predicate as 0 or 1; to whole numbers towards 0, which changes only what is not whole."""
    old, new = eqn.invars[0].aval.dtype, eqn.params["new_dtype"]
    if old == np.bool_:
        return build("number", args[0])
    if new == np.bool_:
        return build("ne", args[0], 0.0)
    if jnp.issubdtype(old, np.floating) and jnp.issubdtype(new, np.integer):
        if build.op_of(args[0], "floor", "ceil", "round"):
            return args[0]
        down, up = build("floor", args[0]), build("ceil", args[0])
        return build("select", build("ge", args[0], 0.0), up, down)
    return args[0]


def _select(build: Any, args: list[Any], eqn: Any) -> Any:
    """Of two branches by a predicate, of several by a whole number."""
    which, *cases = args
    if eqn.invars[0].aval.dtype == np.bool_:
        if eqn.outvars[0].aval.dtype == np.bool_:
            on = build("and", which, cases[1])
            return build("or", on, build("and", build("not", which), cases[0]))
        return build("select", which, *cases)
    result = cases[0]
    for k, case in enumerate(cases[1:], 1):
        result = build("select", build("ge", which, float(k)), result, case)
    return result


def _round(build: Any, args: list[Any], eqn: Any) -> Any:
    if int(eqn.params["rounding_method"]) == 1:
        return build("round", args[0])
    half = build("floor", build("add", build("abs", args[0]), 0.5))  # halves away from 0
    return build("mul", build("sign", args[0]), half)


def _clamp(build: Any, args: list[Any], eqn: Any) -> Any:
    low, x, high = args
    return build("min", build("max", x, low), high)


def _exp2(build: Any, args: list[Any], eqn: Any) -> Any:
    return build("exp", build("mul", args[0], build.emit("log", 2.0)))


def _rsqrt(build: Any, args: list[Any], eqn: Any) -> Any:
    return build("div", 1.0, build("sqrt", args[0]))


def _remainder(build: Any, args: list[Any], eqn: Any) -> Any:
    a, b = args
    quotient = build("div", a, b)
    whole = build("select", build("ge", quotient, 0.0), build("ceil", quotient), build("floor", quotient))
    return build("sub", a, build("mul", b, whole))


def _connective(op: str) -> Symbol:
    def symbol(build: Any, args: list[Any], eqn: Any) -> Any:
        if eqn.invars[0].aval.dtype != np.bool_:
            raise UnsupportedPrimitiveError(
                f"the primitive {op!r} on whole numbers has no meaning in the reals, used at {build.place}"
            )
        return build(op, *args)

    return symbol


def _comparison(op: str) -> Symbol:
    """Of numbers; of truth values, equality alone."""

    def symbol(build: Any, args: list[Any], eqn: Any) -> Any:
        if eqn.invars[0].aval.dtype != np.bool_:
            return build(op, *args)
        if op not in ("eq", "ne"):
            raise UnsupportedPrimitiveError(f"the primitive {op!r} of truth values has no rule, used at {build.place}")
        apart = build("xor", *args)
        return apart if op == "ne" else build("not", apart)

    return symbol


SAME = (
    "add sub mul div neg abs sign max min exp expm1 log log1p logistic tanh sin cos tan sinh cosh asin acos atan asinh "
    "acosh atanh erf erfc erf_inv sqrt cbrt floor ceil pow"
)
SYMBOLS: dict[str, Symbol] = {name: _same(name) for name in SAME.split()} | {
    "add_any": _same("add"),
    "square": lambda build, args, eqn: build("integer_pow", args[0], n=2),
    "integer_pow": lambda build, args, eqn: build("integer_pow", args[0], n=int(eqn.params["y"])),
    **{name: _comparison(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "and": _connective("and"),
    "or": _connective("or"),
    "not": _connective("not"),
    "xor": _connective("xor"),
    "select_n": _select,
    "convert_element_type": _convert,
    "round": _round,
    "clamp": _clamp,
    "exp2": _exp2,
    "rsqrt": _rsqrt,
    "rem": _remainder,
    "is_finite": lambda build, args, eqn: True,
}
"""Primitive by name, to a function of the builder, the arguments' symbols and the equation."""
