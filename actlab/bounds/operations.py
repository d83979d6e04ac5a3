"""The operations of a trace that bounds know: affine ones, maxima, and elementwise functions by another name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation
from actlab.bounds.graph import Affine, Convolution


@dataclass(frozen=True)
class Data:
    """A value that depends on the input: the index of its node, and its shape."""

    node: int
    shape: tuple[int, ...]


def is_data(value: Any) -> bool:
    """Whether a value of the trace depends on the input."""
    return isinstance(value, Data)


def _function_of_data(eqn: Any, values: Sequence[Any], constants: Callable[[Any], Any] = lambda v: v) -> Callable:
    """The operation as a function of its data alone, its constants mapped; the i-th output where it has many."""
    params = dict(eqn.params)
    if "precision" in params:  # TF32 and bfloat16 passes would break the error bounds
        params["precision"] = (lax.Precision.HIGHEST, lax.Precision.HIGHEST)

    def function(*data: Array, output: int = 0) -> Array:
        rest = iter(data)
        arguments = [next(rest) if is_data(v) else constants(v) for v in values]
        out = eqn.primitive.bind(*arguments, **params)
        return out[output] if eqn.primitive.multiple_results else out

    return function


def _selection(eqn: Any, values: list[Any]) -> list[Affine] | None:
    """Every output is one input, or a constant: reshape, slice, pad, concatenate, select by a fixed mask ..."""
    if eqn.primitive.name == "select_n" and is_data(values[0]):
        return None
    if eqn.primitive.name in ("gather", "dynamic_slice") and any(map(is_data, values[1:])):
        return None
    made = []
    for k, outvar in enumerate(eqn.outvars):
        raw = functools.partial(_function_of_data(eqn, values), output=k)
        linear = functools.partial(_function_of_data(eqn, values, _without_constants), output=k)
        constants = any(not is_data(v) and jnp.issubdtype(jnp.result_type(v), jnp.floating) for v in values)
        zeros = [jnp.zeros(v.shape, outvar.aval.dtype) for v in values if is_data(v)]
        offset = raw(*zeros) if constants else None
        made.append(Affine(linear, linear, offset, 0, True, fan_out=_copies(eqn, outvar)))
    return made


def _copies(eqn: Any, outvar: Any) -> int:
    """How often a selection can repeat one input."""
    if eqn.primitive.name == "gather":
        return math.prod(outvar.aval.shape)
    if eqn.primitive.name != "broadcast_in_dim":
        return 1
    return math.ceil(math.prod(outvar.aval.shape) / max(math.prod(eqn.invars[0].aval.shape), 1))


def _without_constants(value: Any) -> Any:
    """Floating constants (padding, concatenated values) as 0; indices and masks as they are."""
    return jnp.zeros_like(value) if jnp.issubdtype(jnp.result_type(value), jnp.floating) else value


def _add(eqn: Any, values: list[Any]) -> list[Affine]:
    shape, dtype = eqn.outvars[0].aval.shape, eqn.outvars[0].aval.dtype
    sign = -1 if eqn.primitive.name == "sub" else 1
    if all(map(is_data, values)):
        return [Affine(lambda a, b: a + sign * b, lambda a, b: a + b, None, 2, sign > 0)]
    first = is_data(values[0])
    constant = jnp.asarray(values[1] if first else values[0], dtype)
    offset = jnp.broadcast_to(sign * constant if first else constant, shape)
    factor = 1 if first else sign
    linear = lambda x: jnp.broadcast_to(factor * x, shape)  # noqa: E731
    copies = _scaled_copies(eqn, values)
    return [Affine(linear, lambda x: jnp.broadcast_to(x, shape), offset, 0, factor > 0, fan_out=copies)]


def _scale(eqn: Any, values: list[Any]) -> list[Affine] | None:
    """Multiplication or division by a constant."""
    if all(map(is_data, values)) or (eqn.primitive.name == "div" and is_data(values[1])):
        return None
    linear = _function_of_data(eqn, values)
    absolute = _function_of_data(eqn, values, jnp.abs)
    constant = next(v for v in values if not is_data(v))
    size = jnp.max(jnp.abs(constant)) if eqn.primitive.name == "mul" else jnp.max(1 / jnp.abs(constant))
    return [Affine(linear, absolute, None, 1, False, size, fan_out=_scaled_copies(eqn, values))]


def _scaled_copies(eqn: Any, values: list[Any]) -> int:
    """How often an operation with a constant repeats one input, by broadcasting."""
    data = next(v for v in values if is_data(v))
    return math.prod(eqn.outvars[0].aval.shape) // max(math.prod(data.shape), 1)


def _product(eqn: Any, values: list[Any]) -> list[Affine] | None:
    """A dense or convolutional layer with fixed weights."""
    if all(map(is_data, values)):
        return None
    weights = next(v for v in values if not is_data(v))
    linear, absolute = _function_of_data(eqn, values), _function_of_data(eqn, values, jnp.abs)
    largest = jnp.max(jnp.abs(weights))
    terms, reached = _terms(eqn, values), math.prod(eqn.outvars[0].aval.shape)
    if eqn.primitive.name == "conv_general_dilated":
        reached = min(reached, math.prod(weights.shape) // weights.shape[eqn.params["dimension_numbers"].rhs_spec[1]])
    return [Affine(linear, absolute, None, terms, False, largest, reached, _convolution(eqn, values))]


def _convolution(eqn: Any, values: list[Any]) -> Convolution | None:
    """Kernel, image and strides of a plain convolution."""
    if eqn.primitive.name != "conv_general_dilated" or is_data(values[1]):
        return None
    params = eqn.params
    plain = params["feature_group_count"] == params["batch_group_count"] == 1
    if not plain or {*params["lhs_dilation"], *params["rhs_dilation"]} - {1}:
        return None
    output, features, *space = params["dimension_numbers"].rhs_spec
    image = [values[0].shape[d] for d in params["dimension_numbers"].lhs_spec[2:]]
    kernel = jnp.transpose(values[1], (*space, features, output))
    return Convolution(kernel, tuple(image), tuple(params["window_strides"]))


def _terms(eqn: Any, values: list[Any]) -> int:
    if eqn.primitive.name == "dot_general":
        (contracting, _), _ = eqn.params["dimension_numbers"]
        return math.prod(eqn.invars[0].aval.shape[d] for d in contracting)
    spec = eqn.params["dimension_numbers"].rhs_spec  # (out features, in features, *space)
    shape = eqn.invars[1].aval.shape
    return math.prod(shape[d] for d in spec[1:])


def _total(eqn: Any, values: list[Any]) -> list[Affine]:
    function = _function_of_data(eqn, values)
    if eqn.primitive.name == "reduce_window_sum":
        terms = math.prod(eqn.params["window_dimensions"])
    elif eqn.primitive.name == "cumsum":
        terms = values[0].shape[eqn.params["axis"]]
    else:
        terms = math.prod(values[0].shape[a] for a in eqn.params["axes"])
    fan_out = terms if eqn.primitive.name in ("reduce_window_sum", "cumsum") else 1
    return [Affine(function, function, None, terms, True, fan_out=fan_out)]


def _negation(eqn: Any, values: list[Any]) -> list[Affine]:
    return [Affine(lambda x: -x, lambda x: x, None, 0, False)]


SELECTIONS = (
    "reshape", "squeeze", "expand_dims", "broadcast_in_dim", "transpose", "slice", "rev", "pad", "concatenate",
    "select_n", "gather", "dynamic_slice", "split",
)  # fmt: skip
AFFINE: dict[str, Callable[[Any, list[Any]], list[Affine] | None]] = {
    **dict.fromkeys(SELECTIONS, _selection),
    **dict.fromkeys(("add", "sub", "add_any"), _add),
    **dict.fromkeys(("mul", "div"), _scale),
    **dict.fromkeys(("dot_general", "conv_general_dilated"), _product),
    **dict.fromkeys(("reduce_sum", "reduce_window_sum", "cumsum"), _total),
    "neg": _negation,
}


def _pool(eqn: Any) -> tuple[Callable[[Array], Array], int]:
    """Maximum pooling by windows, written so that its derivative picks one largest element."""
    params = eqn.params
    window, strides = params["window_dimensions"], params["window_strides"]

    def function(x: Array) -> Array:
        lowest = np.asarray(-np.inf, x.dtype)  # concrete: a traced one is not recognized as that of a maximum
        return lax.reduce_window(
            x, lowest, lax.max, window, strides, params["padding"], params["base_dilation"], params["window_dilation"]
        )

    return function, math.prod(math.ceil(w / s) for w, s in zip(window, strides, strict=True))


def _largest(eqn: Any) -> tuple[Callable[[Array], Array], int]:
    return lambda x: jnp.max(x, axis=eqn.params["axes"]), 1


MAXIMA: dict[str, Callable[[Any], tuple[Callable[[Array], Array], int]]] = {
    "reduce_window_max": _pool,
    "reduce_max": _largest,
}


def _power(params: dict[str, Any]) -> Activation | None:
    return {2: al.square, 3: al.cube}.get(params["y"])


def _always(activation: Activation) -> Callable[[dict[str, Any]], Activation | None]:
    return lambda params: activation


NAMED: dict[str, Callable[[dict[str, Any]], Activation | None]] = {
    "tanh": _always(al.tanh),
    "logistic": _always(al.sigmoid),
    "erf": _always(al.erf),
    "abs": _always(al.absolute),
    "sin": _always(al.sin),
    "cos": _always(al.cos),
    "exp": _always(al.exponential),
    "atan": _always(al.arctan),
    "asinh": _always(al.asinh),
    "square": _always(al.square),
    "integer_pow": _power,
}
"""Functions of lax that are members of the zoo."""
