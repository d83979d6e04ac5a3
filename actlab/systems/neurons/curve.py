"""Any bounded rising activation as the curve of a gate: its ends made 0 and 1, its middle put where a gate's is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.activations import Activation

BECAUSE = "a gate opens smoothly from closed to open with the voltage"
POINTS, FAR = 257, 69.0
"""Of the grids on which the middle is sought; they reach to sinh(69), about 5e29."""


def gate_curve(activation: Activation, V_half: Any, k: Any) -> Activation:
    """The activation scaled to [0, 1], half open at V_half with the slope 1/(4k) of a Boltzmann curve there.

    What differs from the Boltzmann curve is the shape alone: of sigmoid, and of tanh, it is that curve.

    Args:
        activation: monotone with a bounded range and three continuous derivatives, on which the kind of a bifurcation
            depends; a falling one is turned upside down.
        V_half: mV.
        k: mV, positive.

    Raises:
        FactError: one of these facts is missing, or the activation is constant, or flat in its middle.
    """
    rising = activation.facts.monotone not in ("strictly decreasing", "nonincreasing")
    curve = activation if rising else al.negate(activation)
    al.require(curve, bounded_range=True, nondecreasing=True, smoothness=3, exact_gradient=True, because=BECAUSE)
    with jax.enable_x64(True):
        low, high = _ends(curve)
        middle = _half_way(curve, 0.5 * (low + high))
        slope = float(curve.slope(jnp.asarray(middle, jnp.float64))) / (high - low)
    if not 0 < slope < np.inf:
        raise al.FactError(
            f"{BECAUSE}: {activation!r} has slope {slope:g} half-way. What would do: sigmoid, tanh, erf."
        )
    steepness = 1 / (4 * k * slope)
    return al.affine(
        curve,
        scale=1 / (high - low),
        shift=-low / (high - low),
        input_scale=steepness,
        input_shift=middle - steepness * V_half,
    )


def _values(curve: Activation, grid: np.ndarray) -> np.ndarray:
    return np.asarray(curve(jnp.asarray(grid, jnp.float64)), np.float64)


def _ends(curve: Activation) -> tuple[float, float]:
    """The values far to the left and to the right; the range's ends where they are approached to rounding."""
    bounds = curve.facts.range
    assert bounds is not None  # required by the caller
    values = _values(curve, np.sinh([-FAR, FAR]))
    scale = 1e-5 * bounds.magnitude
    ends = (float(bounds.lower), float(bounds.upper))
    low, high = (e if abs(e - v) <= scale else float(v) for e, v in zip(ends, values, strict=True))
    if not low < high:
        raise al.FactError(f"{BECAUSE}: {curve!r} is constant. What would do: sigmoid, tanh, erf.")
    return low, high


def _half_way(curve: Activation, target: float) -> float:
    """Where the curve reaches the target, to the resolution of float64."""
    grid = np.sinh(np.linspace(-FAR, FAR, POINTS))
    for _ in range(9):
        values = _values(curve, grid)
        after = int(np.clip(np.argmax(values >= target), 1, POINTS - 1))
        if values[after] == target:
            return float(grid[after])
        grid = np.linspace(grid[after - 1], grid[after], POINTS)
    return float(0.5 * (grid[0] + grid[-1]))
