"""How many gradients integrated gradients need, from the facts of the activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.bounds.graph import Elementwise, Network
from actlab.systems.saliency.attribution import SaliencyError
from actlab.systems.saliency.exact_paths import preactivations

REACH = 1.2
"""A slope that can change by `range` at the rate `curvature` is taken to be analytic within REACH range / curvature of
the real line: of tanh and the logistic function that is where their nearest pole is (1.21)."""
MARGIN = 100.0
"""How much larger the error may be than the rate alone says: slopes multiply from layer to layer."""


def quadrature_nodes(net: Network, x: Float[Array, "*shape"], baseline: Any = 0.0, *, tolerance: float = 1e-10) -> int:
    """Gauss-Legendre nodes after which `integrated_gradients` is expected to miss less than a tolerance.

    Where a unit travels by D along the line, its slope is analytic within 2 REACH range / (curvature D) of the interval
    [-1, 1], and n nodes leave MARGIN rho^(-2n), rho the sum of that distance and the root of its square plus 1. The
    unit that needs most decides. An estimate, which speaks of the slopes one by one: completeness tells what was left.

    Args:
        net: from `actlab.bounds.network`, of concrete weights.
        x: one example.
        baseline: broadcast to x.
        tolerance: in units of the score.

    Returns:
        The number of nodes, for one example; for a batch take the largest.

    Raises:
        FactError: an activation whose curvature is not bounded, such as one with a kink in its slope.
        SaliencyError: a tolerance outside (0, 1), or a maximum pool.

    Source: Trefethen 2008, SIAM Review 50(1), theorem 4.5 (the ellipse and its rate).
    """
    if not 0 < tolerance < 1:
        raise SaliencyError(f"quadrature_nodes: tolerance = {tolerance} must be between 0 and 1")
    start = np.broadcast_to(np.asarray(baseline, net.dtype), np.shape(x))
    ends = preactivations(net, start, np.asarray(x, net.dtype) - start, np.array([0.0, 1.0], net.dtype))
    needed = 1
    for k, (there, here) in zip(net.activations, ends, strict=True):
        travel = float(np.max(np.abs(here - there)))
        distance = 2 * REACH / max(_rate(net.nodes[k].operation) * travel, 1e-12)
        needed = max(needed, math.ceil(math.log(MARGIN / tolerance) / (2 * math.asinh(distance))))
    return needed


def _rate(operation: Any) -> float:
    """Curvature over the range of slopes: how fast, in 1 / preactivation, a slope can run through its values."""
    if not isinstance(operation, Elementwise):
        raise SaliencyError("quadrature_nodes: a maximum pool has kinks; use average pooling")
    facts = operation.facts
    slope, curvature = facts.slope, facts.curvature
    bend = math.inf if curvature is None else float(curvature.magnitude)
    if slope is None or facts.smoothness is None or facts.smoothness < 1 or not math.isfinite(bend):
        raise al.FactError(
            f"quadrature_nodes needs bounds of slope and curvature and no kink, and {operation.activation.name} has or "
            "is known to have none. What would do: exact_integrated_gradients for lines between kinks"
        )
    spread = float(slope.upper) - float(slope.lower)
    return bend / spread if spread > 0 else 0.0
