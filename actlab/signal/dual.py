"""The dual activation: E[f(u) f(v)] of two correlated Gaussians, and that of f', by quadrature split at kinks."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from actlab.activations import Activation
from actlab.signal.quadrature import QuadratureError, density, gaussian_means, known_kinks, panel_rule

REACH = 9.5
"""Both independent coordinates are cut here: what lies beyond has probability 2e-21, far below float64's precision."""
NODES, COARSE = 20, 14
"""Gauss-Legendre nodes of a panel, and those of the coarser rule that the error is estimated by."""
LAYER = (0.25, 0.75, 1.5, 2.5, 4.0, 6.0, 8.5)
"""Panel ends on both sides of a kink, in widths of the layer that the other coordinate smooths it over."""
PANEL = 1.25
"""Widest panel, in standard deviations and in units of the activation's input."""


class Dual(NamedTuple):
    """E[f(u) f(v)] and E[f'(u) f'(v)], arrays of one shape."""

    value: Any
    slope: Any


def dual(
    activation: Activation, first: Any, second: Any, correlation: Any, *, panels: int = 16, tolerance: float = 1e-9
) -> Dual:
    """The dual activation at u ~ N(0, first), v ~ N(0, second) with the given correlation.

    Where the two coincide (correlation 1 and equal variances) both are one-dimensional moments; elsewhere the plane
    is turned so that u and v are sum and difference of independent coordinates, and each panel ends at the lines on
    which f or f' jumps. Concrete arguments are computed in float64 and checked by a coarser rule; traced ones, inside
    jit, in the working precision with a fixed number of panels, and only there differentiable, by

        d E[f(u) f(v)] / d correlation = sqrt(first second) E[f'(u) f'(v)]   (Price 1958),

    finite at correlation 1. All three broadcast.

    Args:
        activation: scalar activation with number parameters, its kinks known.
        first: variance of u, positive.
        second: variance of v, positive.
        correlation: in [-1, 1].
        panels: across each coordinate, for traced arguments; concrete ones choose by the variances.
        tolerance: the estimated error, relative to sqrt(E[f(u)^2] E[f(v)^2]) and the same of f', above which to raise.

    Raises:
        ValueError: a variance that is not positive, or a correlation outside [-1, 1].
        QuadratureError: the estimated error is above the tolerance (an unknown kink, or a very fast activation).

    Source: Daniely, Frostig & Singer 2016, "Toward deeper understanding of neural networks", definition 4.
    """
    arguments = (first, second, correlation)
    if any(isinstance(leaf, Tracer) for leaf in (*jax.tree.leaves(activation), *arguments)):
        p, q, c = jnp.broadcast_arrays(*(jnp.asarray(a, float) for a in arguments))
        return _smooth_in_correlation(activation, known_kinks(activation), p, q, c, panels)
    p, q, c = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in arguments))
    if not (np.all(p > 0) and np.all(q > 0) and np.all(np.isfinite(p + q))):
        raise ValueError(f"dual: variances must be positive and finite, got {first} and {second}")
    if not np.all(np.abs(c) <= 1):
        raise ValueError(f"dual: correlation = {correlation} must lie in [-1, 1]")
    return _checked(activation, p, q, c, tolerance)


def _checked(activation: Activation, p: np.ndarray, q: np.ndarray, c: np.ndarray, tolerance: float) -> Dual:
    """In float64, with the coincident pairs by one-dimensional moments."""
    wanted = 2 * REACH * math.sqrt(max(p.max(initial=0), q.max(initial=0))) / PANEL
    panels = 16 * 2 ** max(0, math.ceil(math.log2(max(wanted, 1.0) / 16)))  # few sizes, few programs
    same = (c == 1) & (p == q)
    value, slope = np.zeros(c.shape), np.zeros(c.shape)
    for variance in np.unique(p[same]):
        found = gaussian_means(activation, ("second", "slope_second"), 0.0, math.sqrt(variance))
        value[same & (p == variance)], slope[same & (p == variance)] = found
    if not same.all():
        with jax.enable_x64(True), jax.ensure_compile_time_eval():
            rest = [jnp.asarray(a[~same]) for a in (p, q, c)]
            kinks = tuple(np.asarray(k, np.float64) for k in known_kinks(activation))
            fine, coarse = (_pairs(_to_float64(activation), kinks, *rest, panels, nodes) for nodes in (NODES, COARSE))
            scale = [_size(activation, p[~same], q[~same], name) for name in ("second", "slope_second")]
        fine, coarse = (tuple(np.asarray(v) for v in pair) for pair in (fine, coarse))
        value[~same], slope[~same] = fine
        error = max(float(np.max(np.abs(a - b) / s)) for a, b, s in zip(fine, coarse, scale, strict=True))
        if not error <= tolerance:
            raise QuadratureError(
                f"{activation.name}: its dual activation reached a relative error of {error:.1e}, not {tolerance:.1e}"
            )
    return Dual(value[()], slope[()])


