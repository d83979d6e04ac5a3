"""Activations as atoms of a trace: one marked operation in the jaxpr, from which the Activation is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching
from jaxtyping import Array

from actlab.activations import Activation, VectorActivation
from actlab.activations.activation import intercepted


@dataclass(frozen=True, eq=False)
class Form:
    """An activation without its traced leaves: those are operands of the operation."""

    treedef: Any
    static: tuple[Any, ...]
    """The leaves that are numbers; None where an operand is."""

    def rebuilt(self, operands: tuple[Any, ...]) -> Activation | VectorActivation:
        """The activation with these operands for leaves."""
        rest = iter(operands)
        return jax.tree.unflatten(self.treedef, [next(rest) if s is None else s for s in self.static])


atom = Primitive("activation")
atom.def_abstract_eval(lambda x, *leaves, form, shape: ShapedArray(shape, x.dtype))


def _apply(activation: Activation | VectorActivation, x: Array) -> Array:
    leaves, treedef = jax.tree.flatten(activation)
    static = tuple(v if isinstance(v, (int, float, np.generic, np.ndarray)) else None for v in leaves)
    operands = [v for v, s in zip(leaves, static, strict=True) if s is None]
    shape = x.shape if isinstance(activation, Activation) else jax.eval_shape(activation.evaluate, x).shape
    return atom.bind(x, *operands, form=Form(treedef, static), shape=tuple(shape))


def _batched(arguments: Any, axes: Any, *, form: Form, shape: tuple[int, ...]) -> tuple[Array, int]:
    x, *leaves = arguments
    if any(axis is not None for axis in axes[1:]):
        raise NotImplementedError("an activation whose parameters are mapped by vmap inside a model")
    x = jnp.moveaxis(x, axes[0], 0)
    return atom.bind(x, *leaves, form=form, shape=(x.shape[0], *shape)), 0


batching.primitive_batchers[atom] = _batched


def trace(function: Callable[..., Any], *examples: Any) -> tuple[Any, Any]:
    """The jaxpr of a function, its activations kept in one piece, and the tree of its output's shapes."""
    with intercepted(_apply):
        return jax.make_jaxpr(function, return_shape=True)(*examples)
