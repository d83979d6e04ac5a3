"""Gaussian moments of an activation: what a random layer does to the scale of a signal and of its gradient."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from actlab.activations import Activation

REACH = 16.0
"""The Gaussian is cut at this many standard deviations, where its density is 1e-56."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
PANEL_TOLERANCE = 1e-14
"""A panel's aim, relative to the whole integral of the absolute value: tens of panels together stay below 1e-12."""
BISECTIONS = 60
PANELS = 4096
"""Panels alive at once before the rule gives up: an integrand with structure everywhere."""
CHUNK = 1024
"""Points evaluated at once: one compiled program for any number of panels."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Moments:
    """Expectations over z ~ N(mean, deviation^2), each of the shape of the activation's parameters (scalar as a rule).

    Attributes:
        first: E[f(z)].
        second: E[f(z)^2].
        slope_second: E[f'(z)^2], f' the derivative that autodiff uses.
    """

    first: Any
    second: Any
    slope_second: Any

    @property
    def variance(self) -> Any:
        """Var[f(z)]."""
        return self.second - self.first**2


class QuadratureError(ArithmeticError):
    """The moments of an activation did not converge; the message says which activation and the error reached."""


def moments(activation: Activation, mean: float = 0.0, deviation: float = 1.0, *, tolerance: float = 1e-10) -> Moments:
    """E[f(z)], E[f(z)^2] and E[f'(z)^2] for z ~ N(mean, deviation^2).

    Gauss-Legendre quadrature in float64, split at 0 and at the kinks that the facts know, bisected wherever two halves
    disagree with their whole: to 1e-12 of the integral of the absolute value, kinks known or not, x64 enabled or not.
    With traced parameters (inside jit or vmap over them) a fixed rule in the working precision, 1e-6 or so in float32.

    Args:
        activation: scalar activation f; with array parameters the moments have their shape.
        mean: of z.
        deviation: standard deviation of z, positive.
        tolerance: the estimated error, relative to the integral of the absolute value, above which to raise. An
            activation that computes in float32 whatever it is given reaches 1e-7 or so.

    Raises:
        ValueError: a deviation that is not positive and finite.
        QuadratureError: f has no finite moments, or the estimated error is above the tolerance.

    Source: the quantities of Poole et al. 2016, "Exponential expressivity in deep neural networks", eqs. 3 and 6.
    """
    if not (deviation > 0 and math.isfinite(deviation) and math.isfinite(mean)):
        raise ValueError(f"moments: mean = {mean} and deviation = {deviation} must be finite, deviation positive")
    leaves, treedef = jax.tree.flatten(activation)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return _traced(activation, mean, deviation)
    values = tuple((np.asarray(leaf).tobytes(), np.asarray(leaf).shape, np.asarray(leaf).dtype) for leaf in leaves)
    integral, error = _adaptive(treedef, values, float(mean), float(deviation))
    if error > tolerance:
        raise QuadratureError(
            f"{activation.name}: its Gaussian moments reached a relative error of {error:.1e}, not {tolerance:.1e}"
        )
    return Moments(*integral)


def gain(activation: Activation) -> Any:
    """1 / sqrt(E[f(z)^2]), z ~ N(0, 1): weights of variance gain^2 / fan_in preserve the variance of preactivations.

    Averaged over the channels of an activation with array parameters. A float, or a traced array if a parameter is.
    As accurate as `moments`; an activation that itself computes in low precision is let pass up to 1e-4.

    Raises:
        QuadratureError: as for `moments`.
        ValueError: f is zero almost everywhere.
    """
    second = moments(activation, tolerance=1e-4).second
    if isinstance(second, Tracer):
        return 1 / jnp.sqrt(jnp.mean(second))
    second = float(np.mean(second))
    if second == 0:
        raise ValueError(f"{activation.name} is zero almost everywhere: no weight gain preserves the variance")
    return 1 / math.sqrt(second)


def _traced(activation: Activation, mean: float, deviation: float) -> Moments:
    edges = jnp.asarray(np.linspace(-REACH, REACH, 65))
    if activation.facts.kinks:
        kinks = jnp.concatenate([jnp.ravel(jnp.asarray(k, edges.dtype)) for k in activation.facts.kinks])
        edges = jnp.sort(jnp.concatenate([edges, jnp.clip((kinks - mean) / deviation, -REACH, REACH)]))
    half, middle = (edges[1:] - edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
    t = (middle[:, None] + half[:, None] * jnp.asarray(NODES, edges.dtype)[None, :]).ravel()
    weights = (half[:, None] * jnp.asarray(WEIGHTS, edges.dtype)[None, :]).ravel() * _density(t)
    values = _three(activation, mean + deviation * t)
    return Moments(*(jnp.tensordot(weights, v, 1) for v in values))


def _three(activation: Activation, z: Float[Array, " points"]) -> tuple[Array, Array, Array]:
    """f, f^2 and f'^2, each of shape (points, *shape of the parameters)."""
    shape = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(activation)))
    z = jnp.broadcast_to(z.reshape(-1, *(1 for _ in shape)), (len(z), *shape))
    f, slope = activation(z), activation.slope(z)
    return f, f**2, slope**2


