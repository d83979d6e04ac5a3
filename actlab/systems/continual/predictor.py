"""How well a net of an activation will go on learning, said from its slopes alone, before any training.

A unit learns through its slope. As a stream changes, preactivations drift far to either side, and a unit comes back
only if there is a slope to bring it back: what counts is how flat the flatter side is. Slopes that change sign there
help while they are steep (a sine's unit is never far from anywhere) and hurt where they are not: they hold a unit in
the hollow of GELU or Swish. An unbounded slope may diverge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.activations import FactError

DEVIATION = 4.0
"""Of the preactivations over which slopes are averaged: wider than at initialization, as they become."""
FLOOR = 0.05
"""A slope below this share of its root mean square counts as that share: slower is all the same within a stream."""
POINTS = 2000
BUILT_ON = (
    "absolute", "arctan", "bent_identity", "cos", "elish", "erf", "gcu", "gudermannian", "hard_sigmoid", "hard_tanh",
    "isrlu", "leaky_relu", "lisht", "logish", "natural_log_relu", "phish", "prelu", "relu", "rrelu", "serf", "sin",
    "smish", "snake", "soft_shrink", "softsign", "sparse_sigmoid", "squareplus", "symmetric_log", "tanh_exp", "xielu",
)  # fmt: skip
"""Every other one, by alphabet, of the 59 activations of the sweep: all numbers here were chosen on these."""
TESTED_ON = (
    "aptx", "asinh", "bounded_relu", "displaced_relu", "elu", "gaussian", "gelu", "hard_mish", "hard_swish", "identity",
    "isru", "lecun_tanh", "log_sigmoid", "mish", "pau", "plu", "quick_gelu", "relu6", "selu", "sigmoid", "sinc",
    "smooth_step", "soft_cap", "softplus", "sparse_plus", "sqnl", "swish", "tanh", "tanh_shrink",
)  # fmt: skip
"""The others, on which the predictor was tested."""

COEFFICIENTS = (-0.617, 0.309, 0.923, -1.764)
"""Of 1, flatness, turning times flatness, and turning, in the logarithm of the error: least squares on `BUILT_ON`."""


@dataclass(frozen=True)
class Slopes:
    """The slopes on the flatter side of 0.

    Attributes:
        flatness: the mean of -log(|f'| / rms f') there, at most -log(FLOOR), in nats; about 0 for slopes of one size,
            the most that there is for ReLU.
        turning: 1 - |mean f'| / mean |f'| there: 0 where f' keeps its sign, 1 where both signs weigh the same.
        unbounded: the facts know the slope to be unbounded.
    """

    flatness: float
    turning: float
    unbounded: bool


def slopes(activation: Any) -> Slopes:
    """The slopes over z ~ N(0, DEVIATION^2) on the flatter side; the root mean square is over both sides.

    Args:
        activation: an Activation, a function or a name.

    Raises:
        FactError: the slope is 0 wherever it was evaluated, or not finite somewhere.
    """
    f = al.as_activation(activation)
    quantiles = _normal_quantiles()
    slope = np.asarray(f.slope(jnp.asarray(DEVIATION * quantiles, jnp.float32)), np.float64)
    size = math.sqrt(np.mean(np.square(slope)))
    if not (size > 0 and math.isfinite(size)):
        raise FactError(f"{f.name}: the root mean square of its slope is {size:g}: nothing can be said of its learning")
    logs = -np.log(np.maximum(np.abs(slope) / size, FLOOR))
    left, right = quantiles < 0, quantiles > 0
    side = left if logs[left].mean() >= logs[right].mean() else right
    weight = np.abs(slope[side]).mean()
    turning = 1 - abs(slope[side].mean()) / weight if weight > 0 else 0.0
    known = f.facts.slope
    return Slopes(float(logs[side].mean()), float(turning), known is not None and math.isinf(float(known.magnitude)))


def foretold_error(activation: Any) -> float:
    """The squared error of the slowly changing regression's last fifth at step .01, foretold; inf: may diverge.

    From slopes alone, meant for ordering activations.

    Raises:
        FactError: as for `slopes`.
    """
    s = slopes(activation)
    terms = (1.0, s.flatness, s.turning * s.flatness, s.turning)
    return math.inf if s.unbounded else math.exp(sum(c * t for c, t in zip(COEFFICIENTS, terms, strict=True)))


def _normal_quantiles() -> np.ndarray:
    from scipy.stats import norm

    return norm.ppf((np.arange(POINTS) + 0.5) / POINTS)
