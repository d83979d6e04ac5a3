"""The portrait of an activation: its value, slope and curvature sampled on a window around the origin."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from actlab.activations import Activation

POINTS = 481
"""Samples of a portrait."""
HALF_WIDTH = 6.0
"""The window is [-6, 6], wider where a kink lies outside, up to `FARTHEST_KINK`."""
FARTHEST_KINK = 40.0
CHANNELS = 5
"""Curves drawn at most of an activation whose parameters are vectors."""


@dataclass(frozen=True)
class Portrait:
    """An activation sampled for drawing, in float32 as it runs.

    Attributes:
        x: shape (points,); increasing, with a point on each side of every kink instead of the kink itself.
        value: f(x), shape (channels, points); more than one channel where the parameters are vectors. Non-finite values
            are kept.
        slope: f'(x) as autodiff uses it, shape (channels, points).
        curvature: f''(x), shape (channels, points).
        channels: how many channels the activation has; at most `CHANNELS` of them are sampled.
        missing: why there is no portrait; empty where there is one.
    """

    x: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
    channels: int = 1
    missing: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", np.asarray(self.x, np.float64))
        for name in ("value", "slope", "curvature"):
            samples = np.asarray(getattr(self, name), np.float64).reshape(-1, self.x.size) if self.x.size else NOTHING
            object.__setattr__(self, name, samples)

    @property
    def window(self) -> tuple[float, float]:
        """The ends of the sampled window."""
        return (float(self.x[0]), float(self.x[-1])) if self.x.size else (-HALF_WIDTH, HALF_WIDTH)


NOTHING = np.zeros((0, 0))
NOT_SAMPLED = Portrait(np.zeros(0), NOTHING, NOTHING, NOTHING, missing="it was not sampled")


def sample(activation: Activation) -> Portrait:
    """The portrait of an activation; one without curves, saying why, where it is not a function of one number."""
    x = _window(_kinks(activation))
    try:
        value, slope, curvature = (_by_channel(y, x.size) for y in _curves(activation, x))
    except (TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Portrait(np.zeros(0), NOTHING, NOTHING, NOTHING, missing=f"it is not a function of one number: {first}")
    return Portrait(x, value[:CHANNELS], slope[:CHANNELS], curvature[:CHANNELS], channels=len(value))


def _kinks(activation: Activation) -> list[float]:
    known = activation.facts.kinks or ()
    return sorted({float(k) for kink in known for k in np.ravel(np.asarray(kink)) if math.isfinite(float(k))})


def _window(kinks: list[float]) -> np.ndarray:
    """Float32 samples of a symmetric window; at a kink its two neighbours, so that a jump is never sampled inside."""
    half = max([HALF_WIDTH] + [1.25 * abs(k) for k in kinks if abs(k) <= FARTHEST_KINK])
    grid = np.linspace(-half, half, POINTS, dtype=np.float32)
    inside = np.array([k for k in kinks if abs(k) < half], np.float32)
    step = np.float32(half * 1e-4)
    sides = np.concatenate([inside - step, inside + step])
    return np.setdiff1d(np.union1d(grid, sides), inside).astype(np.float64)


def _curves(activation: Activation, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """f, f', f'' at x, each of shape (points, *parameter shape)."""
    shape = functools.reduce(np.broadcast_shapes, [jnp.shape(leaf) for leaf in jax.tree.leaves(activation)], ())
    points = np.broadcast_to(x.astype(np.float32).reshape(-1, *[1] * len(shape)), (x.size, *shape))

    @jax.jit
    def all_three(activation: Activation, points: jax.Array) -> tuple[jax.Array, ...]:
        return activation(points), activation.slope(points), activation.curvature(points)

    curves = tuple(np.asarray(y, np.float64) for y in all_three(activation, jnp.asarray(points)))
    if any(y.shape != points.shape for y in curves):
        raise ValueError(f"inputs of shape {points.shape} give outputs of shape {curves[0].shape}")
    return curves


def _by_channel(curve: np.ndarray, points: int) -> np.ndarray:
    return curve.reshape(points, -1).T
