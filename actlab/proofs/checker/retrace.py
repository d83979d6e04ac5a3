"""The named function, traced anew by jax and translated by the checker's own translator, against the certificate's."""

from __future__ import annotations

import hashlib
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
RENAMED = {"select_n": "select", "asin": "asin", "add_any": "add"}


def retraced(data: Mapping[str, Any], program: Program) -> str:
    """What became of retracing: a note for the verdict.

    Raises:
        Rejected: the function that has the name today is another one.
        Malformed: its reference or a parameter cannot be read.
    """
    reference = data["activation"].get("reference")
    if reference is None:
        return "the certificate names no function to retrace: its program alone was verified"
    import jax

    single = data["of"] == "float32 trace"
    with jax.enable_x64(not single):
        function = _function(str(reference), data)
        now = translate(function, np.float32 if single else np.float64)
    if _content(now) != _content(program):
        raise Rejected(f"{reference} is no longer the function of the certificate: it traces to another program")
    return f"{reference} traces to the same program"


def _function(reference: str, data: Mapping[str, Any]) -> Callable[[Any], Any]:
    place, colon, attribute = reference.rpartition(":")
    found = _looked_up(place, attribute) if colon else _of_the_zoo(reference)
    given = data["activation"].get("parameters") or {}
    parameters = {k: [real(e, k) for e in v] if isinstance(v, list) else real(v, k) for k, v in given.items()}
    definition = getattr(found, "definition", None)
    if definition is not None:
        formula = getattr(definition, "ideal", None) if data["of"] == "formula" else None
        found = formula or definition.derivatives[0]
    arrays = {
        k: np.asarray(v, np.float32 if data["of"] == "float32 trace" else np.float64) for k, v in parameters.items()
    }
    return lambda x: found(x, **arrays)


def _of_the_zoo(name: str) -> Any:
    from actlab.activations.zoo import ZOO

    if name not in ZOO:
        raise Rejected(f"there is no activation named {name!r} today")
    return ZOO[name]


def _looked_up(place: str, attribute: str) -> Any:
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

    closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((), dtype))
    builder = Builder()
    outputs = _equations(builder, closed.jaxpr, closed.consts, [builder.node("input")])
    return builder.program(_scalar(outputs[0]))


Traced = int | np.ndarray
"""The index of a node, or an array of such: a vector of coefficients."""


def _equations(builder: Builder, jaxpr: Any, consts: list[Any], arguments: list[Traced]) -> list[Traced]:
    names: dict[Any, Traced] = dict(zip(jaxpr.invars, arguments, strict=True))
    names |= {v: _constant(builder, c) for v, c in zip(jaxpr.constvars, consts, strict=True)}
    for equation in jaxpr.eqns:
        inputs = [names[v] if not hasattr(v, "val") else _constant(builder, v.val) for v in equation.invars]
        outputs = _equation(builder, equation, inputs)
        names |= dict(zip(equation.outvars, outputs, strict=True))
    return [names[v] if not hasattr(v, "val") else _constant(builder, v.val) for v in jaxpr.outvars]


def _constant(builder: Builder, value: Any) -> Traced:
    array = np.asarray(value)
    if array.ndim == 0:
        return _literal(builder, array)
    nodes = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        nodes[index] = _literal(builder, array[index])
    return nodes


def _literal(builder: Builder, value: Any) -> int:
    if np.asarray(value).dtype == bool:
        return builder.node("constant", (), bool(value))
    if not math.isfinite(float(value)):
        return builder.node("infinity", (), float(value))
    return builder.number(float(value))


def _scalar(value: Traced) -> int:
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise Rejected("the function returns more than one number")
        return value.reshape(-1)[0]
    return value


def _equation(builder: Builder, equation: Any, inputs: list[Traced]) -> list[Traced]:
    op, params = equation.primitive.name, equation.params
    if op in INLINED:
        inner = params.get("jaxpr") or params.get("call_jaxpr") or params.get("fun_jaxpr")
        closed = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, [])
        return _equations(builder, *closed, inputs)
    if any(isinstance(i, np.ndarray) and i.size != 1 for i in inputs):
        raise Rejected(f"the function computes with vectors ({op}), which this checker cannot retrace")
    scalars = [_scalar(i) for i in inputs]
    return [_operation(builder, op, params, scalars, equation)]


def _operation(builder: Builder, op: str, params: Mapping[str, Any], a: list[int], equation: Any) -> int:
    op = RENAMED.get(op, op)
    if op in SAME:
        return a[0]
    if op == "convert_element_type":
        return _converted(builder, a[0], equation)
    if op == "clamp":  # min(max(x, low), high), as lax documents it
        return builder.node("min", (builder.node("max", (a[1], a[0])), a[2]))
    if op == "integer_pow":
        return builder.node(op, (a[0],), int(params["y"]))
    if op == "pow" and builder.nodes[a[1]].op == "constant":
        return builder.node(op, (a[0], a[1]))
    if op == "is_finite":
        return builder.node("constant", (), True)
    if op in UNARY or op in BINARY or op == "select":
        return _folded(builder, op, tuple(a))
    raise Rejected(f"the function uses {op}, which no certificate of this format contains")


def _folded(builder: Builder, op: str, a: tuple[int, ...]) -> int:
    """Comparisons with infinity and with itself have one outcome for numbers; a decided selection is what it selects."""
    nodes = [builder.nodes[i] for i in a]
    if op in ("lt", "le", "gt", "ge", "eq", "ne") and len(a) == 2:
        if a[0] == a[1]:
            return builder.node("constant", (), op in ("le", "ge", "eq"))
        infinite = [n.data if n.op == "infinity" else 0.0 for n in nodes]
        if any(infinite):
            outcome = {"lt": infinite[0] < infinite[1], "gt": infinite[0] > infinite[1], "eq": False, "ne": True}
            outcome |= {"le": outcome["lt"], "ge": outcome["gt"]}
            return builder.node("constant", (), outcome[op])
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
    source, target = equation.invars[0].aval.dtype, equation.params["new_dtype"]
    if source == bool and target != bool:
        node = builder.nodes[a]
        return builder.number(float(node.data)) if node.op == "constant" else builder.node("number", (a,))
    if np.issubdtype(source, np.floating) and not np.issubdtype(target, np.floating):
        raise Rejected(f"the function converts a number to {target}, which this checker cannot retrace")
    return a


def _content(program: Program) -> str:
    """A hash of each operation and of what it takes: blind to names, order and repetition of equations."""
    found: list[str] = []
    for node in program:
        args = [found[a] for a in node.args]
        if node.op in ("add", "mul", "max", "min", "and", "or", "eq", "ne"):
            args.sort()
        found.append(hashlib.sha256(repr((node.op, args, node.data)).encode()).hexdigest())
    return found[-1]
