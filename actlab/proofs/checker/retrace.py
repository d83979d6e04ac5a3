"""The named function, traced anew by jax and translated by the checker's own translator, against the certificate's."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from actlab.proofs.checker.claims import Rejected
from actlab.proofs.checker.jets import Program
from actlab.proofs.checker.program import BINARY, UNARY, Builder, real

SAME = {
    "stop_gradient",
    "copy",
    "copy_p",
    "reduce_precision",
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "optimization_barrier",
}
INLINED = ("jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call")
RENAMED = {"select_n": "select", "add_any": "add"}


def retraced(data: Mapping[str, Any]) -> Program | None:
    """The program of the named function as it is today; None where the certificate names none.

    Raises:
        Rejected: there is no such function today, or it uses what no certificate contains.
        Malformed: a parameter cannot be read.
    """
    reference = data["activation"].get("reference")
    if reference is None:
        return None
    import jax

    with jax.enable_x64(True):
        dtype = np.float32 if data["of"] == "float32 trace" else np.float64
        return translate(_function(str(reference), data), dtype)


def _function(reference: str, data: Mapping[str, Any]) -> Callable[[Any], Any]:
    place, colon, attribute = reference.rpartition(":")
    found = _imported(place, attribute) if colon else _of_the_zoo(reference)
    given = data["activation"].get("parameters") or {}
    parameters = {k: [real(e, k) for e in v] if isinstance(v, list) else real(v, k) for k, v in given.items()}
    definition = getattr(found, "definition", None)
    if definition is not None:
        ideal = getattr(definition, "ideal", None) if data["of"] == "formula" else None
        found = ideal or definition.derivatives[0]
    import jax.numpy as jnp

    arrays = {
        k: jnp.asarray(v, np.float32 if data["of"] == "float32 trace" else np.float64) for k, v in parameters.items()
    }
    return lambda x: found(x, **arrays)


def _of_the_zoo(name: str) -> Any:
    from actlab.activations.zoo import ZOO

    if name not in ZOO:
        raise Rejected(f"there is no activation named {name!r} today")
    return ZOO[name]


def _imported(place: str, attribute: str) -> Any:
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            if spec is None or spec.loader is None:
                raise Rejected(f"{place} is no Python file")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        return getattr(module, attribute)
    except (ImportError, OSError, AttributeError) as error:
        raise Rejected(f"{place}:{attribute} cannot be found today: {error}") from error


def translate(function: Callable[[Any], Any], dtype: Any) -> Program:
    """The program of a function of one number, as jax traces it today.

    Raises:
        Rejected: it uses an operation that no certificate of this format contains.
    """
    import jax

    try:
        closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((), dtype))
    except Exception as error:  # whatever a user's function raises
        raise Rejected(f"the function cannot be traced today: {type(error).__name__}: {error}") from error
    builder = Builder()
    outputs = _equations(builder, closed.jaxpr, closed.consts, [builder.node("input")])
    if len(outputs) != 1:
        raise Rejected("the function returns more than one value")
    return builder.program(_scalar(builder, outputs[0]))


Traced = int | np.ndarray
"""The index of a node; or an array that does not depend on x, computed as jax computes it."""


def _equations(builder: Builder, jaxpr: Any, consts: Any, arguments: list[Traced]) -> list[Traced]:
    names: dict[Any, Traced] = dict(zip(jaxpr.invars, arguments, strict=True))
    names |= {v: np.asarray(c) for v, c in zip(jaxpr.constvars, consts, strict=True)}

    def read(v: Any) -> Traced:
        return np.asarray(v.val) if hasattr(v, "val") else names[v]

    for equation in jaxpr.eqns:
        outputs = _equation(builder, equation, [read(v) for v in equation.invars])
        names |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _scalar(builder: Builder, value: Traced) -> int:
    if isinstance(value, int):
        return value
    if value.size != 1:
        raise Rejected("the function computes with vectors that depend on x, which this checker cannot retrace")
    number = value.reshape(()).item()
    if isinstance(number, bool):
        return builder.node("constant", (), number)
    return builder.number(float(number)) if math.isfinite(number) else builder.node("infinity", (), float(number))


def _equation(builder: Builder, equation: Any, inputs: list[Traced]) -> list[Traced]:
    op, params = equation.primitive.name, equation.params
    if op in INLINED:
        inner = next(params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if params.get(k) is not None)
        closed = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
        return _equations(builder, *closed, inputs)
    if not any(isinstance(i, int) for i in inputs):
        result = equation.primitive.bind(*inputs, **params)
        return [np.asarray(r) for r in (result if equation.primitive.multiple_results else [result])]
    if op in ("dynamic_slice", "gather"):
        return [_looked_up(builder, inputs)]
    return [_operation(builder, op, params, [_scalar(builder, i) for i in inputs], equation)]


def _looked_up(builder: Builder, inputs: list[Traced]) -> int:
    """The entry of a table at a whole number that depends on x."""
    table, index = inputs[0], next(i for i in inputs[1:] if isinstance(i, int))
    if isinstance(table, int) or table.ndim != 1:
        raise Rejected("the function looks up something else than one entry of a vector")
    found = builder.number(float(table[0]))
    for k in range(1, table.size):
        beyond = builder.node("ge", (index, builder.number(float(k))))
        found = builder.node("select", (beyond, found, builder.number(float(table[k]))))
    return found


def _operation(builder: Builder, op: str, params: Mapping[str, Any], a: list[int], equation: Any) -> int:
    op = RENAMED.get(op, op)
    if op in SAME:
        return a[0]
    if op == "convert_element_type":
        return _converted(builder, a[0], equation)
    if op == "clamp":  # min(max(x, low), high), as lax documents it
        return _folded(builder, "min", (_folded(builder, "max", (a[1], a[0])), a[2]))
    if op == "integer_pow":
        return builder.node(op, (a[0],), int(params["y"]))
    if op == "round" and int(params["rounding_method"]) == 0:  # halves away from 0
        size = builder.node("floor", (builder.node("add", (builder.node("abs", (a[0],)), builder.number(0.5))),))
        return builder.node("mul", (builder.node("sign", (a[0],)), size))
    if op == "rem":  # a - b trunc(a/b): of the sign of a, as lax documents it
        whole = _towards_zero(builder, builder.node("div", (a[0], a[1])))
        return builder.node("sub", (a[0], builder.node("mul", (a[1], whole))))
    if op == "select" and len(a) != 3:
        raise Rejected("the function selects among more than two cases, which this checker cannot retrace")
    if op == "pow" and builder.nodes[a[1]].op == "constant":
        return builder.node(op, (a[0], a[1]))
    if op == "is_finite":
        return builder.node("constant", (), True)
    if op in UNARY or op in BINARY or op == "select":
        return _folded(builder, op, tuple(a))
    raise Rejected(f"the function uses {op}, which no certificate of this format contains")


def _folded(builder: Builder, op: str, a: tuple[int, ...]) -> int:
    """What has one outcome: comparisons with infinity and of the same, max(u, -inf) and min(u, inf), known choices."""
    nodes = [builder.nodes[i] for i in a]
    if op in ("lt", "le", "gt", "ge", "eq", "ne") and len(a) == 2:
        if a[0] == a[1]:
            return builder.node("constant", (), op in ("le", "ge", "eq"))
        infinite = [n.data if n.op == "infinity" else 0.0 for n in nodes]
        if any(infinite):
            outcome = {"lt": infinite[0] < infinite[1], "gt": infinite[0] > infinite[1], "eq": False, "ne": True}
            outcome |= {"le": outcome["lt"], "ge": outcome["gt"]}
            return builder.node("constant", (), outcome[op])
    if op in ("max", "min"):
        idle = -math.inf if op == "max" else math.inf
        for node, other in zip(nodes, a[::-1], strict=True):
            if node.op == "infinity" and node.data == idle:
                return other
    truths = [n.data if n.op == "constant" and isinstance(n.data, bool) else None for n in nodes]
    if op == "select" and truths[0] is not None:
        return a[1 + int(truths[0])]
    if op == "not" and truths[0] is not None:
        return builder.node("constant", (), not truths[0])
    if op in ("and", "or") and (truths[0] is not None or truths[1] is not None):
        known, other = (truths[0], a[1]) if truths[0] is not None else (truths[1], a[0])
        return other if known == (op == "and") else builder.node("constant", (), op == "or")
    return builder.node(op, a)


def _converted(builder: Builder, a: int, equation: Any) -> int:
    """A predicate as 0 or 1; a number as whether it is not 0, and towards 0 if it becomes whole."""
    source, target = np.dtype(equation.invars[0].aval.dtype), np.dtype(equation.params["new_dtype"])
    if source.kind == "b" and target.kind != "b":
        node = builder.nodes[a]
        return builder.number(float(node.data)) if node.op == "constant" else builder.node("number", (a,))
    if source.kind != "b" and target.kind == "b":
        return builder.node("ne", (a, builder.number(0.0)))
    if source.kind == "f" and target.kind in "iu" and builder.nodes[a].op not in ("floor", "ceil", "round"):
        return _towards_zero(builder, a)
    return a


def _towards_zero(builder: Builder, a: int) -> int:
    up = builder.node("ge", (a, builder.number(0.0)))
    return builder.node("select", (up, builder.node("ceil", (a,)), builder.node("floor", (a,))))
