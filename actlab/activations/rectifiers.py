"""Rectifiers: piecewise linear or quadratic, and unbounded above. The slope at a kink is that of the left side."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE, Domain
from actlab.activations.facts import SMOOTH, Facts, Monotone, certain
from actlab.activations.interval import HALF_LINE, REALS, SYMMETRIC, UNIT, ZERO, Interval, namespace, plain


def _indicator(condition: Array, x: Array) -> Array:
    """1 where the condition holds, else 0, in the dtype of x."""
    return condition.astype(x.dtype)


@activation(
    family="rectifiers",
    slope=jnp.ones_like,
    facts=Facts(REALS, Interval(1.0, 1.0), ZERO, (), SMOOTH, "strictly increasing", inverse=lambda y: y),
    source="torch.nn.Identity; keras calls it linear",
)
def identity(x: Array) -> Array:
    """f(x) = x."""
    return x


@activation(
    family="rectifiers",
    slope=lambda x: _indicator(x > 0, x),
    facts=Facts(HALF_LINE, UNIT, ZERO, (0.0,), 0, "nondecreasing"),
    source="Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines, section 2",
)
def relu(x: Array) -> Array:
    """max(x, 0)."""
    return jnp.maximum(x, 0)


def _leaky_facts(slope: Any) -> Facts:
    """Those of x for x > 0 and slope*x elsewhere."""
    xp = namespace(slope)
    return Facts(
        range=Interval(plain(xp.where(slope > 0, -math.inf, 0.0)), math.inf),
        slope=Interval(plain(xp.minimum(slope, 1.0)), plain(xp.maximum(slope, 1.0))),
        curvature=ZERO,
        kinks=() if certain(slope == 1) else (0.0,),
        smoothness=SMOOTH if certain(slope == 1) else 0,
        monotone=order_by_left_slope(slope),
        inverse=(lambda y: jnp.where(y > 0, y, y / slope)) if certain(slope > 0) else None,
    )


def order_by_left_slope(slope: Any) -> Monotone:
    """The order of a function that is x for x > 0, and whose slope has this sign elsewhere."""
    if certain(slope > 0):
        return "strictly increasing"
    if certain(slope >= 0):
        return "nondecreasing"
    return "none" if certain(slope < 0) else "unknown"


@activation(
    family="rectifiers",
    slope=lambda x, negative_slope: jnp.where(x > 0, 1, negative_slope),
    facts=lambda negative_slope: _leaky_facts(negative_slope),
    source="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models, section 2",
)
def leaky_relu(x: Array, negative_slope: Array | float = 0.01) -> Array:
    """f(x) = x for x > 0, negative_slope*x elsewhere. The default is that of torch and jax; keras has 0.2."""
    return jnp.where(x > 0, x, negative_slope * x)


@activation(
    family="rectifiers",
    slope=lambda x, alpha: jnp.where(x > 0, 1, alpha),
    facts=lambda alpha: _leaky_facts(alpha),
    source="He et al. 2015, arXiv:1502.01852, eq. 1",
)
def prelu(x: Array, alpha: Array | float = 0.25) -> Array:
    """f(x) = x for x > 0, alpha*x elsewhere; alpha is trained, one number or one for each channel (the last axis)."""
    return jnp.where(x > 0, x, alpha * x)


@activation(
    family="rectifiers",
    slope=lambda x, lower, upper: jnp.where(x > 0, 1, 0.5 * lower + 0.5 * upper),
    facts=lambda lower, upper: _rrelu_facts(0.5 * lower + 0.5 * upper),
    source="Xu et al. 2015, arXiv:1505.00853, section 2.4",
)
def rrelu(x: Array, lower: Array | float = 1 / 8, upper: Array | float = 1 / 3) -> Array:
    """Randomized leaky ReLU as at inference: the negative slope is the mean of U(lower, upper). Training draws it."""
    return jnp.where(x > 0, x, (0.5 * lower + 0.5 * upper) * x)


def _rrelu_facts(mean: Any) -> Facts:
    xp = namespace(mean)
    slope = Interval(plain(xp.minimum(mean, 1.0)), plain(xp.maximum(mean, 1.0)))
    return _leaky_facts(mean).replace(slope=slope.rounded(1))


@activation(
    family="rectifiers",
    slope=lambda x, displacement: _indicator(x > -displacement, x),
    facts=lambda displacement: Facts(
        Interval(-displacement, math.inf), UNIT, ZERO, (-displacement,), 0, "nondecreasing"
    ),
    source="Macedo et al. 2019, Expert Systems with Applications 124, eq. 3",
)
def displaced_relu(x: Array, displacement: Array | float = 1.0) -> Array:
    """max(x, -displacement)."""
    return jnp.maximum(x, -displacement)


@activation(
    family="rectifiers",
    slope=lambda x, threshold, value: _indicator(x > threshold, x) + 0 * value,
    facts=lambda threshold, value: _threshold_facts(threshold, value),
    source="torch.nn.Threshold, keras.activations.threshold",
)
def threshold(x: Array, threshold: Array | float = 1.0, value: Array | float = 0.0) -> Array:
    """f(x) = x for x > threshold, value elsewhere. torch and keras have no defaults; these are a thresholded ReLU's."""
    return jnp.where(x > threshold, x, value)


