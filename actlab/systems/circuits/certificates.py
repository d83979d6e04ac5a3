"""What slope bounds prove of a circuit's dynamics: no oscillation, one steady state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from actlab.activations import Activation, Interval
from actlab.systems.circuits.circuit import Circuit, CircuitError, check_inputs
from actlab.systems.circuits.hill import hill_parameters, steepest_between
from actlab.systems.circuits.response import Response

ROUNDS = 100
"""Of tightening the box that every trajectory ends in."""
SLACK = 1e-12
"""Relative widening of each computed bound, far above the rounding of a few float64 operations."""


@dataclass(frozen=True)
class Verdict:
    """What was proved.

    Attributes:
        holds: every trajectory tends to one steady state: none oscillates. False is not proved, which is not disproved.
        gain: the quantity that the proof bounds.
        limit: what it must be below.
        because: the argument.
        box: where all trajectories end, by gene.
    """

    holds: bool
    gain: float
    limit: float
    because: str
    box: dict[str, Interval]


def no_oscillation(circuit: Circuit, inputs: dict[str, Any] | None = None) -> Verdict:
    """Tries to prove from slope bounds that the circuit comes to rest, whatever its initial state.

    Two criteria, on the box in which every trajectory ends: the matrix of gains production sup|slope| / removal has a
    spectral radius below 1 (small gain: holds for any circuit of this kind, and whatever its delays); and for one ring
    without delays, the secant condition: product of gains below sec(pi/m)^m, 8 for three genes (Arcak & Sontag 2006).
    An even number of repressions in the ring has the small-gain criterion alone.

    Args:
        circuit: with numbers as parameters, proteins only.
        inputs: numbers.

    Raises:
        CircuitError: inputs that do not fit, or a gene with an mRNA.
    """
    given = check_inputs(circuit, inputs)
    if any(g.translation is not None for g in circuit.genes):
        raise CircuitError("no_oscillation speaks of circuits of proteins alone; give genes without translation")
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        box = reachable(circuit, given)
        gains = _gains(circuit, box)
    radius = float(np.max(np.abs(np.linalg.eigvals(gains)))) * (1 + SLACK) if np.all(np.isfinite(gains)) else math.inf
    own = {g.name: box[g.name] for g in circuit.genes}
    if radius < 1:
        return Verdict(True, radius, 1.0, "small gain: the spectral radius of the gains' bounds is below 1", own)
    cycle = _one_ring(circuit)
    if cycle is None or circuit.delays:
        return Verdict(False, radius, 1.0, "the spectral radius of the gains' bounds is not below 1", own)
    size = len(cycle)
    product = math.prod(gains[i, j] for i, j in cycle) * (1 + SLACK)
    limit = 1 / math.cos(math.pi / size) ** size
    compared = "below" if product < limit else "not below"
    because = f"secant condition: the product of the {size} gains' bounds is {compared} sec(pi/{size})^{size}"
    return Verdict(bool(product < limit), float(product), limit, because, own)


def reachable(circuit: Circuit, inputs: dict[str, Any]) -> dict[str, Interval]:
    """Intervals that every trajectory enters and does not leave, up to any margin: bounds of promoters, iterated."""
    box = {name: Interval(float(v), float(v)) for name, v in inputs.items()}
    box |= {g.name: _level(g, Interval(0.0, 1.0)) for g in circuit.genes}
    for _ in range(ROUNDS):
        tighter = dict(box)
        for g in circuit.genes:
            activities = [_values(r.curve, tighter[r.source]) for r in g.regulations]
            tighter[g.name] = _level(g, _gate(g.gate, activities)).intersect(tighter[g.name])
        if all(tighter[k].width >= 0.999999 * box[k].width for k in box):  # inputs have width 0
            return tighter
        box = tighter
    return box


def _level(gene: Any, activity: Interval) -> Interval:
    low, high = ((gene.basal + gene.production * a) / gene.removal for a in (activity.lower, activity.upper))
    return Interval(float(low) * (1 - SLACK), float(high) * (1 + SLACK))


@jax.jit
def _applied(curve: Activation, x: Array) -> Array:
    return curve(x)


def _values(curve: Activation, levels: Interval) -> Interval:
    """The curve's values over an interval: it is monotone."""
    ends = np.asarray(_applied(curve, jnp.asarray([levels.lower, levels.upper], jnp.float64)))
    return Interval(max(float(ends.min()) * (1 - SLACK), 0.0), min(float(ends.max()) * (1 + SLACK), 1.0))


def _gate(gate: str, activities: list[Interval]) -> Interval:
    if not activities:
        return Interval(1.0, 1.0)
    if gate == "and" or len(activities) == 1:
        return Interval(math.prod(a.lower for a in activities), math.prod(a.upper for a in activities))
    return Interval(1 - math.prod(1 - a.lower for a in activities), 1 - math.prod(1 - a.upper for a in activities))


def _steepness(curve: Activation, levels: Interval) -> float:
    """A bound of |slope| over an interval of concentrations; infinite where none is known."""
    hill = hill_parameters(curve)
    if hill is not None:
        n, K, _ = hill
        if n < 1 and levels.lower <= 0:
            return math.inf
        return steepest_between(n, K, max(levels.lower, 0.0), levels.upper) * (1 + SLACK)
    if isinstance(curve, Response) and curve.reading == "logarithmic":
        return float(curve.log_slope_bound()) / levels.lower if levels.lower > 0 else math.inf
    return float(curve.facts.lipschitz())


def _gains(circuit: Circuit, box: dict[str, Interval]) -> np.ndarray:
    """Bounds of |d(level at rest of gene i) / d(level of gene j)|, shape (genes, genes)."""
    index = {g.name: i for i, g in enumerate(circuit.genes)}
    gains = np.zeros((len(index), len(index)))
    for g in circuit.genes:
        values = {r.source: _values(r.curve, box[r.source]) for r in g.regulations}
        for r in g.regulations:
            if r.source in index:
                others = [v for source, v in values.items() if source != r.source]
                share = math.prod(v.upper if g.gate == "and" else 1 - v.lower for v in others)
                slope = _steepness(r.curve, box[r.source])
                gains[index[g.name], index[r.source]] = float(g.production / g.removal) * slope * share
    return gains


def _one_ring(circuit: Circuit) -> list[tuple[int, int]] | None:
    """The gain matrix's entries along the ring, where the circuit is one ring with an odd number of repressions."""
    index = {g.name: i for i, g in enumerate(circuit.genes)}
    arrows = {g.name: [r for r in g.regulations if r.source in index] for g in circuit.genes}
    if any(len(a) != 1 for a in arrows.values()):
        return None
    path, name = [], circuit.genes[0].name
    for _ in circuit.genes:
        path.append((index[name], index[arrows[name][0].source]))
        name = arrows[name][0].source
    closed = name == circuit.genes[0].name and len({i for i, _ in path}) == len(path)
    odd = sum(a[0].sign < 0 for a in arrows.values()) % 2 == 1
    return path if closed and odd and len(path) >= 3 else None
