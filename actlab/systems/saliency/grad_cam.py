"""Grad-CAM: where in an intermediate image a score is decided, at any value that the model names.

A model names a value by `jax.ad_checkpoint.checkpoint_name(value, "name")`, which costs nothing; `ConvNet` names the
activated output of each convolution "convolution_1", "convolution_2", ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.proofs.jaxprs import interpreted
from actlab.systems.saliency.attribution import SaliencyError, Score

Tapped = Callable[[Array, Array], tuple[Array, Array]]
NAME, CALLS = "name", ("jit", "pjit", "closed_call", "core_call")
"""Primitives: of a named value, and of calls whose bodies are looked into."""


def grad_cam(score: Score, x: Float[Array, "batch *shape"], layer: str) -> Float[Array, "batch *places"]:
    """The positive part of the channels' sum, each weighted by the mean over places of the score's gradient by it.

    At the intermediate image's own resolution; `jax.image.resize(map, (batch, height, width), "bilinear")` lays it
    over the input.

    Args:
        score: of a batch, each example by itself.
        x: examples.
        layer: name of a value of shape (batch, *places, channels) in the model; see the module.

    Raises:
        SaliencyError: no value or more than one of that name, or one without places.

    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2.
    """
    moved_score, shape, dtype = tapped(score, x, layer)
    if len(shape) < 3:
        raise SaliencyError(
            f"grad_cam: layer = {layer!r} has shape {shape}; it must be (batch, *places, channels): name a value "
            "before its places are averaged or flattened"
        )

    def total(moved: Array) -> tuple[Array, Array]:
        scores, values = moved_score(x, moved)
        return jnp.sum(scores), values

    slopes, values = jax.grad(total, has_aux=True)(jnp.zeros(shape, dtype))
    places = tuple(range(1, len(shape) - 1))
    return jnp.maximum(jnp.sum(jnp.mean(slopes, places, keepdims=True) * values, -1), 0)


def tapped(function: Callable[[Array], Array], x: Array, name: str) -> tuple[Tapped, tuple[int, ...], Any]:
    """The function with the named value moved by a second argument, that value's shape and its dtype.

    Returns:
        (x, moved) -> (what the function returns, the named value as it was before it is moved); shape; dtype.

    Raises:
        SaliencyError: no value, or more than one, of that name.
    """
    closed, out = jax.make_jaxpr(function, return_shape=True)(x)
    named = [(eqn.params[NAME], eqn.outvars[0].aval) for eqn in _named(closed.jaxpr)]
    mine = [aval for n, aval in named if n == name]
    if len(mine) != 1:
        known = ", ".join(repr(n) for n, _ in named) or "none; name one with jax.ad_checkpoint.checkpoint_name"
        raise SaliencyError(
            f"grad_cam: layer = {name!r} names {len(mine)} values of the model; it must name one, outside loops. "
            f"Named: {known}"
        )
    structure = jax.tree.structure(out)

    def run(x: Array, moved: Array) -> tuple[Array, Array]:
        seen: list[Array] = []
        found = _moved(closed.jaxpr, closed.consts, [x], name, moved, seen)
        return jax.tree.unflatten(structure, found), seen[0]

    return run, tuple(mine[0].shape), mine[0].dtype


def _named(jaxpr: Any) -> Iterator[Any]:
    """The equations that name values, those in calls too."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == NAME:
            yield eqn
        elif eqn.primitive.name in CALLS:
            yield from _named(_body(eqn).jaxpr)


def _body(eqn: Any) -> Any:
    return eqn.params.get("jaxpr") or eqn.params["call_jaxpr"]


def _moved(jaxpr: Any, consts: Any, arguments: Any, name: str, moved: Array, seen: list[Array]) -> list[Any]:
    """The values of a jaxpr's outputs, with the named value moved and noted."""

    def apply(eqn: Any, values: list[Any]) -> Any:
        if eqn.primitive.name == NAME and eqn.params[NAME] == name:
            seen.append(values[0])
            return [values[0] + moved]
        if eqn.primitive.name in CALLS and any(e.params[NAME] == name for e in _named(_body(eqn).jaxpr)):
            return _moved(_body(eqn).jaxpr, _body(eqn).consts, values, name, moved, seen)
        outcome = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params))
        return outcome if isinstance(outcome, (list, tuple)) else [outcome]

    return interpreted(jaxpr, consts, arguments, apply)
