"""The rates at which the gates of Hodgkin and Huxley's kind open and close."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from actlab.activations.horner import polynomial
from actlab.systems.neurons.conductance import Gate

NEAR, TERMS = 0.75, 24
"""Below this |x| `linoid` is its power series in Bernoulli numbers; terms beyond x^24 are below 1e-23 there."""


def linoid(x: Any) -> Any:
    """The linoid x / (1 - exp(-x)), and 1 at 0: a rate that is linear far above threshold and vanishes far below.

    Positive and increasing. Value and derivatives are closed forms, exact to rounding of their terms, and
    series about 0, where those are 0/0: so that bounds of them, too, are finite and tight over small boxes.
    """
    return _linoid(0, jnp.asarray(x))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _linoid(order: int, x: Array) -> Array:
    """The derivative of this order: x g^(k) + k g^(k-1) of g = 1/(1 - exp(-x)), a polynomial in g as g' = g - g^2."""
    away = jnp.where(x == 0, jnp.ones_like(x), x)
    g = -1 / jnp.expm1(-away)
    far = away * polynomial(_powers_of_g(order), g)
    if order:
        far = far + order * polynomial(_powers_of_g(order - 1), g)
    coefficients, square = _series(order), x * x  # no odd power beyond the first, no even one of an odd derivative
    even, odd = (np.trim_zeros(coefficients[k::2], "b") for k in (0, 1))
    near = polynomial(even, square) + x * polynomial(odd, square)
    return jnp.where(jnp.abs(x) < NEAR, near, far)


@_linoid.defjvp
def _linoid_jvp(order: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return _linoid(order, *primals), _linoid(order + 1, *primals) * tangents[0]


@functools.cache
def _powers_of_g(order: int) -> tuple[float, ...]:
    """The derivative of g as a polynomial in g."""
    found = np.polynomial.Polynomial([0.0, 1.0])
    for _ in range(order):
        found = found.deriv() * np.polynomial.Polynomial([0.0, 1.0, -1.0])
    return tuple(found.coef.tolist())


@functools.cache
def _series(order: int) -> tuple[float, ...]:
    """The derivative's power series: sum of B_n x^n / n!, with B_1 = 1/2."""
    from scipy.special import bernoulli

    numbers = bernoulli(TERMS + 1)
    numbers[1] = 0.5
    coefficients = [b / math.factorial(n) for n, b in enumerate(numbers.tolist())]
    return tuple(np.polynomial.Polynomial(coefficients).deriv(order).coef.tolist())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinoidRate:
    """scale z / (1 - exp(-z)), 1/ms, with z = (V - threshold)/width.

    Attributes:
        scale: 1/ms at the threshold.
        threshold: mV.
        width: mV.
    """

    scale: Any
    threshold: Any
    width: Any

    def __call__(self, voltage: Any) -> Any:
        """1/ms."""
        return self.scale * linoid((voltage - self.threshold) / self.width)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExponentialRate:
    """scale exp(-(V - origin)/width), 1/ms.

    Attributes:
        scale: 1/ms at the origin.
        origin: mV.
        width: mV.
    """

    scale: Any
    origin: Any
    width: Any

    def __call__(self, voltage: Any) -> Any:
        """1/ms."""
        return self.scale * jnp.exp(-(voltage - self.origin) / self.width)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SigmoidRate:
    """scale / (1 + exp(-(V - half)/width)), 1/ms.

    Attributes:
        scale: 1/ms, far above.
        half: mV.
        width: mV.
    """

    scale: Any
    half: Any
    width: Any

    def __call__(self, voltage: Any) -> Any:
        """1/ms."""
        return self.scale * jax.nn.sigmoid((voltage - self.half) / self.width)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class OpenShare:
    """The open fraction at rest, opening / (opening + closing).

    Attributes:
        opening: V in mV -> 1/ms.
        closing: V in mV -> 1/ms.
    """

    opening: Callable[[Any], Any]
    closing: Callable[[Any], Any]

    def __call__(self, voltage: Any) -> Any:
        """In [0, 1]."""
        return 1 / (1 + self.closing(voltage) / self.opening(voltage))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TotalRate:
    """factor (opening + closing), 1/ms.

    Attributes:
        opening: V in mV -> 1/ms.
        closing: V in mV -> 1/ms.
        factor: of temperature.
    """

    opening: Callable[[Any], Any]
    closing: Callable[[Any], Any]
    factor: Any = 1.0

    def __call__(self, voltage: Any) -> Any:
        """1/ms."""
        return self.factor * (self.opening(voltage) + self.closing(voltage))


def gate_of_rates(opening: Callable[[Any], Any], closing: Callable[[Any], Any], *, factor: Any = 1.0) -> Gate:
    """The gate x' = factor (opening(V) (1 - x) - closing(V) x).

    Args:
        opening: V in mV -> 1/ms, positive.
        closing: V in mV -> 1/ms, positive.
        factor: of temperature.
    """
    return Gate(OpenShare(opening, closing), TotalRate(opening, closing, factor))