def _threshold_facts(threshold: Any, value: Any) -> Facts:
    xp = namespace(threshold, value)
    return Facts(
        range=Interval(plain(xp.minimum(threshold, value)), math.inf),
        slope=UNIT,
        curvature=ZERO,
        kinks=(threshold,),
        smoothness=0 if certain(threshold == value) else -1,
        monotone="nondecreasing"
        if certain(value <= threshold)
        else "none"
        if certain(value > threshold)
        else "unknown",
    )


@activation(
    family="rectifiers",
    slope=lambda x: 2 * jnp.maximum(x, 0),
    curvature=lambda x: 2 * _indicator(x > 0, x),
    facts=Facts(HALF_LINE, HALF_LINE, Interval(0.0, 2.0), (0.0,), 1, "nondecreasing"),
    source="So et al. 2021, arXiv:2109.08668, section 3.2",
)
def squared_relu(x: Array) -> Array:
    """max(x, 0)^2; overflows for x above the square root of the largest number."""
    return jnp.square(jnp.maximum(x, 0))


@activation(
    family="rectifiers",
    slope=jnp.sign,
    curvature=jnp.zeros_like,
    facts=Facts(HALF_LINE, SYMMETRIC, ZERO, (0.0,), 0, "none"),
    source="Karnewar 2018, arXiv:1811.04661, eq. 1",
)
def absolute(x: Array) -> Array:
    """|x|; slope 0 at 0."""
    return jnp.abs(x)


@activation(
    family="rectifiers",
    slope=lambda x: jnp.clip(0.5 + 0.5 * x, 0, 1),
    curvature=lambda x: 0.5 * _indicator(jnp.abs(x) < 1, x),
    facts=Facts(HALF_LINE, UNIT, Interval(0.0, 0.5), (-1.0, 1.0), 1, "nondecreasing"),
    source="Martins & Astudillo 2016, arXiv:1602.02068; jax.nn.sparse_plus, keras.activations.sparse_plus",
)
def sparse_plus(x: Array) -> Array:
    """0 below -1, (x + 1)^2/4 up to 1, then x: the integral of `sparse_sigmoid`."""
    return jnp.where(x >= 1, x, jnp.square(jnp.clip(x, -1, 1) + 1) * 0.25)


@activation(
    family="rectifiers",
    slope=lambda x, alpha, c: jnp.where((x >= -c) & (x <= c), 1, alpha),
    domains={"alpha": Domain(0.0, 1.0), "c": POSITIVE},
    facts=lambda alpha, c: Facts(
        REALS,
        Interval(alpha, 1.0),
        ZERO,
        (-c, c),
        0,
        "strictly increasing",
        inverse=lambda y: jnp.where(jnp.abs(y) <= c, y, jnp.sign(y) * ((jnp.abs(y) - c) / alpha + c)),
    ),
    source="Nicolae 2018, arXiv:1809.09534, eq. 1",
)
def plu(x: Array, alpha: Array | float = 0.1, c: Array | float = 1.0) -> Array:
    """Piecewise linear unit: x between -c and c, with slope alpha outside."""
    return jnp.clip(x, -c, c) + alpha * (x - jnp.clip(x, -c, c))
