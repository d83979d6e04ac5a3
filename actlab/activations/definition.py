"""What defines an elementary activation: its formulas, and the custom derivative that applies them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.domain import Domain
from actlab.activations.facts import Facts

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Definition:
    """What is fixed about an activation: its formulas, facts and source. Compared and hashed by identity."""

    name: str
    family: str
    derivatives: tuple[Function, ...]
    """f, and in closed form as far as given f', f''; each takes (x, **parameters)."""
    facts: Callable[..., Facts]
    defaults: Mapping[str, Any]
    domains: Mapping[str, Domain]
    source: str
    doc: str
    ideal: Function | None = None
    """f in real arithmetic, where the code computes it by a series, a switch or a clip that is right up to rounding."""


_ideal: ContextVar[bool] = ContextVar("ideal formulas", default=False)


@contextlib.contextmanager
def ideal_formulas() -> Iterator[None]:
    """Inside, activations evaluate their formula as it reads in real arithmetic: what facts speak of."""
    token = _ideal.set(True)
    try:
        yield
    finally:
        _ideal.reset(token)


def compute_dtype(dtype: Any) -> Any:
    """The dtype that formulas are computed in: float32 for 16-bit inputs, else their own."""
    return jnp.float32 if jnp.dtype(dtype).itemsize < 4 else dtype


def wide(x: Array) -> Array:
    """16-bit numbers as float32, wider ones as they are: what formulas are computed in."""
    return x.astype(compute_dtype(x.dtype))


def aligned(value: Any, x: Array) -> Array:
    """A number, or an array of the last axes of x, in the dtype of x."""
    value = jnp.asarray(value, x.dtype)
    return value.reshape((1,) * (x.ndim - value.ndim) + value.shape) if value.ndim else value


def formula(definition: Definition, x: Array, parameters: dict[str, Array]) -> Array:
    """f(x), differentiable in closed form; inside `ideal_formulas` the ideal formula."""
    if _ideal.get() and definition.ideal is not None:
        return definition.ideal(x, **parameters)
    return derivative(definition, 0, x, parameters)


def _formula(definition: Definition, order: int, x: Array, parameters: dict[str, Array]) -> Array:
    y = definition.derivatives[order](wide(x), **parameters)
    return y.astype(x.dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def derivative(definition: Definition, order: int, x: Array, parameters: dict[str, Array]) -> Array:
    """The closed form of f (order 0), f' or f''; its derivative by x is the next one, by parameters autodiff's."""
    return _formula(definition, order, x, parameters)


def _jvp(definition: Definition, order: int, primals: Any, tangents: Any) -> tuple[Array, Any]:
    (x, parameters), (dx, dparameters) = primals, tangents
    if order + 1 == len(definition.derivatives):  # no further closed form: autodiff of the last one
        dx, dparameters = jax.tree.map(_instantiate, (dx, dparameters), is_leaf=_is_symbolic_zero)
        return jax.jvp(functools.partial(_formula, definition, order), (x, parameters), (dx, dparameters))
    y = derivative(definition, order, x, parameters)
    dy = jnp.zeros_like(y)
    if not _is_symbolic_zero(dx):
        dy = _times_slope(definition, order, x, parameters, dx)
    if not all(_is_symbolic_zero(d) for d in dparameters.values()):
        dparameters = jax.tree.map(_instantiate, dparameters, is_leaf=_is_symbolic_zero)
        partial = functools.partial(_formula, definition, order, x)
        dy = dy + jax.jvp(partial, (parameters,), (dparameters,))[1]
    return y, dy


derivative.defjvp(_jvp, symbolic_zeros=True)


# Rematerialized, so that reverse mode keeps x itself: 4 bytes an element in float32, and usually alive anyway.
@functools.partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def _times_slope(definition: Definition, order: int, x: Array, parameters: dict[str, Array], dx: Array) -> Array:
    return derivative(definition, order + 1, x, parameters) * dx


def _is_symbolic_zero(value: Any) -> bool:
    return isinstance(value, jax.custom_derivatives.SymbolicZero)


def _instantiate(tangent: Any) -> Any:
    return jnp.zeros(tangent.shape, tangent.dtype) if _is_symbolic_zero(tangent) else tangent
