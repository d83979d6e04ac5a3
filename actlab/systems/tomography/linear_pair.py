"""Two linear operators that are each other's transposes, as JAX primitives: autodiff never has to invert a gather.

JAX transposes a gather into a scatter, which is exact but slow; `custom_vjp` would forbid forward mode and
`linear_call` has no rule for vmap. These primitives have every rule: jvp, transpose (the partner), vmap, jit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

Operator = Callable[[Any, Array], Array]
"""(setting, array of two axes) -> array of two axes, linear in the array; plain JAX."""
Shape = Callable[[Any], tuple[int, int]]
"""setting -> the shape of an operator's result."""


@dataclass(frozen=True)
class LinearPair:
    """The two operators: (setting, array with any leading batch axes) -> array; the setting is a pytree."""

    forward: Operator
    adjoint: Operator


def linear_pair(name: str, forward: tuple[Operator, Shape], adjoint: tuple[Operator, Shape]) -> LinearPair:
    """Binds two operators, each the transpose of the other.

    Args:
        name: of the primitives.
        forward: (operator, shape of its result); the operator is differentiable in the setting by plain autodiff.
        adjoint: likewise.
    """
    primitives = Primitive(f"{name}_forward"), Primitive(f"{name}_adjoint")
    for primitive, partner, (operator, shape) in zip(primitives, primitives[::-1], (forward, adjoint), strict=True):
        _define(primitive, partner, operator, shape)

    def caller(primitive: Primitive) -> Operator:
        def call(setting: Any, x: Array) -> Array:
            leaves, structure = jax.tree.flatten(setting)
            return primitive.bind(x, *map(jnp.asarray, leaves), structure=structure)

        return call

    return LinearPair(*map(caller, primitives))


def _define(primitive: Primitive, partner: Primitive, operator: Operator, shape: Shape) -> None:
    def plain(x: Array, *leaves: Any, structure: Any) -> Array:
        setting = jax.tree.unflatten(structure, leaves)
        mapped = lambda one: operator(setting, one)  # noqa: E731
        for _ in range(x.ndim - 2):
            mapped = jax.vmap(mapped)
        return mapped(x)

    def abstract(x: Any, *leaves: Any, structure: Any) -> Any:
        return x.update(shape=(*x.shape[:-2], *shape(jax.tree.unflatten(structure, leaves))), weak_type=False)

    def jvp(primals: Any, tangents: Any, *, structure: Any) -> tuple[Array, Any]:
        (x, *leaves), (dx, *dleaves) = primals, tangents
        out = primitive.bind(x, *leaves, structure=structure)
        tangent = ad.Zero(jax.typeof(out).to_tangent_aval())
        if type(dx) is not ad.Zero:
            tangent = primitive.bind(dx, *leaves, structure=structure)
        if any(type(d) is not ad.Zero for d in dleaves):
            dleaves = [jnp.zeros_like(v) if type(d) is ad.Zero else d for v, d in zip(leaves, dleaves, strict=True)]
            _, moved = jax.jvp(lambda *ls: plain(x, *ls, structure=structure), tuple(leaves), tuple(dleaves))
            tangent = moved if type(tangent) is ad.Zero else tangent + moved
        return out, tangent

    def transpose(cotangent: Any, x: Any, *leaves: Any, structure: Any) -> list[Any]:
        none = [None] * len(leaves)
        if type(cotangent) is ad.Zero:
            return [ad.Zero(x.aval), *none]
        return [partner.bind(cotangent, *leaves, structure=structure), *none]

    def batch(arguments: Any, axes: Any, *, structure: Any) -> tuple[Array, int]:
        (x, *leaves), (axis, *others) = arguments, axes
        if not any(isinstance(other, int) for other in others):  # None: not mapped
            return primitive.bind(jnp.moveaxis(x, axis, 0), *leaves, structure=structure), 0
        return jax.vmap(lambda *a: plain(*a, structure=structure), axes)(*arguments), 0

    primitive.def_impl(jax.jit(plain, static_argnames="structure"))
    primitive.def_abstract_eval(abstract)
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(plain, multiple_results=False))
