"""From a function to a program: the jaxpr of its primal, calls and custom rules inlined."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from actlab.activations import Activation
from actlab.activations.definition import ideal_formulas
from actlab.proofs.builder import Builder
from actlab.proofs.errors import UnsupportedPrimitiveError
from actlab.proofs.folding import folded
from actlab.proofs.jaxprs import interpreted
from actlab.proofs.program import Program
from actlab.proofs.symbols import SYMBOLS

CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_lin": "call_jaxpr",
}
"""Primitives that call another jaxpr, and the parameter that holds it."""
UNCHANGED = frozenset(
    "copy copy_p stop_gradient reduce_precision squeeze reshape broadcast_in_dim optimization_barrier transpose "
    "device_put pvary sharding_constraint rev real".split()
)
"""Primitives that leave the value of a single number as it is."""


def traced(function: Callable[[Any], Any], *, dtype: Any = np.float64, ideal: bool = True, name: str = "f") -> Program:
    """The program of a function of one number, its constants those of a trace in `dtype`.

    With `ideal`, activations inside it are read by their ideal formula, else by their code.

    Raises:
        UnsupportedPrimitiveError: an operation without an interval rule, named, with its place in the user's code.
    """
    with jax.enable_x64(True), ideal_formulas() if ideal else contextlib.nullcontext():
        closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((), dtype))
    builder = Builder()
    reader = _Reader(builder, name)
    with jax.enable_x64(True):
        outputs = reader.run(closed.jaxpr, closed.consts, ["x"])
    if len(outputs) != 1:
        raise UnsupportedPrimitiveError(f"{name} returns {len(outputs)} values; a proof is of one")
    output = reader.symbol(outputs[0])
    if isinstance(output, bool):
        output = float(output)
    return folded(Program(tuple(builder.equations), output)).pruned()


def formula_of(activation: Activation) -> Callable[[Any], Any]:
    """The activation as a function of one number, its primal alone."""
    return lambda x: jnp.asarray(activation.evaluate(x))


class _Reader:
    """Interprets jaxprs: numbers that do not depend on x are computed, the others become equations."""

    def __init__(self, builder: Builder, name: str) -> None:
        self.builder, self.name = builder, name

    def run(self, jaxpr: Jaxpr, consts: Any, args: list[Any]) -> list[Any]:
        """The outputs, each a numpy array (known) or a symbol: a name, a float or a bool."""
        return interpreted(jaxpr, [np.asarray(c) for c in consts], args, self._equation, literal=np.asarray)

    def _equation(self, eqn: Any, args: list[Any]) -> list[Any]:
        primitive = eqn.primitive.name
        if primitive in CALLS:
            inner = eqn.params[CALLS[primitive]]
            jaxpr, consts = (inner.jaxpr, inner.consts) if isinstance(inner, ClosedJaxpr) else (inner, [])
            return self.run(jaxpr, consts, args)
        if not any(isinstance(a, str) for a in args):
            known = [np.asarray(a) if not isinstance(a, np.ndarray) else a for a in args]
            result = eqn.primitive.bind(*(jnp.asarray(a) for a in known), **eqn.params)
            return [np.asarray(r) for r in (result if eqn.primitive.multiple_results else [result])]
        self.builder.place = place_of(eqn)
        if primitive in UNCHANGED:
            return [self._scalar(eqn, eqn.outvars[0], args[0])]
        if primitive in ("dynamic_slice", "gather"):
            return [self._looked_up(eqn, args)]
        if primitive not in SYMBOLS:
            raise self.refused(eqn)
        symbols = [self._scalar(eqn, v, a) for v, a in zip(eqn.invars, args, strict=True)]
        return [SYMBOLS[primitive](self.builder, symbols, eqn)]

    def _scalar(self, eqn: Any, variable: Any, value: Any) -> Any:
        if int(np.prod(variable.aval.shape, dtype=int)) != 1:
            raise self.refused(eqn, f" on an array of shape {tuple(variable.aval.shape)}")
        return self.symbol(value)

    @staticmethod
    def symbol(value: Any) -> Any:
        """A known array of one element as a float or a bool."""
        if isinstance(value, np.ndarray):
            number = value.reshape(()).item()
            return number if isinstance(number, bool) else float(number)
        return value

    def _looked_up(self, eqn: Any, args: list[Any]) -> Any:
        """table[index] of a known table and an index that depends on x: a chain of selections."""
        table, index = args[0], next((a for a in args[1:] if isinstance(a, str)), None)
        if isinstance(table, str) or index is None or table.ndim != 1 or table.size > 256:
            raise self.refused(eqn)
        if int(np.prod(eqn.outvars[0].aval.shape, dtype=int)) != 1:
            raise self.refused(eqn)
        result: Any = float(table[0])
        for k in range(1, table.size):
            result = self.builder("select", self.builder("ge", index, float(k)), result, float(table[k]))
        return result

    def refused(self, eqn: Any, detail: str = "") -> UnsupportedPrimitiveError:
        """The error that names the primitive and its place."""
        return UnsupportedPrimitiveError(
            f"{self.name}: no interval rule for the primitive {eqn.primitive.name!r}{detail}, used at {place_of(eqn)}; "
            "a proof needs a function of one number made of elementwise operations"
        )


def place_of(eqn: Any) -> str:
    """`file:line (function)` of an equation in the user's code."""
    from jax._src import source_info_util  # no public way leads to an equation's place

    return source_info_util.summarize(eqn.source_info)
