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
TOLERANCE = 1e-12
"""Aimed at by the adaptive rule, relative to the integral of the absolute value (and at least to 1e-300)."""
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


def moments(activation: Activation, mean: float = 0.0, deviation: float = 1.0) -> Moments:
    """E[f(z)], E[f(z)^2] and E[f'(z)^2] for z ~ N(mean, deviation^2).

    Gauss-Legendre quadrature in float64, split at 0 and at the kinks that the facts know, bisected wherever two halves
    disagree with their whole: to 1e-12 of the integral of the absolute value, kinks known or not, x64 enabled or not.
    With traced parameters (inside jit or vmap over them) a fixed rule in the working precision, 1e-6 or so in float32.

    Args:
        activation: scalar activation f; with array parameters the moments have their shape.
        mean: of z.
        deviation: standard deviation of z, positive.

    Raises:
        ValueError: a deviation that is not positive and finite.
        QuadratureError: f has no finite moments, or the rule did not converge.

    Source: the quantities of Poole et al. 2016, "Exponential expressivity in deep neural networks", eqs. 3 and 6.
    """
    if not (deviation > 0 and math.isfinite(deviation) and math.isfinite(mean)):
        raise ValueError(f"moments: mean = {mean} and deviation = {deviation} must be finite, deviation positive")
    leaves, treedef = jax.tree.flatten(activation)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return _traced(activation, mean, deviation)
    values = tuple((np.asarray(leaf).tobytes(), np.asarray(leaf).shape, np.asarray(leaf).dtype) for leaf in leaves)
    return Moments(*_adaptive(treedef, values, float(mean), float(deviation)))


def gain(activation: Activation) -> Any:
    """1 / sqrt(E[f(z)^2]), z ~ N(0, 1): weights of variance gain^2 / fan_in preserve the variance of preactivations.

    Averaged over the channels of an activation with array parameters. A float, or a traced array if a parameter is.

    Raises:
        QuadratureError: as for `moments`.
        ValueError: f is zero almost everywhere.
    """
    second = moments(activation).second
    if isinstance(second, Tracer):
        return 1 / jnp.sqrt(jnp.mean(second))
    second = float(np.mean(second))
    if second == 0:
        raise ValueError(f"{activation.name} is zero almost everywhere: no weight gain preserves the variance")
    return 1 / math.sqrt(second)


def _traced(activation: Activation, mean: float, deviation: float) -> Moments:
    width = max(jnp.ndim(leaf) for leaf in jax.tree.leaves(activation))
    edges = jnp.asarray(np.linspace(-REACH, REACH, 65))
    if activation.facts.kinks:
        kinks = jnp.concatenate([jnp.ravel(jnp.asarray(k, edges.dtype)) for k in activation.facts.kinks])
        edges = jnp.sort(jnp.concatenate([edges, jnp.clip((kinks - mean) / deviation, -REACH, REACH)]))
    half, middle = (edges[1:] - edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
    t = (middle[:, None] + half[:, None] * jnp.asarray(NODES, edges.dtype)[None, :]).ravel()
    weights = (half[:, None] * jnp.asarray(WEIGHTS, edges.dtype)[None, :]).ravel() * _density(t)
    values = _three(activation, jnp.expand_dims(mean + deviation * t, tuple(range(1, 1 + width))))
    return Moments(*(jnp.tensordot(weights, v, 1) for v in values))


def _three(activation: Activation, z: Float[Array, "*shape"]) -> tuple[Array, Array, Array]:
    f, slope = activation(z), activation.slope(z)
    return f, f**2, slope**2


def _density(t: Any) -> Any:
    return jnp.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)


@functools.lru_cache(maxsize=1024)
def _adaptive(treedef: Any, values: tuple, mean: float, deviation: float) -> tuple[Any, Any, Any]:
    """The adaptive rule, in float64 and outside of any trace; remembered by the parameters' values."""
    leaves = [np.frombuffer(b, dtype).reshape(shape).astype(np.float64) for b, shape, dtype in values]
    activation = jax.tree.unflatten(treedef, leaves)
    width = max((leaf.ndim for leaf in leaves), default=0)

    @jax.jit
    def integrand(t: Array) -> Array:
        three = _three(activation, jnp.expand_dims(mean + deviation * t, tuple(range(1, 1 + width))))
        stacked = jnp.stack(jnp.broadcast_arrays(*three), axis=1)
        return stacked * jnp.expand_dims(_density(t), tuple(range(1, stacked.ndim)))

    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        integral = _integrate(integrand, _breakpoints(activation, mean, deviation), activation.name)
    return tuple(v if v.ndim else float(v) for v in integral)


def _breakpoints(activation: Activation, mean: float, deviation: float) -> np.ndarray:
    kinks = [np.ravel(np.asarray(k, np.float64)) for k in activation.facts.kinks or ()]
    t = (np.concatenate([np.zeros(1), *kinks]) - mean) / deviation
    return np.unique(np.clip(np.concatenate([np.linspace(-REACH, REACH, 33), t]), -REACH, REACH))


def _integrate(integrand: Any, edges: np.ndarray, name: str) -> np.ndarray:
    """Sum over panels; a panel is done when its two halves agree with the whole, else each half is a panel."""
    left, right = edges[:-1], edges[1:]
    whole, absolute = _panel_sums(integrand, left, right)
    scale = np.maximum(absolute.sum(0), 1e-300)
    total = np.zeros_like(whole[0])
    for _ in range(BISECTIONS):
        middle = (left + right) / 2
        left, right = np.stack([left, middle], 1).ravel(), np.stack([middle, right], 1).ravel()
        halves, _ = _panel_sums(integrand, left, right)
        error = np.abs(halves[0::2] + halves[1::2] - whole)
        if not np.all(np.isfinite(error)):
            raise QuadratureError(f"{name}: its Gaussian moments are not finite in float64")
        open_ = np.any((error > TOLERANCE * scale / 100).reshape(len(error), -1), axis=1)
        total = total + (halves[0::2] + halves[1::2])[~open_].sum(0)
        keep = np.repeat(open_, 2)
        left, right, whole = left[keep], right[keep], halves[keep]
        if not keep.any():
            return total
        if len(left) > PANELS:
            break
    reached = float(np.max(np.abs(error[open_]).sum(0) / scale))
    raise QuadratureError(f"{name}: its Gaussian moments did not converge; relative error {reached:.1e}")


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
