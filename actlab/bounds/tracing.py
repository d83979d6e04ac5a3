"""From a model to its graph: the model is traced, and each operation of the trace becomes a node or is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax._src import source_info_util
from jax.core import Tracer
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation, VectorActivation
from actlab.activations.vector import CReLU, GroupSort
from actlab.bounds.atoms import atom, trace
from actlab.bounds.errors import UnsupportedLayerError
from actlab.bounds.graph import Affine, Elementwise, Maximum, Network, Node, fused, known_facts
from actlab.bounds.operations import AFFINE, MAXIMA, NAMED, Data, is_data
from actlab.bounds.rounding import full_precision
from actlab.proofs.jaxprs import interpreted

CALLS = ("jit", "pjit", "closed_call", "core_call", "remat2", "remat", "checkpoint", "custom_jvp_call",
         "custom_vjp_call", "custom_vjp_call_jaxpr")  # fmt: skip
REMEDY = (
    "Bounds know linear and convolutional layers, additions, pooling, means, reshapes, normalization with fixed "
    "statistics, and activations of actlab (al.gelu, not jax.nn.gelu)"
)


def network(model: Callable[[Array], Array], shape: Sequence[int], dtype: Any = None) -> Network:
    """The graph of a model on which every bound is computed.

    Args:
        model: an NNX module in inference mode, or any function, that maps a batch (batch, *shape) to (batch, ...),
            each example by itself. Its activations are actlab's, with known facts.
        shape: of one example, without the batch axis.
        dtype: of the input: float32 or float64; where None, JAX's default.

    Returns:
        The network, for `interval_bounds`, `linear_bounds`, `lipschitz_bound` and the others.

    Raises:
        UnsupportedLayerError: an operation that cannot be bounded; the message names it, its place and a remedy.
        FactError: an activation of which nothing is known.
        TypeError: a dtype with fewer than 32 bits, or that is not floating.
    """
    dtype = jnp.dtype(dtype or jnp.result_type(float))
    if not jnp.issubdtype(dtype, jnp.floating) or dtype.itemsize < 4:
        raise TypeError(f"bounds are computed in float32 or float64, not {dtype.name}")
    example = jax.ShapeDtypeStruct((1, *shape), dtype)
    try:
        closed, out = trace(lambda x: jnp.squeeze(model(x), 0), example)
    except ValueError as error:
        if "squeeze" not in str(error):
            raise
        raise UnsupportedLayerError(
            f"the model maps a batch of one example, {example.shape}, to something without a batch axis of length 1"
        ) from error
    builder = _Builder([Node((1, *shape), None)], dtype)
    with full_precision():
        result = builder.interpret(closed.jaxpr, closed.consts, [Data(0, (1, *shape))], "the model")[0]
        if not is_data(result):
            raise UnsupportedLayerError("the model's output does not depend on its input")
        nodes = [Node(tuple(shape), None), _selection(lambda x: x[None], (1, *shape), 0)]
        nodes += [_shifted(node) for node in builder.nodes[1:]]
        kept, output = fused(nodes, result.node + 1)
    return Network(kept, output, dtype)


def _shifted(node: Node) -> Node:
    return Node(node.shape, node.operation, tuple(i + 1 for i in node.inputs))


def _selection(function: Callable[..., Array], shape: tuple[int, ...], *inputs: int) -> Node:
    return Node(shape, Affine(function, function, None, 0, True), inputs)


class _Builder:
    """Interprets a jaxpr; values that depend on the input are `Data`, all others are computed."""

    def __init__(self, nodes: list[Node], dtype: Any):
        self.nodes = nodes
        self.dtype = dtype

    def interpret(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], inside: str) -> list[Any]:
        """The values of a jaxpr's outputs."""
        return interpreted(jaxpr, consts, arguments, lambda eqn, values: self._apply(eqn, values, inside))

    def _apply(self, eqn: Any, values: list[Any], inside: str) -> list[Any]:
        name = eqn.primitive.name
        if eqn.primitive is atom:
            return [self._activation(eqn, values)]
        if name in CALLS:
            inner = eqn.params.get("jaxpr") or eqn.params.get("call_jaxpr") or eqn.params.get("fun_jaxpr")
            consts = getattr(inner, "consts", ())
            called = eqn.params.get("name") or name
            return self.interpret(getattr(inner, "jaxpr", inner), consts, values, str(called))
        if not any(map(is_data, values)):
            out = eqn.primitive.bind(*values, **eqn.params)
            return list(out) if eqn.primitive.multiple_results else [out]
        if name in ("name", "stop_gradient", "optimization_barrier", "copy", "copy_p", "sharding_constraint"):
            return values
        return self._operation(eqn, values, inside)

    def _operation(self, eqn: Any, values: list[Any], inside: str) -> list[Any]:
        name = eqn.primitive.name
        if name == "convert_element_type" and eqn.params["new_dtype"] == self.dtype:
            return values
        if name in ("max", "min") and sum(map(is_data, values)) == 1:
            return [self._rectified(eqn, values)]
        if name == "clamp" and is_data(values[1]) and not is_data(values[0]) and not is_data(values[2]):
            shape = eqn.outvars[0].aval.shape
            low, high = (jnp.broadcast_to(jnp.asarray(v, self.dtype), shape) for v in (values[0], values[2]))
            return [self._at_most(self._at_least(values[1], low), high)]
        if name in NAMED and (named := NAMED[name](eqn.params)) is not None:
            return [self._elementwise(named, values[0])]
        if name in MAXIMA:
            function, overlap = MAXIMA[name](eqn)
            return [self._new(eqn.outvars[0].aval.shape, Maximum(function, overlap), values[0])]
        made = AFFINE[name](eqn, values) if name in AFFINE else None
        if made is None:
            raise UnsupportedLayerError(self._refusal(eqn, values, inside))
        inputs = [v for v in values if is_data(v)]
        return [self._new(o.aval.shape, a, *inputs) for o, a in zip(eqn.outvars, made, strict=True)]

    def _new(self, shape: tuple[int, ...], operation: Any, *inputs: Data) -> Data:
        self.nodes.append(Node(tuple(shape), operation, tuple(i.node for i in inputs)))
        return Data(len(self.nodes) - 1, tuple(shape))

    def _elementwise(self, activation: Activation, x: Data) -> Data:
        return self._new(x.shape, Elementwise(activation, known_facts(activation)), x)

    def _activation(self, eqn: Any, values: list[Any]) -> Any:
        x, *operands = values
        if any(map(is_data, operands)):
            raise UnsupportedLayerError("an activation's parameter depends on the model's input")
        activation = eqn.params["form"].rebuilt(tuple(operands))
        if not is_data(x):
            return activation(x)
        return self._elementwise(activation, x) if isinstance(activation, Activation) else self._vector(activation, x)

    def _vector(self, activation: VectorActivation, x: Data) -> Data:
        """MaxMin and CReLU, written with relu; along the last axis."""
        if isinstance(activation, GroupSort) and activation.size == 2:
            half = (*x.shape[:-1], x.shape[-1] // 2)
            first, second = (
                self._new(half, Affine(f, f, None, 0, True), x) for f in (lambda v: v[..., ::2], lambda v: v[..., 1::2])
            )
            rest = self._elementwise(al.relu, self._combined(half, 1, -1, first, second))
            low, high = self._combined(half, 1, -1, first, rest), self._combined(half, 1, 1, second, rest)
            pair = (high, low) if activation.descending else (low, high)

            def interleave(a: Array, b: Array) -> Array:
                return jnp.stack([a, b], axis=-1).reshape(x.shape)

            return self._new(x.shape, Affine(interleave, interleave, None, 0, True), *pair)
        if isinstance(activation, CReLU):
            parts = [self._elementwise(al.relu, p) for p in (x, self._negative(x))]
            shape = (*x.shape[:-1], 2 * x.shape[-1])
            join = Affine(_joined, _joined, None, 0, True)
            return self._new(shape, join, *parts)
        raise UnsupportedLayerError(
            f"the vector activation {activation!r} has no bounds; maxmin, groupsort(2), crelu and every scalar one have"
        )

    def _combined(self, shape: tuple[int, ...], a: int, b: int, x: Data, y: Data) -> Data:
        affine = Affine(lambda u, v: a * u + b * v, lambda u, v: u + v, None, 2, a > 0 and b > 0)
        return self._new(shape, affine, x, y)

    def _negative(self, x: Data) -> Data:
        return self._new(x.shape, Affine(lambda v: -v, lambda v: v, None, 0, False), x)

    def _offset(self, x: Data, by: Array) -> Data:
        return self._new(x.shape, Affine(lambda v: v, lambda v: v, by, 0, True), x)

    def _rectified(self, eqn: Any, values: list[Any]) -> Data:
        """The larger, or smaller, of a value and a constant."""
        data, constant = values if is_data(values[0]) else values[::-1]
        bound = jnp.broadcast_to(jnp.asarray(constant, self.dtype), data.shape)
        return self._at_least(data, bound) if eqn.primitive.name == "max" else self._at_most(data, bound)

    def _at_least(self, x: Data, bound: Array) -> Data:
        if not isinstance(bound, Tracer) and not bound.any():
            return self._elementwise(al.relu, x)
        return self._offset(self._elementwise(al.relu, self._offset(x, -bound)), bound)

    def _at_most(self, x: Data, bound: Array) -> Data:
        return self._negative(self._at_least(self._negative(x), -bound))

    def _refusal(self, eqn: Any, values: list[Any], inside: str) -> str:
        name = eqn.primitive.name
        place = source_info_util.summarize(eqn.source_info)
        why = f"`{name}` in {inside} ({place})"
        if name in ("mul", "dot_general", "conv_general_dilated") and all(map(is_data, values)):
            why = f"a product of two values that depend on the input: {why}"
        if name in ("square", "rsqrt", "sqrt", "integer_pow", "div", "mul") and "norm" in place.lower():
            return (
                f"{why}: normalization by statistics of the input itself (LayerNorm, BatchNorm in training) has no "
                "bounds here; use BatchNorm with fixed statistics (model.eval()). "
            ) + REMEDY
        return f"{why} has no bounds. {REMEDY}"


def _joined(a: Array, b: Array) -> Array:
    return jnp.concatenate([a, b], axis=-1)
