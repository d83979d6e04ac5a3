"""Any bounded rising activation as the curve of a gate: its ends made 0 and 1, its middle put where a gate's is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.activations import Activation
from actlab.activations.transition import ends, reached

BECAUSE = "a gate opens smoothly from closed to open with the voltage"


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
    low, high = ends(curve, BECAUSE, np.float64)
    middle = reached(curve, 0.5 * (low + high), dtype=np.float64)
    with jax.enable_x64(True):
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
