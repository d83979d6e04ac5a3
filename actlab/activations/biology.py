"""Response curves of biology: gene regulation, enzymes, receptors, ion channels.

Concentrations and stimuli are nonnegative; each curve of one is extended to negative x by its value at 0, so that it
is a total function. At 0 the extension has the slope 0 from the left, which is the declared slope there.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from actlab.activations.decorator import activation
from actlab.activations.domain import POSITIVE
from actlab.activations.exponentials import weighted_logistic, weighted_logistic_slope
from actlab.activations.facts import SMOOTH, Facts
from actlab.activations.interval import UNIT, ZERO, Interval, namespace


def _ratio(x: Array, K: Array | float) -> tuple[Array, Array]:
    """min(x/K, K/x) in (0, 1], and whether x is the smaller; where x <= 0, as if x were K."""
    x = jnp.where(x > 0, x, K)
    below = x <= K
    return jnp.where(below, x, K) / jnp.where(below, K, x), below


def _hill(x: Array, n: Array | float, K: Array | float) -> tuple[Array, Array]:
    """x^n/(K^n + x^n) and K^n/(K^n + x^n) for x > 0, neither by cancellation."""
    r, below = _ratio(x, K)
    power = jnp.power(r, n)
    small, large = power / (1 + power), 1 / (1 + power)
    return jnp.where(below, small, large), jnp.where(below, large, small)


def _hill_slope(x: Array, n: Array | float, K: Array | float) -> Array:
    r, below = _ratio(x, K)
    slope = n / K * jnp.power(r, jnp.where(below, n - 1, n + 1)) / jnp.square(1 + jnp.power(r, n))
    return jnp.where(x > 0, slope, 0)


def _hill_curvature(x: Array, n: Array | float, K: Array | float) -> Array:
    r, below = _ratio(x, K)
    power = jnp.power(r, n)
    bend = jnp.where(below, (n - 1) - (n + 1) * power, (n - 1) * power - (n + 1))
    front = n / K / K * jnp.power(r, jnp.where(below, n - 2, n + 2))
    return jnp.where(x > 0, front * bend / (1 + power) ** 3, 0)


def _slope_bound(n: Any, K: Any) -> Any:
    """Sup of the Hill function's slope: at x = K ((n-1)/(n+1))^(1/n) for n > 1, at 0 for n = 1, unbounded below 1."""
    xp = namespace(n, K)
    m = xp.maximum(n, 1.0)
    bound = xp.power(m - 1, 1 - 1 / m) * xp.power(m + 1, 1 + 1 / m) / (4 * m * K)
    return xp.where(xp.asarray(n) < 1, math.inf, bound)


def _curvature_bounds(n: Any, K: Any) -> Interval:
    """The extremes of the Hill function's curvature.

    With u = (x/K)^n, f'' = n u^(1-2/n) ((n-1) - (n+1)u) / (1+u)^3 / K^2, whose derivative vanishes at the roots of
    (n+1)(n+2)u^2 - 4(n^2-1)u + (n-1)(n-2). The larger gives the minimum; the smaller the maximum, from n = 2 on.
    """
    xp = namespace(n, K)

    def at(root: Any, m: Any) -> Any:
        return m * xp.power(root, 1 - 2 / m) * ((m - 1) - (m + 1) * root) / (1 + root) ** 3 / K / K

    m = xp.maximum(n, 1.0 + 1e-6)
    low = at((2 * (m * m - 1) + m * xp.sqrt(3 * (m * m - 1))) / ((m + 1) * (m + 2)), m)
    low = xp.where(xp.asarray(n) < 1, -math.inf, xp.where(xp.asarray(n) <= 1 + 1e-6, -2 / K / K, low))
    m = xp.maximum(n, 2.0)  # the smaller root as a quotient, without cancellation
    root = (m - 1) * (m - 2) / (2 * (m * m - 1) + m * xp.sqrt(3 * (m * m - 1)))
    high = xp.where(xp.asarray(n) < 2, xp.where(xp.asarray(n) <= 1, 0.0, math.inf), at(root, m))
    return Interval(low, high)


def _hill_facts(n: Any, K: Any) -> Facts:
    # x^n joins 0 with ceil(n) - 1 continuous derivatives; of a traced or batched n only continuity is certain.
    smoothness = max(math.ceil(n) - 1, 0) if isinstance(n, float) else 0
    return Facts(
        UNIT,
        Interval(0.0, _slope_bound(n, K)).rounded(32),
        _curvature_bounds(n, K).rounded(64),
        (0.0,),
        smoothness,
        "nondecreasing",
    )


@activation(
    family="biology",
    slope=_hill_slope,
    curvature=_hill_curvature,
    domains={"n": POSITIVE, "K": POSITIVE},
    facts=_hill_facts,
    source="Hill 1910, J. Physiol. 40; Alon 2019, An Introduction to Systems Biology, eq. 1.3.3",
)
def hill(x: Array, n: Array | float = 2.0, K: Array | float = 1.0) -> Array:
    """Hill activation x^n / (K^n + x^n), and 0 for x <= 0.

    x and K in one unit of concentration (say nM); n, the Hill coefficient, and the value (promoter activity as a
    fraction of its maximum) have none. The largest slope is (n-1)^(1-1/n) (n+1)^(1+1/n) / (4nK) for n >= 1, and
    unbounded at 0 for n < 1; the curvature is unbounded at 0 for n < 2, save for n = 1.
    """
    return jnp.where(x > 0, _hill(x, n, K)[0], 0)


