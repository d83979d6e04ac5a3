"""Certificates: in which ball around an input the class cannot change, rounding included; and the attacks beside them.

The last layer's input is bounded by `actlab.bounds` (a box for linf, a Lipschitz constant for l2); the last layer is
taken pair by pair, in float64 with a bound of every rounding.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Float64, Int, Key

from actlab.activations import Interval
from actlab.bounds import interval_bounds, lipschitz_bound, network
from actlab.nets import Chain, logits_by_products
from actlab.systems.robustness.attack import NORMS, Attack, Norm, attacked, margin

ROWS = 1000
"""Inputs bounded at once."""
HALVINGS = 10
"""Of the search for the largest certified linf radius of an input."""
UNIT = 2.0**-52
"""Twice float64's unit of rounding."""


@dataclass(frozen=True)
class Certified:
    """What is certified of a net on labelled inputs.

    Attributes:
        holds: whether no input in the ball of each radius, within [0, 1], has another class; (inputs, radii).
        radius: a certified radius of each input; 0 where the class is wrong or nothing is certified.
        clean: the share of inputs that the net classifies right.
        lipschitz: a bound of the whole net's Lipschitz constant in the norm.
    """

    holds: Bool[np.ndarray, "inputs radii"]
    radius: Float64[np.ndarray, " inputs"]
    clean: float
    lipschitz: float

    @property
    def accuracy(self) -> Float64[np.ndarray, " radii"]:
        """The certified accuracy at each radius."""
        return self.holds.mean(axis=0)

    @property
    def mean_radius(self) -> float:
        """The mean certified radius over all inputs, wrong ones counted as 0: the area under the certified accuracy.

        Source: Zhai et al. 2020 (MACER), arXiv:2001.02378, section 3 (average certified radius).
        """
        return float(self.radius.mean())


def certified(
    net: Chain, x: Float32[np.ndarray, "inputs *shape"], y: Int[np.ndarray, " inputs"], norm: Norm, radii: Any
) -> Certified:
    """Certificates of a net with ordinary layers (`Chain.plain`) in balls of each radius and of the largest.

    linf: interval propagation; l2: the product of the layers' norms, each bounded from above, and of the activations'
    slopes. Each radius of linf is certified by itself, the largest by bisection up to twice the largest radius given.

    Args:
        net: the net.
        x: inputs in [0, 1].
        y: their classes.
        norm: "linf" or "l2".
        radii: of the balls, not negative.

    Raises:
        ValueError: an unknown norm or a negative radius.
        FactError: nothing is known of the activation.

    Source: for linf Gowal et al. 2019, arXiv:1810.12715; for l2 Tsuzuku et al. 2018, arXiv:1802.04034.
    """
    radii = np.asarray(radii, np.float64)
    if norm not in NORMS or np.any(radii < 0):
        raise ValueError(f"certified: norm = {norm!r}, radii = {radii}; norms are {NORMS}, radii not negative")
    whole = float(lipschitz_bound(network(net, x.shape[1:]), norm))
    clean = float(np.mean(np.asarray(_margins_now(net, x, y)) > 0))
    if norm == "l2":
        radius = ball_radii(net, x, y)
        return Certified(radius[:, None] > radii[None, :], radius, clean, whole)
    holds = np.stack([box_margins(net, x, y, np.full(len(x), r)) > 0 for r in radii], axis=1)
    radius = _largest(net, x, y, 2.0 * float(radii.max()), holds, radii)
    return Certified(holds, radius, clean, whole)


def box_margins(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    radius: Float64[np.ndarray, " inputs"],
) -> Float64[np.ndarray, " inputs"]:
    """A lower bound of the margin over each input's linf ball within [0, 1], by interval propagation."""
    away = radius.reshape(-1, *(1,) * (x.ndim - 1))
    below, above = np.maximum(x - away, 0.0), np.minimum(x + away, 1.0)  # in float64, then rounded outward
    lower = np.where(below > 0, np.nextafter(below.astype(np.float32), np.float32(-1)), np.float32(0))
    upper = np.where(above < 1, np.nextafter(above.astype(np.float32), np.float32(2)), np.float32(1))
    found = []
    for start in range(0, len(x), ROWS):
        part = slice(start, start + ROWS)
        box = _feature_box(net, jnp.asarray(lower[part]), jnp.asarray(upper[part]))
        found.append(_least_margin(net, np.asarray(box.lower), np.asarray(box.upper), y[part]).min(axis=1))
    return np.concatenate(found)


