"""Equilibria by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from actlab.dynamics.fixed_step import State


def equilibrium(rate: Callable[[State], State], guess: State, iterations: int = 40) -> State:
    """A state at which `rate` is 0, near the guess; its first derivatives are those of the implicit function theorem.

    Args:
        rate: of change, of a state; a pytree like it.
        guess: where Newton's method starts, a pytree of floating arrays. Which equilibrium is found depends on it.
        iterations: of Newton's method; each takes, of its whole step and the step halved one to ten times, that which
            leaves the least residual.
    """
    guess = jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v, float)), guess)
    start, unravel = ravel_pytree(guess)

    def residual(x: Any) -> Any:
        return ravel_pytree(rate(unravel(x)))[0]

    def improve(x: Any, _: None) -> tuple[Any, None]:
        move = jnp.linalg.solve(jax.jacfwd(residual)(x), residual(x))
        sizes = 0.5 ** jnp.arange(11, dtype=x.dtype)
        tried = x[None, :] - sizes[:, None] * move[None, :]
        errors = jax.vmap(lambda v: jnp.sum(jnp.square(residual(v))))(tried)
        return jax.lax.stop_gradient(tried[jnp.nanargmin(errors)]), None

    x, _ = jax.lax.scan(improve, jax.lax.stop_gradient(start), length=iterations)
    return unravel(x - jnp.linalg.solve(jax.lax.stop_gradient(jax.jacfwd(residual)(x)), residual(x)))