def _repression_facts(n: Any, K: Any) -> Facts:
    slope, curvature = Interval(0.0, _slope_bound(n, K)).rounded(32), _curvature_bounds(n, K).rounded(64)
    return _hill_facts(n, K).replace(slope=-slope, curvature=-curvature, monotone="nonincreasing")


@activation(
    family="biology",
    slope=lambda x, n, K: -_hill_slope(x, n, K),
    curvature=lambda x, n, K: -_hill_curvature(x, n, K),
    domains={"n": POSITIVE, "K": POSITIVE},
    facts=_repression_facts,
    source="Alon 2019, An Introduction to Systems Biology, eq. 1.3.4",
)
def hill_repression(x: Array, n: Array | float = 2.0, K: Array | float = 1.0) -> Array:
    """Hill repression K^n / (K^n + x^n), and 1 for x <= 0. Units as in `hill`; the bounds are the negated ones."""
    return jnp.where(x > 0, _hill(x, n, K)[1], 1)


def _saturating_facts(maximum: Any, n: Any, K: Any) -> Facts:
    f = _hill_facts(n, K)
    scale = Interval(maximum, maximum)
    return f.replace(
        range=ZERO.hull(scale),
        slope=None if f.slope is None else f.slope * scale,
        curvature=None if f.curvature is None else f.curvature * scale,
    )


@activation(
    family="biology",
    slope=lambda x, V_max, K_m: V_max * _hill_slope(x, 1.0, K_m),
    curvature=lambda x, V_max, K_m: V_max * _hill_curvature(x, 1.0, K_m),
    domains={"V_max": POSITIVE, "K_m": POSITIVE},
    facts=lambda V_max, K_m: _saturating_facts(V_max, 1.0, K_m),
    source="Michaelis & Menten 1913, Biochem. Z. 49; Alon 2019, appendix A",
)
def michaelis_menten(x: Array, V_max: Array | float = 1.0, K_m: Array | float = 1.0) -> Array:
    """V_max x / (K_m + x), and 0 for x <= 0.

    x and K_m in one unit of concentration (say mM), V_max and the value in one of rate (say mM/s). Slope in
    [0, V_max/K_m], the initial rate.
    """
    return V_max * jnp.where(x > 0, _hill(x, 1.0, K_m)[0], 0)


@activation(
    family="biology",
    slope=lambda x, R_max, n, sigma: R_max * _hill_slope(x, n, sigma),
    curvature=lambda x, R_max, n, sigma: R_max * _hill_curvature(x, n, sigma),
    domains={"R_max": POSITIVE, "n": POSITIVE, "sigma": POSITIVE},
    facts=lambda R_max, n, sigma: _saturating_facts(R_max, n, sigma),
    source="Naka & Rushton 1966, J. Physiol. 185; Albrecht & Hamilton 1982, J. Neurophysiol. 48",
)
def naka_rushton(x: Array, R_max: Array | float = 1.0, n: Array | float = 2.0, sigma: Array | float = 1.0) -> Array:
    """R_max x^n / (sigma^n + x^n), and 0 for x <= 0: the response of a visual neuron to contrast.

    x and the semi-saturation sigma in one unit (contrast in percent, or luminance), R_max and the value in spikes/s.
    """
    return R_max * jnp.where(x > 0, _hill(x, n, sigma)[0], 0)


def _gating(V: Array, V_half: Array | float, k: Array | float) -> Array:
    """(V - V_half)/k, kept where the logistic function is not yet constant in float64, so that it cannot overflow."""
    return jnp.clip((V - V_half) / k, -1000, 1000)


def _boltzmann_slope(x: Array, V_half: Array | float, k: Array | float) -> Array:
    return weighted_logistic_slope(1 / k, jnp.abs(_gating(x, V_half, k)))


def _boltzmann_curvature(x: Array, V_half: Array | float, k: Array | float) -> Array:
    z = _gating(x, V_half, k)
    return -_boltzmann_slope(x, V_half, k) * (jnp.tanh(0.5 * z) / k)


def _boltzmann_facts(V_half: Any, k: Any) -> Facts:
    return Facts(
        UNIT,
        Interval(0.0, 0.25 / k).rounded(),
        (Interval(-0.09622504486493763, 0.09622504486493763) * (1 / k) * (1 / k)).rounded(),
        (),
        SMOOTH,
        "strictly increasing",
        inverse=lambda y: V_half + k * (jnp.log(y) - jnp.log1p(-y)),
    )


@activation(
    family="biology",
    slope=_boltzmann_slope,
    curvature=_boltzmann_curvature,
    domains={"k": POSITIVE},
    facts=_boltzmann_facts,
    ideal=lambda x, V_half, k: jax.nn.sigmoid((x - V_half) / k),
    source="Hodgkin & Huxley 1952, J. Physiol. 117; Izhikevich 2007, Dynamical Systems in Neuroscience, eq. 2.11",
)
def boltzmann(x: Array, V_half: Array | float = 0.0, k: Array | float = 1.0) -> Array:
    """1 / (1 + exp(-(V - V_half)/k)): the open fraction of a voltage gate at x = V.

    V, V_half and k in mV (a persistent sodium gate: V_half = -20, k = 15); the value has no unit. k > 0: a gate that
    closes with depolarization is 1 minus this one. The largest slope, 1/(4k) per mV, is at V_half.
    """
    return weighted_logistic(1.0, _gating(x, V_half, k))
