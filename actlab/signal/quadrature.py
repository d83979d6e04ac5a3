"""Means over a Gaussian of an activation and its derivatives: adaptive in float64, or by a fixed rule inside jit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer, eval_context
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

MEANS: dict[str, Callable[[Activation, Array, Array, Any], Array]] = {
    "first": lambda f, x, t, s: f(x),
    "second": lambda f, x, t, s: f(x) ** 2,
    "slope_second": lambda f, x, t, s: f.slope(x) ** 2,
    "slope_fourth": lambda f, x, t, s: f.slope(x) ** 4,
    # By parts, so that jumps of f' count with their weight: no f'' is evaluated.
    "curvature_first": lambda f, x, t, s: t * f.slope(x) / s,
    "value_curvature": lambda f, x, t, s: t * f(x) * f.slope(x) / s - f.slope(x) ** 2,
    "curvature_second": lambda f, x, t, s: f.curvature(x) ** 2,
}
"""What is averaged over x = mean + deviation t: f, f^2, f'^2, f'^4, f'', f f'', f''^2."""


class QuadratureError(ArithmeticError):
    """The moments of an activation did not converge; the message says which activation and the error reached."""


def gaussian_means(
    activation: Activation, names: tuple[str, ...], mean: Any = 0.0, deviation: Any = 1.0, *, tolerance: float = 1e-10
) -> tuple[Any, ...]:
    """The means called `names` (keys of `MEANS`) over x ~ N(mean, deviation^2), each of the shape of the parameters.

    Numbers in float64 where everything is concrete; arrays in the working precision, by a fixed rule, where parameters,
    mean or deviation are traced.

    Raises:
        ValueError: a deviation that is not positive and finite.
        QuadratureError: a mean is not finite, or its estimated error, relative to the integral of the absolute value,
            is above the tolerance.
    """
    leaves, treedef = jax.tree.flatten(activation)
    if any(isinstance(leaf, Tracer) for leaf in (*leaves, mean, deviation)):
        return _traced(activation, names, mean, deviation)
    mean, deviation = float(mean), float(deviation)
    if not (deviation > 0 and math.isfinite(deviation) and math.isfinite(mean)):
        raise ValueError(f"moments: mean = {mean} and deviation = {deviation} must be finite, deviation positive")
    values = tuple((np.asarray(leaf).tobytes(), np.asarray(leaf).shape, np.asarray(leaf).dtype) for leaf in leaves)
    integral, error = _adaptive(treedef, values, names, mean, deviation)
    if error > tolerance:
        raise QuadratureError(
            f"{activation.name}: its Gaussian moments reached a relative error of {error:.1e}, not {tolerance:.1e}"
        )
    return integral


def _traced(activation: Activation, names: tuple[str, ...], mean: Any, deviation: Any) -> tuple[Array, ...]:
    edges = jnp.asarray(np.linspace(-REACH, REACH, 65))
    known = known_kinks(activation)
    if known:
        kinks = jnp.concatenate([jnp.ravel(jnp.asarray(k, edges.dtype)) for k in known])
        edges = jnp.sort(jnp.concatenate([edges, jnp.clip((kinks - mean) / deviation, -REACH, REACH)]))
    t, weights = panel_rule(edges, NODES, WEIGHTS)
    weights = weights * density(t)
    values = _integrands(activation, names, t, mean, deviation)
    return tuple(jnp.tensordot(weights, v, 1) for v in values)


def panel_rule(edges: Array, nodes: np.ndarray, weights: np.ndarray) -> tuple[Array, Array]:
    """Points and weights of a rule on [-1, 1] carried over to every panel between ascending edges."""
    half, middle = (edges[1:] - edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
    t = (middle[:, None] + half[:, None] * jnp.asarray(nodes, edges.dtype)[None, :]).ravel()
    return t, (half[:, None] * jnp.asarray(weights, edges.dtype)[None, :]).ravel()


def _integrands(activation: Activation, names: tuple[str, ...], t: Array, mean: Any, deviation: Any) -> list[Array]:
    """Each of shape (points, *shape of the parameters)."""
    shape = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(activation)))
    t = jnp.broadcast_to(t.reshape(-1, *(1 for _ in shape)), (len(t), *shape))
    return [MEANS[name](activation, mean + deviation * t, t, deviation) for name in names]


def known_kinks(activation: Activation) -> tuple[Any, ...]:
    """The kinks that the facts tell of, from the parameters as plain numbers where they are concrete scalars.

    A composition finds its kinks by inverting its parts, which it does for numbers, not for arrays.
    """
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(activation)):
        try:
            return activation.facts.kinks or ()
        except TypeError:  # a composition that asks for its parts' values
            return ()
    numbers = jax.tree.map(lambda leaf: leaf if np.ndim(leaf) else float(leaf), activation)
    with eval_context():  # facts are computed now, whatever is being traced or vmapped around them
        return numbers.facts.kinks or ()


def density(t: Any) -> Any:
    """The density of N(0, 1)."""
    return jnp.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)


def trapezoid(points: int, reach: float) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """Points and weights of the trapezoidal rule for means over N(0, 1), cut at `reach` standard deviations.

    Exact to rounding for smooth functions; at a kink on a point the error is of the order of the squared spacing.
    """
    t = jnp.linspace(-reach, reach, points)
    return t, density(t) * (2 * reach / (points - 1))  # t[1] - t[0] would cancel digits


@functools.lru_cache(maxsize=256)
def _program(treedef: Any, values: tuple, names: tuple[str, ...]) -> tuple[Any, list[np.ndarray], str]:
    """The compiled integrands of (t, mean, deviation), the known kinks, and the name."""
    leaves = [np.frombuffer(b, dtype).reshape(shape).astype(np.float64) for b, shape, dtype in values]
    activation = jax.tree.unflatten(treedef, leaves)

    @jax.jit
    def integrand(t: Array, mean: Array, deviation: Array) -> Array:
        stacked = jnp.stack(_integrands(activation, names, t, mean, deviation), axis=1)
        return stacked * jnp.expand_dims(density(t), tuple(range(1, stacked.ndim)))

    kinks = [np.ravel(np.asarray(k, np.float64)) for k in known_kinks(activation)]
    return integrand, kinks, activation.name


@functools.lru_cache(maxsize=8192)
def _adaptive(
    treedef: Any, values: tuple, names: tuple[str, ...], mean: float, deviation: float
) -> tuple[tuple[Any, ...], float]:
    """The adaptive rule, in float64 and outside of any trace; remembered by the parameters' values."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        program, kinks, name = _program(treedef, values, names)
        t = (np.concatenate([np.zeros(1), *kinks]) - mean) / deviation
        edges = np.unique(np.clip(np.concatenate([np.linspace(-REACH, REACH, 33), t]), -REACH, REACH))
        integral, error = _integrate(lambda points: program(points, mean, deviation), edges, name)
    return tuple(v if v.ndim else float(v) for v in integral), error


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
    """Each panel's integral and the integral of the absolute value, by Gauss-Legendre; shape (panels, means, ...)."""
    half, middle = (right - left) / 2, (right + left) / 2
    points = (middle[:, None] + half[:, None] * NODES).ravel()
    padded = np.concatenate([points, np.zeros(-len(points) % CHUNK)]).reshape(-1, CHUNK)
    values = np.concatenate([np.asarray(integrand(chunk)) for chunk in padded])[: len(points)]
    if values.dtype != np.float64:
        raise QuadratureError(f"the activation computes in {values.dtype} where float64 was given")
    values = values.reshape(len(half), len(NODES), *values.shape[1:])
    weights = half[:, None] * WEIGHTS
    return np.einsum("pn,pn...->p...", weights, values), np.einsum("pn,pn...->p...", weights, np.abs(values))