def _density(t: Any) -> Any:
    return jnp.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)


@functools.lru_cache(maxsize=1024)
def _adaptive(treedef: Any, values: tuple, mean: float, deviation: float) -> tuple[list[Any], float]:
    """The adaptive rule, in float64 and outside of any trace; remembered by the parameters' values."""
    leaves = [np.frombuffer(b, dtype).reshape(shape).astype(np.float64) for b, shape, dtype in values]
    activation = jax.tree.unflatten(treedef, leaves)

    @jax.jit
    def integrand(t: Array) -> Array:
        stacked = jnp.stack(_three(activation, mean + deviation * t), axis=1)
        return stacked * jnp.expand_dims(_density(t), tuple(range(1, stacked.ndim)))

    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        integral, error = _integrate(integrand, _breakpoints(activation, mean, deviation), activation.name)
    return [v if v.ndim else float(v) for v in integral], error


def _breakpoints(activation: Activation, mean: float, deviation: float) -> np.ndarray:
    kinks = [np.ravel(np.asarray(k, np.float64)) for k in activation.facts.kinks or ()]
    t = (np.concatenate([np.zeros(1), *kinks]) - mean) / deviation
    return np.unique(np.clip(np.concatenate([np.linspace(-REACH, REACH, 33), t]), -REACH, REACH))


def _integrate(integrand: Any, edges: np.ndarray, name: str) -> tuple[np.ndarray, float]:
    """The integral and its relative error. A panel whose two halves disagree with their whole becomes two panels."""
    left, right = edges[:-1], edges[1:]
    whole, absolute = _panel_sums(integrand, left, right)
    scale = np.maximum(absolute.sum(0), 1e-300)
    ends = np.asarray(integrand(np.resize([-REACH, REACH], CHUNK)))[:2]
    if not np.all(np.isfinite(scale)) or np.any(np.abs(ends) > PANEL_TOLERANCE * scale):
        raise QuadratureError(f"{name}: its Gaussian moments are not finite, or too large for float64")
    done = np.zeros_like(scale)
    for _ in range(BISECTIONS):
        middle = (left + right) / 2
        left, right = np.stack([left, middle], 1).ravel(), np.stack([middle, right], 1).ravel()
        halves, _ = _panel_sums(integrand, left, right)
        error = np.abs(halves[0::2] + halves[1::2] - whole) / scale
        if not np.all(np.isfinite(error)):
            raise QuadratureError(f"{name}: its Gaussian moments are not finite, or too large for float64")
        disagree = np.any(error.reshape(len(error), -1) > PANEL_TOLERANCE, axis=1)
        again = np.repeat(disagree, 2)
        if not disagree.any() or again.sum() > PANELS:
            break
        done = done + halves[~again].sum(0)
        left, right, whole = left[again], right[again], halves[again]
    return done + halves.sum(0), float(error.sum(0).max())  # pyright: ignore[reportPossiblyUnboundVariable]


def _panel_sums(integrand: Any, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each panel's integral and the integral of the absolute value, by Gauss-Legendre; shape (panels, 3, ...)."""
    half, middle = (right - left) / 2, (right + left) / 2
    points = (middle[:, None] + half[:, None] * NODES).ravel()
    padded = np.concatenate([points, np.zeros(-len(points) % CHUNK)]).reshape(-1, CHUNK)
    values = np.concatenate([np.asarray(integrand(chunk)) for chunk in padded])[: len(points)]
    if values.dtype != np.float64:
        raise QuadratureError(f"the activation computes in {values.dtype} where float64 was given")
    values = values.reshape(len(half), len(NODES), *values.shape[1:])
    weights = half[:, None] * WEIGHTS
    return np.einsum("pn,pn...->p...", weights, values), np.einsum("pn,pn...->p...", weights, np.abs(values))
