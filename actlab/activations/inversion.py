"""The inverse of an activation with a positive slope: Newton's method inside a bracket that the facts give."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations.activation import Activation, floating
from actlab.activations.definition import aligned, wide
from actlab.activations.facts import FactError

LIMIT = 200
"""More steps than bisection alone needs for a float64; about 6 are taken."""


def invert(activation: Activation, y: Any) -> Float[Array, "*shape"]:
    """The x with `activation(x) = y`, elementwise.

    With slope in [m, M], m > 0, the solution lies between (y - f(0))/M and (y - f(0))/m, and every further value
    narrows that bracket; a Newton step that leaves it, or gains less than a bisection, is replaced by one. So it
    converges for every finite y, to the rounding error of f divided by m. The derivatives, with respect to y and to the
    leaves of the activation, are those of the implicit function, of any order.

    Args:
        activation: its facts must say slope.lower > 0; slope.upper may be infinite.
        y: floating values. An infinite or NaN one is returned as it is; a solution beyond the largest float as that.

    Raises:
        FactError: the slope is unknown, or not known to be above 0.
        TypeError: y is not of a floating dtype.
    """
    y = floating(y, f"the inverse of {activation.name}")
    slope = activation.facts.slope
    if slope is None or (not isinstance(slope.lower, Tracer) and not np.all(np.asarray(slope.lower) > 0)):
        has = "an unknown slope" if slope is None else f"slope in {slope}"
        raise FactError(
            f"invert: needs slope > 0, but {activation!r} has {has}. "
            f"What would do: bounded_slope({activation.name}, lower=0.1, upper=2), or an inverse in closed form"
        )
    leaves, structure = jax.tree.flatten(activation)
    # Python numbers stay what they are: as arguments they would become float32, and f another function by a rounding.
    numbers = tuple(v if isinstance(v, (int, float)) else None for v in leaves)
    arrays = tuple(v for v in leaves if not isinstance(v, (int, float)))
    return _invert(_Rebuild(structure, numbers), arrays, wide(y)).astype(y.dtype)


class _Rebuild:
    """From the array leaves back to the activation; static, compared by identity."""

    def __init__(self, structure: Any, numbers: tuple[float | None, ...]) -> None:
        self.structure, self.numbers = structure, numbers

    def __call__(self, arrays: tuple) -> Activation:
        rest = iter(arrays)
        return jax.tree.unflatten(self.structure, [next(rest) if v is None else v for v in self.numbers])


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _invert(rebuild: _Rebuild, arrays: tuple, y: Array) -> Array:
    return _solve(rebuild(arrays), y)


@_invert.defjvp
def _invert_jvp(rebuild: _Rebuild, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (arrays, y), (darrays, dy) = primals, tangents
    x = _invert(rebuild, arrays, y)
    shift = jax.jvp(lambda a: rebuild(a).evaluate(x), (arrays,), (darrays,))[1] if arrays else jnp.zeros_like(x)
    return x, (dy - shift) / rebuild(arrays).slope(x)


def _solve(activation: Activation, y: Array) -> Array:
    bounds = activation.facts.slope
    assert bounds is not None  # `invert` has refused
    like = jnp.zeros_like(y)
    largest, epsilon = jnp.finfo(y.dtype).max, jnp.finfo(y.dtype).eps
    least, most = (like + aligned(v, y) for v in (bounds.lower, bounds.upper))
    target = jnp.clip(jnp.nan_to_num(y), -largest, largest)

    def residual(x: Array) -> Array:
        return jnp.clip(activation.evaluate(x) - target, -largest, largest)

    start = residual(like)
    near, far = (jnp.clip(-start / s, -largest, largest) for s in (most, least))
    slack = 8 * epsilon * jnp.abs(far)  # the bracket's own rounding errors
    lower = jnp.maximum(jnp.minimum(near, far) - slack, -largest)
    upper = jnp.minimum(jnp.maximum(near, far) + slack, largest)

    def proceed(state: tuple) -> Array:
        step, moving = state[0], state[-1]
        return (step < LIMIT) & jnp.any(moving)

    def improve(state: tuple) -> tuple:
        step, lower, upper, x, last, best, least_error, moving = state
        r, slope = residual(x), jnp.clip(activation.slope(x), least, most)
        better = jnp.abs(r) < least_error
        best, least_error = jnp.where(better, x, best), jnp.where(better, jnp.abs(r), least_error)
        lower, upper = jnp.where(r < 0, x, lower), jnp.where(r > 0, x, upper)
        newton = x - r / slope
        quick = (newton >= lower) & (newton <= upper) & (jnp.abs(newton - x) <= 0.5 * jnp.abs(last))
        new = jnp.where(quick, newton, 0.5 * lower + 0.5 * upper)
        close = jnp.abs(r) <= 4 * epsilon * (jnp.abs(target) + slope * jnp.abs(x))
        moving = moving & ~close & (new != x)
        return step + 1, lower, upper, new, new - x, best, least_error, moving

    first = jnp.clip(-start / jnp.clip(activation.slope(like), least, most), lower, upper)
    state = (0, lower, upper, first, upper - lower, first, like + jnp.inf, jnp.isfinite(y))
    _, lower, upper, _, _, x, _, _ = jax.lax.while_loop(proceed, improve, state)
    x = jnp.clip(x - residual(x) / jnp.clip(activation.slope(x), least, most), lower, upper)
    return jnp.where(jnp.isfinite(y), x, y)
