"""Certificates: in which ball around an input the class cannot change.

The last layer's input is bounded by `actlab.bounds` (a box for linf, a Lipschitz constant for l2); the last layer is
taken pair by pair, in float64 with a bound of every rounding. For linf, linear bounds of the margins can be added.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Float64, Int

from actlab.activations import Interval
from actlab.bounds import interval_bounds, linear_bounds, margins, network
from actlab.nets import Chain, logits_by_products
from actlab.nets.form import Form, parted
from actlab.systems.robustness.attack import NORMS, Norm, margin
from actlab.systems.robustness.segments import features_lipschitz, net_lipschitz, segments

Bounds = Literal["interval", "linear"]
BOUNDS: tuple[str, ...] = ("interval", "linear")
ROWS = 1000
"""Inputs bounded at once by intervals."""
FEW = 10
"""Inputs bounded at once by linear bounds."""
HALVINGS = 6
"""Of the search for the largest certified linf radius of an input, between two of the given radii."""
UNIT = 2.0**-52
"""Twice float64's unit of rounding."""


@dataclass(frozen=True)
class Certified:
    """What is certified of a net on labelled inputs.

    Attributes:
        holds: whether no input in the ball of each radius, within [0, 1], has another class; (inputs, radii).
        radius: a certified radius of each input; 0 where the class is wrong or nothing is certified.
        margin: the net's margin at each input itself: its logit of the class less the largest other.
        lipschitz: a bound of the whole net's Lipschitz constant in the norm.
    """

    holds: Bool[np.ndarray, "inputs radii"]
    radius: Float64[np.ndarray, " inputs"]
    margin: Float64[np.ndarray, " inputs"]
    lipschitz: float

    @property
    def accuracy(self) -> Float64[np.ndarray, " radii"]:
        """The certified accuracy at each radius."""
        return self.holds.mean(axis=0)

    @property
    def clean(self) -> float:
        """The share of inputs that the net classifies right."""
        return float(np.mean(self.margin > 0))

    @property
    def mean_radius(self) -> float:
        """The mean certified radius over all inputs, wrong ones counted as 0: the area under the certified accuracy.

        Source: Zhai et al. 2020 (MACER), arXiv:2001.02378, section 3 (average certified radius).
        """
        return float(self.radius.mean())


def certified(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    norm: Norm,
    radii: Any,
    bounds: Bounds = "interval",
) -> Certified:
    """Certificates of a net with ordinary layers (`Chain.plain`) in balls of each radius and of the largest.

    linf: bounds of the margins over the box within [0, 1], rounding included; l2: the product of the norms of layers,
    each bounded from above, and of the slopes, for the net in real arithmetic. Each radius of linf is certified by
    itself, the largest by bisection up to twice the largest radius given.

    Args:
        net: the net.
        x: inputs in [0, 1].
        y: their classes.
        norm: "linf" or "l2".
        radii: of the balls, not negative.
        bounds: for linf: "interval" propagation; or "linear" bounds (CROWN) as well, where intervals do not suffice:
            tighter and slower. Not used for l2.

    Raises:
        ValueError: an unknown norm or kind of bounds, or a negative radius.
        FactError: nothing is known of the activation.

    Source: for linf Gowal et al. 2019, arXiv:1810.12715; for l2 Tsuzuku et al. 2018, arXiv:1802.04034.
    """
    radii = np.asarray(radii, np.float64)
    if norm not in NORMS or bounds not in BOUNDS or not np.all(radii >= 0):
        raise ValueError(
            f"certified: norm = {norm!r}, bounds = {bounds!r}, radii = {radii}; norms are {NORMS}, bounds {BOUNDS}, "
            "radii not negative"
        )
    whole = net_lipschitz(net, x.shape[1:], norm)
    now = clean_margins(net, x, y)
    if norm == "l2":
        radius = ball_radii(net, x, y)
        return Certified(radius[:, None] > radii[None, :], radius, now, whole)
    holds = np.stack([box_margins(net, x, y, np.full(len(x), r), bounds) > 0 for r in radii], axis=1)
    radius = _largest(net, x, y, 2.0 * float(radii.max()), holds, radii, bounds)
    return Certified(holds, radius, now, whole)


def box_margins(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    radius: Float64[np.ndarray, " inputs"],
    bounds: Bounds = "interval",
) -> Float64[np.ndarray, " inputs"]:
    """A lower bound of the margin over each input's linf ball within [0, 1]; arguments as for `certified`."""
    away = radius.reshape(-1, *(1,) * (x.ndim - 1))
    below, above = np.maximum(x - away, 0.0), np.minimum(x + away, 1.0)  # in float64, then rounded outward
    lower = np.where(below > 0, np.nextafter(below.astype(np.float32), np.float32(-1)), np.float32(0))
    upper = np.where(above < 1, np.nextafter(above.astype(np.float32), np.float32(2)), np.float32(1))
    least = _least_over_boxes(net, lower, upper, y).min(axis=1)
    if bounds == "linear":  # where intervals do not suffice, and a certificate may exist
        form, weights = parted(net)
        open_ = np.flatnonzero((least <= 0) & (clean_margins(net, x, y) > 0))
        for start in range(0, len(open_), FEW):
            rows = np.resize(open_[start : start + FEW], FEW)  # the last rows filled up: one compiled program
            tighter = _linear_margins(
                form, weights, jnp.asarray(lower[rows]), jnp.asarray(upper[rows]), jnp.asarray(y[rows])
            )
            least[rows] = np.maximum(least[rows], np.asarray(tighter, np.float64))
    return least