def ball_radii(
    net: Chain, x: Float32[np.ndarray, "inputs *shape"], y: Int[np.ndarray, " inputs"]
) -> Float64[np.ndarray, " inputs"]:
    """The largest l2 radius that Lipschitz constants certify: least over j of (z_y - z_j) / (L |w_y - w_j|).

    L bounds everything before the last layer. Never less than the usual margin / (sqrt(2) L |W|).
    """
    lipschitz = float(lipschitz_bound(network(net.features, x.shape[1:]), "l2")) * (1 + 1e-6)
    kernel = np.asarray(net.last.kernel[...], np.float64)
    distances = np.linalg.norm(kernel[:, :, None] - kernel[:, None, :], axis=0) * (1 + 1e-12)
    found = []
    for start in range(0, len(x), ROWS):
        part = slice(start, start + ROWS)
        box = _feature_box(net, jnp.asarray(x[part]), jnp.asarray(x[part]))
        margins = _least_margin(net, np.asarray(box.lower), np.asarray(box.upper), y[part])
        apart = distances[y[part]]
        ratios = np.where(apart > 0, margins / (np.where(apart > 0, apart, 1.0) * lipschitz) * (1 - 1e-12), margins)
        same = np.arange(margins.shape[1])[None, :] == y[part][:, None]
        ratios = np.where(same, np.inf, np.where((apart == 0) & (margins > 0), np.inf, ratios))
        found.append(np.maximum(ratios.min(axis=1), 0.0))
    return np.concatenate(found)


def attacked_accuracy(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    norm: Norm,
    radii: Any,
    key: Key[Array, ""],
    attack: Attack = Attack(),
) -> Float64[np.ndarray, " radii"]:
    """The share of inputs that the attack leaves right, at each radius."""
    return spared(net, x, y, norm, radii, key, attack).mean(axis=0)


def spared(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    norm: Norm,
    radii: Any,
    key: Key[Array, ""],
    attack: Attack = Attack(),
) -> Bool[np.ndarray, "inputs radii"]:
    """Which inputs stay right under attack in each ball; one that falls in a smaller ball has fallen in larger ones."""
    columns, standing = [], np.ones(len(x), bool)
    for order, radius in sorted(enumerate(np.asarray(radii, float)), key=lambda pair: pair[1]):
        broken = []
        for start in range(0, len(x), ROWS):
            part = slice(start, start + ROWS)
            use = jax.random.fold_in(jax.random.fold_in(key, order), start)
            if radius == 0:
                broken.append(np.asarray(_margins_now(net, x[part], y[part])) <= 0)
            else:
                broken.append(np.asarray(_broken(net, x[part], y[part], radius, use, norm, attack)))
        standing = standing & ~np.concatenate(broken)
        columns.append((order, standing))
    return np.stack([column for _, column in sorted(columns, key=lambda pair: pair[0])], axis=1)


@functools.partial(jax.jit, static_argnames=("norm", "attack"))
def _broken(net: Chain, x: Any, y: Any, radius: Any, key: Any, norm: Norm, attack: Attack) -> Array:
    radius = jnp.asarray(radius, jnp.float32)
    return attacked(lambda v: logits_by_products(net, v), x, y, radius, norm, key, attack)[1]


@jax.jit
def _margins_now(net: Chain, x: Any, y: Any) -> Float[Array, " inputs"]:
    return margin(logits_by_products(net, x), y)


@jax.jit
def _feature_box(net: Chain, lower: Array, upper: Array) -> Interval:
    graph = network(net.features, lower.shape[1:], lower.dtype)
    return jax.vmap(lambda a, b: interval_bounds(graph, Interval(a, b)))(lower, upper)


def _least_margin(
    net: Chain, lower: np.ndarray, upper: np.ndarray, y: Int[np.ndarray, " inputs"]
) -> Float64[np.ndarray, "inputs classes"]:
    """Lower bounds of logit y - logit j over boxes of features; infinite for j = y.

    In float64: float32 ends and weights are exact there, and a sum of n products, each with a rounded factor, errs by
    at most (n + 4) units of its absolute terms.
    """
    kernel, bias = (np.asarray(v[...], np.float64) for v in (net.last.kernel, net.last.bias))
    middle, half = (lower.astype(np.float64) + upper) / 2, (upper.astype(np.float64) - lower) / 2
    result = np.empty((len(y), kernel.shape[1]))
    for label in np.unique(y):
        rows = y == label
        weights = kernel[:, [label]] - kernel
        offset = bias[label] - bias
        size = np.abs(weights)
        slack = (len(weights) + 4) * UNIT * ((np.abs(middle[rows]) + half[rows]) @ size + np.abs(offset)[None, :])
        result[rows] = middle[rows] @ weights + offset[None, :] - half[rows] @ size - 2 * slack
        result[rows, label] = np.inf
    return result


def _largest(
    net: Chain, x: np.ndarray, y: np.ndarray, most: float, holds: np.ndarray, radii: np.ndarray
) -> Float64[np.ndarray, " inputs"]:
    """A certified linf radius of each input, by bisection: every one returned has been certified itself."""
    sure = np.max(np.where(holds, radii[None, :], 0.0), axis=1)
    open_ = np.full(len(x), most)
    if most == 0 or not math.isfinite(most):
        return sure
    for _ in range(HALVINGS):
        try_ = (sure + open_) / 2
        ok = box_margins(net, x, y, try_) > 0
        sure, open_ = np.where(ok, try_, sure), np.where(ok, open_, try_)
    return sure
