"""Value and derivative as autodiff executes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from actlab.activations import Activation, Elementary


def value_and_slope(f: Activation | Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    """Both f and f' of an array, elementwise: in forward mode, or in reverse where a custom_vjp allows that alone."""
    for evaluate in _executables(f):
        for both in (_forward(evaluate), _reverse(evaluate)):
            try:
                with jax.ensure_compile_time_eval():
                    both(jnp.float32(0.5))
            except TypeError:  # a custom_vjp, in forward mode: seen only when it runs
                continue
            return both
    raise TypeError(f"{f!r} cannot be differentiated, neither in forward nor in reverse mode")


def _executables(f: Any) -> list[Callable[[Any], Any]]:
    if not isinstance(f, Activation):
        return [f]
    inner = [f.evaluate]
    if isinstance(f, Elementary):  # its own rule runs in forward mode: past it, for a function with a custom_vjp
        inner.append(functools.partial(f.definition.derivatives[0], **f.parameters))
    return inner


def _forward(evaluate: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    return lambda x: jax.jvp(evaluate, (x,), (jnp.ones_like(x),))


def _reverse(evaluate: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    def both(x: Any) -> tuple[Any, Any]:
        value, pull = jax.vjp(evaluate, x)
        return value, pull(jnp.ones_like(value))[0]

    return both