def ball_radii(
    net: Chain, x: Float32[np.ndarray, "inputs *shape"], y: Int[np.ndarray, " inputs"]
) -> Float64[np.ndarray, " inputs"]:
    """The largest l2 radius that Lipschitz constants certify: least over j of (z_y - z_j) / (L |w_y - w_j|).

    L bounds everything before the last layer. Never less than the usual margin / (sqrt(2) L |W|).
    """
    lipschitz = features_lipschitz(net, x.shape[1:])
    kernel = np.asarray(net.last_weights[0], np.float64)
    distances = np.linalg.norm(kernel[:, :, None] - kernel[:, None, :], axis=0) * (1 + 1e-12)
    least, apart = _least_over_boxes(net, x, x, y), distances[y]
    ratios = np.where(apart > 0, least / (np.where(apart > 0, apart, 1.0) * lipschitz) * (1 - 1e-12), least)
    same = np.arange(least.shape[1])[None, :] == y[:, None]
    ratios = np.where(same, np.inf, np.where((apart == 0) & (least > 0), np.inf, ratios))
    return np.maximum(ratios.min(axis=1), 0.0)


def clean_margins(
    net: Chain, x: Float32[np.ndarray, "inputs *shape"], y: Int[np.ndarray, " inputs"]
) -> Float64[np.ndarray, " inputs"]:
    """The margins at the inputs themselves, as the net computes them."""
    form, weights = parted(net)
    found = [np.asarray(_margins_now(form, weights, x[p], y[p]), np.float64) for p in parts(len(x))]
    return np.concatenate(found)


def parts(inputs: int) -> list[slice]:
    """So many inputs, `ROWS` at a time."""
    return [slice(start, start + ROWS) for start in range(0, inputs, ROWS)]


@functools.partial(jax.jit, static_argnums=0)
def _margins_now(form: Form, weights: Any, x: Any, y: Any) -> Float[Array, " inputs"]:
    return margin(logits_by_products(form.net(weights), x), y)


@functools.partial(jax.jit, static_argnums=0)
def _linear_margins(form: Form, weights: Any, lower: Array, upper: Array, y: Array) -> Float[Array, " inputs"]:
    net = form.net(weights)
    graph = network(net, lower.shape[1:], lower.dtype)
    classes = net.last_weights[1].shape[0]

    def least(a: Array, b: Array, label: Array) -> Array:
        rows = margins(label, classes)
        return jnp.min(linear_bounds(graph, Interval(a, b), specification=rows).lower)

    return jax.vmap(least)(lower, upper, y)


@functools.partial(jax.jit, static_argnums=0)
def _feature_box(form: Form, weights: Any, lower: Array, upper: Array) -> Interval:
    """Bounds of the last layer's input; a sort, which is exact and monotone in every entry, acts on the ends."""
    box = Interval(lower, upper)
    for run, sort in segments(list(form.net(weights).layers)[:-1]):
        if run is not None:
            graph = network(run, box.lower.shape[1:], box.lower.dtype)
            box = jax.vmap(lambda a, b, g=graph: interval_bounds(g, Interval(a, b)))(box.lower, box.upper)
        if sort is not None:
            box = Interval(sort(box.lower), sort(box.upper))
    return box


def _least_over_boxes(
    net: Chain,
    lower: Float32[np.ndarray, "inputs *shape"],
    upper: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
) -> Float64[np.ndarray, "inputs classes"]:
    """Lower bounds of logit y - logit j over boxes of inputs; infinite for j = y."""
    form, weights = parted(net)
    found = []
    for part in parts(len(y)):
        box = _feature_box(form, weights, jnp.asarray(lower[part]), jnp.asarray(upper[part]))
        found.append(_least_margin(net, np.asarray(box.lower), np.asarray(box.upper), y[part]))
    return np.concatenate(found)


def _least_margin(
    net: Chain, lower: np.ndarray, upper: np.ndarray, y: Int[np.ndarray, " inputs"]
) -> Float64[np.ndarray, "inputs classes"]:
    """Lower bounds of logit y - logit j over boxes of features; infinite for j = y.

    In float64: float32 ends and weights are exact there, and a sum of n products, each with a rounded factor, errs by
    at most (n + 4) units of its absolute terms.
    """
    kernel, bias = (np.asarray(v, np.float64) for v in net.last_weights)
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
    net: Chain, x: np.ndarray, y: np.ndarray, most: float, holds: np.ndarray, radii: np.ndarray, bounds: Bounds
) -> Float64[np.ndarray, " inputs"]:
    """A certified linf radius of each input, by bisection: every one returned has been certified itself."""
    sure = np.max(np.where(holds, radii[None, :], 0.0), axis=1)
    # Between the largest radius that holds and the next that does not.
    failed = np.where(~holds & (radii[None, :] > sure[:, None]), radii[None, :], most).min(axis=1)
    for _ in range(HALVINGS if math.isfinite(most) and most > 0 else 0):
        try_ = (sure + failed) / 2
        ok = box_margins(net, x, y, try_, bounds) > 0
        sure, failed = np.where(ok, try_, sure), np.where(ok, failed, try_)
    return sure
