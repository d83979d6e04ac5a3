"""The way up of a bounded rising activation: from which value it goes to which, and where it reaches one between."""

from __future__ import annotations

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from actlab.activations.activation import Activation
from actlab.activations.facts import FactError

FAR = 69.0
"""Grids reach to sinh(69), about 5e29: far out, and finite in float32."""
POINTS = 257
"""Of every grid: one shape, so that an activation is compiled for it once."""
GRID = np.sinh(np.linspace(-FAR, FAR, POINTS))
REFINEMENTS = {4: 6, 8: 9}
"""How often the grid is laid anew between two of its points: until they are neighbours in numbers of so many bytes."""


def values(activation: Activation, x: Float64[np.ndarray, " points"], dtype: Any) -> Float64[np.ndarray, " points"]:
    """The activation as executed in the dtype, float32 or float64; now, whatever is being traced around."""
    wide = jax.enable_x64(True) if jnp.dtype(dtype).itemsize == 8 else contextlib.nullcontext()
    with jax.ensure_compile_time_eval(), wide:
        return np.asarray(_applied(activation, jnp.asarray(x, dtype)), np.float64)


@jax.jit
def _applied(activation: Activation, x: Array) -> Array:
    return activation(x)


def ends(rising: Activation, because: str, dtype: Any = np.float32) -> tuple[float, float]:
    """The values far to the left and to the right; the range's ends where they are approached to rounding.

    A sigmoid is never quite 1, nor is it 1 - 2^-24.

    Args:
        rising: not decreasing, of a bounded range, both by its facts.
        because: what needs it to rise; begins the error's message.
        dtype: in which it is looked at.

    Raises:
        FactError: it is constant.
    """
    bounds, seen = rising.facts.range, values(rising, GRID, dtype)[[0, -1]]
    assert bounds is not None  # required by the caller
    near = 1e-5 * float(bounds.magnitude)
    low, high = (
        float(end if abs(end - value) <= near else value)
        for end, value in zip((bounds.lower, bounds.upper), seen, strict=True)
    )
    if not low < high:
        raise FactError(f"{because}: {rising!r} is constant. What would do: sigmoid, tanh, erf.")
    return low, high


def reached(rising: Activation, level: float, *, passed: bool = False, dtype: Any = np.float32) -> float:
    """The least x at which the activation is at the level, or above it, to the dtype's resolution: it may jump there.

    Args:
        rising: not decreasing.
        level: between its `ends`.
        passed: the least x at which it is above the level: another one where it stays at it.
        dtype: in which it is looked at.
    """
    grid, left, right, exact = GRID, GRID[0], GRID[-1], False
    for _ in range(REFINEMENTS[np.dtype(dtype).itemsize]):
        found = values(rising, grid, dtype)
        after = max(int(np.argmax(found > level if passed else found >= level)), 1)
        left, right, exact = grid[after - 1], grid[after], found[after] == level
        grid = np.linspace(left, right, POINTS)
    return float(right if exact else 0.5 * (left + right))
