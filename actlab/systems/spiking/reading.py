"""Any sigmoid-like activation as a surrogate: its slope, scaled, in place of the spike's derivative."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation, Facts, Interval
from actlab.activations.transition import ends, reached
from actlab.systems.spiking.surrogates import ALIASES, SHAPES, Shape, ShapeFacts, Surrogate, surrogate

BECAUSE = (
    "a spike's probability rises from 0 to 1 with the potential, and its slope stands in for the step's derivative"
)


def surrogate_of(activation: Any, beta: Any = 10.0) -> Surrogate:
    """The surrogate that an activation makes: h(x) = (b/(high - low)) f'(b x + middle), of area 1.

    `middle` is where f is half-way between its ends, at the threshold, and b is such that the peak is beta/4 as the
    sigmoid's is: equal beta compares equal peaks. tanh, being a scaled sigmoid, gives the sigmoid's surrogate.
    A member of `al.surrogates` is a surrogate already and is taken as it is.

    Area and peak follow from the activation's facts; the integral of h^2, the reach and the tail are measured.

    Raises:
        FactError: the range is not bounded, the slope not bounded, or the activation not known to be monotone.
    """
    if isinstance(activation, Surrogate):
        return replace(activation, beta=beta)
    activation = al.as_activation(activation)
    if activation.family == "surrogates" and ALIASES.get(activation.name, activation.name) in SHAPES:
        return surrogate(activation.name, beta)
    rising = activation.facts.monotone not in ("strictly decreasing", "nonincreasing")
    f = activation if rising else al.negate(activation)
    al.require(f, bounded_range=True, nondecreasing=True, bounded_slope=True, because=BECAUSE)
    return Surrogate(beta, 1.0, _shape_of(f, activation.name))


def _shape_of(f: Activation, name: str) -> Shape:
    low, high = ends(f, BECAUSE)
    half, slope = 0.5 * (low + high), f.facts.slope
    assert slope is not None  # required by the caller
    middle = 0.5 * (reached(f, half) + reached(f, half, passed=True))  # of where it stays half-way
    steepness = 4 * float(slope.upper) / (high - low)

    def density(x: Array, beta: Any) -> Array:
        b = jnp.asarray(beta, x.dtype) / steepness
        return b / (high - low) * f.slope(b * x + middle)

    def step(x: Array, beta: Any) -> Array:
        return (f.evaluate(jnp.asarray(beta, x.dtype) / steepness * x + middle) - low) / (high - low)

    square, reach, tail = _measured(density)

    def facts(beta: Any) -> ShapeFacts:
        return ShapeFacts(1.0, beta / 4, square * beta, reach, math.inf, tail)

    def as_activation(beta: Any) -> Activation:
        known = Facts(range=Interval(0.0, beta / 4), monotone="none", standing=f.facts.standing)
        return al.activation(facts=known, name=name)(lambda x: density(x, beta))

    return Shape(name, density, step, facts, as_activation)


def _measured(density: Any) -> tuple[float, float, float]:
    """Integral of h^2, sup of |x| h(x) and the tail's exponent at beta = 1, in float64."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-10, 34)])
    half = 0.5 * np.diff(edges)[:, None]
    x, w = np.ravel(edges[:-1, None] + half + half * nodes[None]), np.ravel(half * weights[None])
    with jax.enable_x64(True):
        h = np.stack([np.asarray(jax.jit(lambda x: density(x, 1.0))(jnp.asarray(s * x)), np.float64) for s in (1, -1)])
    far = (x > 2.0**20) & (x < 2.0**30)
    tails = [-np.polyfit(np.log(x[far]), np.log(side[far]), 1)[0] if np.all(side[far] > 0) else math.inf for side in h]
    return float(np.sum(w * h**2)), float(np.max(x * h)), float(min(tails))
