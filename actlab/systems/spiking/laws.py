"""What a surrogate's facts predict of gradients: their moments at random potentials, and where the reset explodes.

For a pseudo-derivative h that is narrow against the density p of the potential's distance x from the threshold:
E h -> area p(0), E h^2 -> square p(0), max h = peak. With unit area the mean is independent of beta while the second
moment and the peak grow with it; with unit peak the mean vanishes as 1/beta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from actlab.systems.spiking.lif import LIF
from actlab.systems.spiking.surrogates import ShapeFacts, SpikingError, Surrogate

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class Moments:
    """E h and E h^2 over Gaussian potentials."""

    mean: float
    second: float


def limit_moments(facts: ShapeFacts, density: Any) -> Moments:
    """E h and E h^2 where h is narrow against the density of potentials, which is `density` at the threshold."""
    return Moments(facts.area * density, facts.square * density)


def convergence_order(facts: ShapeFacts) -> float:
    """The power of 1/beta with which E h, over its limit, approaches 1: that of the first moment of h that diverges.

    2 for light tails (the error is that of the density's curvature); p - 1 for a tail |x|^-p of p below 3.
    """
    return min(2.0, facts.tail - 1.0)


def gaussian_moments(surrogate: Surrogate, mean: float = 0.0, deviation: float = 1.0) -> Moments:
    """E h(x) and E h(x)^2 for x ~ N(mean, deviation^2), by quadrature in float64: about 1e-9.

    Raises:
        SpikingError: a deviation that is not positive.
    """
    if not deviation > 0:
        raise SpikingError(f"gaussian_moments: deviation = {deviation} must be positive")
    facts = surrogate.shape_facts
    width = float(min(1.0, facts.support / deviation, 1 / (float(surrogate.beta) * deviation)))
    reach = abs(mean) / deviation + 9.0
    # Panels that double in width from a hundredth of h's own, on either side of the threshold; a support's end is one.
    edges = width * np.concatenate([[0.0], 2.0 ** np.arange(-7, math.ceil(math.log2(reach / width)) + 1)])
    support = float(facts.support) / deviation
    edges = np.unique(np.concatenate([edges, [support]])) if math.isfinite(support) else edges
    edges = np.concatenate([-edges[:0:-1], edges])
    half = 0.5 * np.diff(edges)[:, None]
    x = (edges[:-1, None] + half + half * NODES[None]) * deviation
    weights = half * WEIGHTS[None] * deviation
    density = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    with jax.enable_x64(True):
        h = np.asarray(surrogate.evaluate(jnp.asarray(x)), np.float64)
    return Moments(float(np.sum(weights * density * h)), float(np.sum(weights * density * h**2)))


def largest_factor(neuron: LIF, attached: bool = True) -> Any:
    """A bound A on |d carried / du|, the factor by which one step passes the gradient of the potential on.

    From the surrogate's peak and reach; at most 1: no explosion in time, whatever the potentials. `attached` false: as
    if no gradient passed the reset.
    """
    decay, theta, facts = neuron.decay, neuron.threshold, neuron.surrogate.shape_facts
    kick = neuron.reset_gradient * theta * facts.peak if attached else 0.0
    if neuron.reset == "none":
        return decay
    if neuron.reset == "subtract":
        return jnp.maximum(decay, kick - decay)
    if neuron.reset == "subtract and decay":
        return decay * jnp.maximum(1.0, kick - 1)
    swing = neuron.reset_gradient * facts.reach if attached else 0.0
    return decay * jnp.maximum(1 + swing, kick + swing)


def critical_peak(neuron: LIF) -> Any:
    """The largest peak of h at which the attached reset cannot amplify: (1 + decay)/threshold where it subtracts.

    Raises:
        SpikingError: a reset that does not subtract, whose factor exceeds 1 or not by other facts as well.
    """
    if neuron.reset == "subtract":
        return (1 + neuron.decay) / neuron.threshold
    if neuron.reset == "subtract and decay":
        return (1 + 1 / neuron.decay) / neuron.threshold
    raise SpikingError(f"critical_peak: reset {neuron.reset!r} has none; largest_factor bounds it")


def critical_beta(neuron: LIF) -> Any:
    """The beta at which the surrogate's peak is critical: 4 (1 + decay)/threshold for the sigmoid; infinite if never.

    For shapes whose peak is proportional to beta, or independent of it (then 0 or infinite).
    """
    limit = critical_peak(neuron)
    one, two = (neuron.surrogate.shape.facts(b).scaled(neuron.surrogate.scale).peak for b in (1.0, 2.0))
    if two == one:
        return jnp.where(one <= limit, jnp.inf, 0.0)
    return limit / one
