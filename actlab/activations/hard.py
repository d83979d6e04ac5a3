"""Hard functions: piecewise linear or quadratic, with a flat part or a gap. Slope at a kink: said where it matters."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.facts import Facts
from actlab.activations.interval import REALS, UNIT, ZERO, Interval, namespace, plain

SIXTH = Interval(0.0, 0.16666666666666669)


def _inside(x: Array, lower: Any, upper: Any) -> Array:
    return ((x > lower) & (x < upper)).astype(x.dtype)


@activation(
    family="hard",
    slope=lambda x: _inside(x, 0, 6),
    facts=Facts(Interval(0.0, 6.0), UNIT, ZERO, (0.0, 6.0), 0, "nondecreasing"),
    source="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10, section 2",
)
def relu6(x: Array) -> Array:
    """min(max(x, 0), 6); slope 0 at both kinks."""
    return jnp.clip(x, 0, 6)


@activation(
    family="hard",
    slope=lambda x, upper: _inside(x, 0, upper),
    domains={"upper": POSITIVE},
    facts=lambda upper: Facts(Interval(0.0, upper), UNIT, ZERO, (0.0, upper), 0, "nondecreasing"),
    source="keras.activations.relu with max_value",
)
def bounded_relu(x: Array, upper: Array | float = 1.0) -> Array:
    """min(max(x, 0), upper); slope 0 at both kinks."""
    return jnp.clip(x, 0, upper)


@activation(
    family="hard",
    slope=lambda x, lower, upper: _inside(x, lower, upper),
    facts=lambda lower, upper: Facts(_between(lower, upper), UNIT, ZERO, (lower, upper), 0, "nondecreasing"),
    source="Collobert 2004, Large scale machine learning, section 5.2; bounds as torch's min_val, max_val",
)
def hard_tanh(x: Array, lower: Array | float = -1.0, upper: Array | float = 1.0) -> Array:
    """min(max(x, lower), upper); slope 0 at both kinks, where jax has 1 and torch 0."""
    return jnp.clip(x, lower, upper)


def _between(lower: Any, upper: Any) -> Interval:
    """The values of clip; it is constant, `upper`, where the ends are crossed."""
    return Interval(plain(namespace(lower, upper).minimum(lower, upper)), upper)


@activation(
    family="hard",
    slope=lambda x: _inside(x, -3, 3) / 6,
    facts=Facts(UNIT, SIXTH, ZERO, (-3.0, 3.0), 0, "nondecreasing"),  # 1/6
    source="Courbariaux et al. 2015, arXiv:1511.00363, eq. 3, with today's slope 1/6 of torch, jax and keras 3",
)
def hard_sigmoid(x: Array) -> Array:
    """x/6 + 1/2 clipped to [0, 1]. The paper and older Keras have x/2 + 1/2 and x/5 + 1/2."""
    return jnp.clip(x + 3, 0, 6) / 6


@activation(
    family="hard",
    slope=lambda x: jnp.where(x >= 3, 1, jnp.where(x > -3, x / 3 + 0.5, 0)),
    curvature=lambda x: _inside(x, -3, 3) / 3,
    facts=Facts(
        Interval(-0.375, math.inf),
        Interval(-0.5, 1.5),
        Interval(0.0, 0.33333333333333337),  # 1/3
        (-3.0, 3.0),
        0,
        "none",
    ),
    source="Howard et al. 2019, arXiv:1905.02244, section 5.2",
)
def hard_swish(x: Array) -> Array:
    """f(x) = x * hard_sigmoid(x), also called hard_silu; slope 0 at -3 and 1 at 3."""
    return x * (jnp.clip(x + 3, 0, 6) / 6)


@activation(
    family="hard",
    slope=lambda x: jnp.where(x >= 0, 1, jnp.where(x > -2, x + 1, 0)),
    curvature=lambda x: _inside(x, -2, 0),
    facts=Facts(Interval(-0.5, math.inf), Interval(-1.0, 1.0), UNIT, (-2.0, 0.0), 0, "none"),
    source="timm.layers.hard_mish, after Misra 2019, arXiv:1908.08681",
)
def hard_mish(x: Array) -> Array:
    """x/2 * min(max(x + 2, 0), 2); slope 0 at -2."""
    return x * (jnp.clip(x + 2, 0, 2) * 0.5)


@activation(
    family="hard",
    slope=lambda x, threshold: (jnp.abs(x) > threshold).astype(x.dtype),
    domains={"threshold": POSITIVE},
    facts=lambda threshold: Facts(REALS, UNIT, ZERO, (-threshold, threshold), -1, "nondecreasing"),
    source="Donoho & Johnstone 1994, Biometrika 81(3), eq. 4; torch.nn.Hardshrink",
)
def hard_shrink(x: Array, threshold: Array | float = 0.5) -> Array:
    """f(x) = x where |x| > threshold, 0 elsewhere: jumps at both ends of the gap."""
    return jnp.where(jnp.abs(x) > threshold, x, 0)


@activation(
    family="hard",
    slope=lambda x, threshold: (jnp.abs(x) > threshold).astype(x.dtype),
    domains={"threshold": POSITIVE},
    facts=lambda threshold: Facts(REALS, UNIT, ZERO, (-threshold, threshold), 0, "nondecreasing"),
    source="Donoho & Johnstone 1994, Biometrika 81(3), eq. 5; torch.nn.Softshrink",
)
def soft_shrink(x: Array, threshold: Array | float = 0.5) -> Array:
    """sign(x) * max(|x| - threshold, 0); slope 0 at both kinks."""
    return x - jnp.clip(x, -threshold, threshold)


@activation(
    family="hard",
    slope=lambda x: 0.5 * _inside(x, -1, 1),
    facts=Facts(UNIT, Interval(0.0, 0.5), ZERO, (-1.0, 1.0), 0, "nondecreasing"),
    source="Martins & Astudillo 2016, arXiv:1602.02068; jax.nn.sparse_sigmoid, keras.activations.sparse_sigmoid",
)
def sparse_sigmoid(x: Array) -> Array:
    """(x + 1)/2 clipped to [0, 1]: sparsemax of (x, 0)."""
    return 0.5 * jnp.clip(x + 1, 0, 2)
