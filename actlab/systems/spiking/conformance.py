"""Whether a pseudo-derivative, of any library, is one: checks of its values alone, the same for every surrogate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
FAR = 1e4
"""Potentials up to which a surrogate must be finite."""


@dataclass(frozen=True)
class Conformance:
    """What the checks found of h.

    Attributes:
        name: of the surrogate.
        peak: h(0), what a neuron at its threshold receives.
        area: integral of h over |u| < 1e4.
        faults: what is wrong, in words; empty where nothing is.
    """

    name: str
    peak: float
    area: float
    faults: tuple[str, ...]


def conformance(name: str, slopes: Callable[[np.ndarray], np.ndarray]) -> Conformance:
    """Checks a pseudo-derivative: finite up to |u| = 1e4, not negative, even, largest at threshold, falling from it.

    Args:
        name: for the table.
        slopes: h at float32 potentials minus threshold, as the library's own backward pass gives it. A step that
            cannot be differentiated raises; the exception becomes a fault.
    """
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-12, 14), [FAR]])
    half = 0.5 * np.diff(edges)[:, None]
    u, w = np.ravel(edges[:-1, None] + half + half * NODES[None]), np.ravel(half * WEIGHTS[None])
    try:
        right, left = (np.asarray(slopes((s * u).astype(np.float32)), np.float64) for s in (1, -1))
        peak = float(np.asarray(slopes(np.zeros(1, np.float32)), np.float64)[0])
    except Exception as error:  # whatever a library raises is the finding
        return Conformance(name, math.nan, math.nan, (f"raises {type(error).__name__}",))
    faults = []
    bad = ~np.isfinite(np.concatenate([left[::-1], right]))
    if bad.any():
        every = np.concatenate([-u[::-1], u])
        faults.append(
            f"not finite at {int(bad.sum())} of {bad.size} potentials, nearest u = {_nearest(every[bad]):.3g}"
        )
        left, right = (np.where(np.isfinite(v), v, 0.0) for v in (left, right))
    both, largest = np.concatenate([left, right]), float(max(np.max(left), np.max(right), peak))
    slack = 1e-5 * max(abs(largest), float(np.max(np.abs(both))))
    if np.min(both) < -slack:
        faults.append(f"negative: {np.min(both):.3g} at u = {_at(u, left, right, np.min(both)):.3g}")
    if np.max(np.abs(left - right)) > 1e-3 * max(largest, slack):
        faults.append("not even about the threshold")
    if largest > peak * (1 + 1e-3) + slack:
        faults.append(f"peak {largest:.3g} at u = {_at(u, left, right, largest):.3g}, where h(0) is {peak:.3g}")
    if any(np.any(np.diff(side) > slack) for side in (left, right)):
        faults.append("does not fall from the threshold")
    return Conformance(name, peak, float(np.sum(w * (left + right))), tuple(faults))


def _nearest(values: np.ndarray) -> float:
    return float(values[np.argmin(np.abs(values))])


def _at(u: np.ndarray, left: np.ndarray, right: np.ndarray, value: float) -> float:
    every, where = np.concatenate([left, right]), np.concatenate([-u, u])
    return float(where[np.argmin(np.abs(every - value))])
