"""Closed forms: the exact law of adaptation of feed-forward loops, Hopf points of rings and of delayed repression."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp

from actlab.activations import Interval
from actlab.systems.circuits.circuit import Circuit
from actlab.systems.circuits.hill import hill_parameters, log_sensitivity
from actlab.systems.circuits.simulation import steady_state


def loop_log_gain(loop: Circuit, X: Any) -> Any:
    """The log gain d ln Z / d ln X at rest of a feed-forward loop with an AND gate and no basal rates.

    By its three local gains: gain(X -> Z) + gain(Y -> Z) gain(X -> Y). For the incoherent loop I1 of Hill curves it is
    n_z (1 - a_z) - n_r R n_y (1 - a_y), where R = (Y/K_yz)^n_r / (1 + (Y/K_yz)^n_r): zero, perfect adaptation, only in
    the limit a_y, a_z -> 0, R -> 1 with n_z = n_r n_y. With every n = 2 it over-corrects towards -2.
    """
    y, z = loop.gene("Y"), loop.gene("Z")
    levels = {"X": jnp.asarray(X), **steady_state(loop, {"X": X})}
    curves = {r.source: r.curve for r in z.regulations}
    indirect = log_sensitivity(curves["Y"], levels["Y"]) * log_sensitivity(y.regulations[0].curve, levels["X"])
    return log_sensitivity(curves["X"], levels["X"]) + indirect


def loop_log_gain_bounds(loop: Circuit) -> Interval | None:
    """What the log gain of an I1 or any other loop of Hill curves can be at any X, from the slope bounds alone.

    A Hill curve's gain lies between 0 and +n or -n. None where a curve is no Hill function. The precision of adaptation
    to a small step is at least 1 over the larger magnitude.
    """
    y, z = loop.gene("Y"), loop.gene("Z")
    curves = {r.source: r.curve for r in z.regulations}
    known = [hill_parameters(c) for c in (y.regulations[0].curve, curves["Y"], curves["X"])]
    if any(k is None for k in known):
        return None
    xy, yz, xz = (Interval(min(0.0, s * n), max(0.0, s * n)) for n, _, s in known)  # pyright: ignore
    return xz + yz * xy


class Hopf(NamedTuple):
    """Where an equilibrium starts to oscillate.

    Attributes:
        value: the bifurcation parameter there.
        omega: the angular frequency, 1 per unit of time.
        level: the concentration at the equilibrium.
    """

    value: float
    omega: float
    level: float


def ring_hopf(n: float, genes: int = 3, K: float = 1.0, removal: float = 1.0) -> Hopf | None:
    """The production rate at which a ring of equal repressors (an odd number, proteins only) starts to oscillate.

    Each gene's gain in logarithms, n u/(1+u) with u = (x/K)^n, must reach sec(pi/genes): 2 for three. With three:
    u = 2/(n-2). None where n is not above that: the gain stays below n, so no production rate will do.

    Raises:
        ValueError: an even number of genes, or fewer than three.
    """
    if genes < 3 or genes % 2 == 0:
        raise ValueError(f"a ring of {genes} repressors has no Hopf point of this kind; take an odd number from 3 on")
    gain = 1 / math.cos(math.pi / genes)
    if n <= gain * (1 + 1e-12):  # 1/cos(pi/3) is not quite 2
        return None
    u = gain / (n - gain)
    x = K * u ** (1 / n)
    return Hopf(removal * x * (1 + u), removal * math.tan(math.pi / genes), x)


def delay_hopf(slope: float, removal: float = 1.0) -> tuple[float, float] | None:
    """The delay at which y' = f(y(t - d)) - removal y starts to oscillate, and its angular frequency.

    omega = sqrt(slope^2 - removal^2), cos(omega d) = -removal/|slope|, that is tan(omega d) = -omega/removal.

    Args:
        slope: f' at the equilibrium, negative.
        removal: of y.

    Returns:
        None where |slope| <= removal: then no delay will do.

    Raises:
        ValueError: a positive slope.
    """
    if slope > 0:
        raise ValueError(f"slope = {slope:g}: delayed repression needs a negative one")
    if -slope <= removal:
        return None
    omega = math.sqrt(slope * slope - removal * removal)
    return math.acos(removal / slope) / omega, omega


def toggle_threshold(n: float, K: float = 1.0, removal: float = 1.0) -> float | None:
    """The production rate above which the symmetric toggle switch has two stable states; None for n <= 1."""
    if n <= 1:
        return None
    u = 1 / (n - 1)
    return removal * K * u ** (1 / n) * (1 + u)