def _size(activation: Activation, p: np.ndarray, q: np.ndarray, name: str) -> np.ndarray:
    found = {v: gaussian_means(activation, (name,), 0.0, math.sqrt(v))[0] for v in np.unique(np.concatenate([p, q]))}
    return np.maximum([math.sqrt(found[a] * found[b]) for a, b in zip(p, q, strict=True)], 1e-300)


def _to_float64(activation: Activation) -> Activation:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), activation)


@functools.partial(jax.jit, static_argnums=(5, 6))
def _pairs(activation: Activation, kinks: Any, p: Array, q: Array, c: Array, panels: int, nodes: int) -> Dual:
    return jax.lax.map(lambda pqc: _pair(activation, kinks, pqc[0], pqc[1], pqc[2], panels, nodes), (p, q, c))


@functools.partial(jax.custom_jvp, nondiff_argnums=(5,))
def _smooth_in_correlation(activation: Activation, kinks: Any, p: Array, q: Array, c: Array, panels: int) -> Dual:
    flat = [a.ravel() for a in (p, q, c)]
    found = jax.lax.map(lambda pqc: _pair(activation, kinks, pqc[0], pqc[1], pqc[2], panels, NODES), tuple(flat))
    return Dual(*(v.reshape(c.shape) for v in found))


@_smooth_in_correlation.defjvp
def _(panels: int, primals: Any, tangents: Any) -> tuple[Dual, Dual]:
    """Price's theorem along the correlation; the rule itself along variances and parameters; f' is not followed."""
    *others, c = primals
    rest = lambda *arguments: _smooth_in_correlation.fun(*arguments, jax.lax.stop_gradient(c), panels)  # noqa: E731
    found, along = jax.jvp(rest, tuple(others), tuple(tangents[:4]))
    p, q = others[2:]
    rest_of_value = along.value + jnp.sqrt(p * q) * found.slope * tangents[4]
    return found, Dual(rest_of_value, along.slope)


def _pair(
    activation: Activation, kinks: tuple[Any, ...], p: Array, q: Array, c: Array, panels: int, nodes: int
) -> Dual:
    """One pair: u = sqrt(p) (a x + b y), v = sqrt(q) (a x - b y), x and y independent, a^2 - b^2 = c, a^2 + b^2 = 1."""
    dtype = c.dtype
    tiny = jnp.finfo(dtype).eps ** 2
    su, sv = jnp.sqrt(p), jnp.sqrt(q)
    a, b = jnp.sqrt(jnp.maximum((1 + c) / 2, tiny)), jnp.sqrt(jnp.maximum((1 - c) / 2, tiny))
    kinks = tuple(jnp.asarray(k, dtype).reshape(()) for k in kinks)
    base = jnp.linspace(-REACH, REACH, panels + 1, dtype=dtype)
    # Lines a x + b y = k / su and a x - b y = k / sv cross at these x; near them the inner integral bends within b / a.
    us, vs = [k / su for k in kinks], [k / sv for k in kinks]
    crossings = [(u + v) / (2 * a) for u, v in itertools.product(us, vs)]
    layers = [w + sign * b / a * d for w in (u / a for u in us + vs) for sign in (-1, 1) for d in LAYER]
    x, wx = _composite([*crossings, *layers], base, nodes)
    inner = functools.partial(_inner, activation, su=su, sv=sv, a=a, b=b, us=us, vs=vs, base=base, nodes=nodes)
    value, slope = jax.lax.map(inner, x, batch_size=32)
    return Dual(jnp.dot(wx, value), jnp.dot(wx, slope))


def _inner(
    activation: Activation,
    x: Array,
    *,
    su: Array,
    sv: Array,
    a: Array,
    b: Array,
    us: list[Array],
    vs: list[Array],
    base: Array,
    nodes: int,
) -> tuple[Array, Array]:
    """The integral over y at one x, split where u or v passes a kink."""
    ends = [(u - a * x) / b for u in us] + [(a * x - v) / b for v in vs]
    y, wy = _composite(ends, base, nodes)
    u, v = su * (a * x + b * y), sv * (a * x - b * y)
    return jnp.dot(wy, activation(u) * activation(v)), jnp.dot(wy, activation.slope(u) * activation.slope(v))


def _composite(ends: list[Array], base: Array, nodes: int) -> tuple[Array, Array]:
    """Gauss-Legendre points and weights, density included, of the panels between all ends."""
    inside = jnp.clip(jnp.stack(ends), -REACH, REACH) if ends else jnp.zeros((0,), base.dtype)
    t, w = panel_rule(jnp.sort(jnp.concatenate([base, inside])), *np.polynomial.legendre.leggauss(nodes))
    return t, w * density(t)
