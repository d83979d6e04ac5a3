"""The standard test of an activation as the curve of ion channels: how does a neuron made of it start to fire."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation
from actlab.dynamics import RootError
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.proofs import UnsupportedPrimitiveError
from actlab.systems.neurons.bifurcations import Bifurcation, bifurcations
from actlab.systems.neurons.conductance import Neuron
from actlab.systems.neurons.curve import BECAUSE, gate_curve
from actlab.systems.neurons.firing import Kind, firing_rate, kind_of, onset_of
from actlab.systems.neurons.models import morris_lecar

HOPF_SET: dict[str, float] = {"gCa": 4.4, "phi": 0.04, "V3": 2.0, "V4": 30.0}
SNIC_SET: dict[str, float] = {"gCa": 4.0, "phi": 0.067, "V3": 12.0, "V4": 17.4}
SETS = {"Hopf set": HOPF_SET, "SNIC set": SNIC_SET}
"""Of Morris-Lecar, by how firing starts with Boltzmann curves: Rinzel & Ermentrout 1998, table 7.1."""
BOLTZMANN = "Boltzmann curve (published neuron)"


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        spread: standard deviation of the logarithms of the conductances of a draw.
        shift: standard deviation of the half-voltages of a draw, mV.
        duration: of a simulation, ms.
        step: of the integration, ms.
        currents: of the f-I curve, from 20 to 260 uA/cm^2, and of a search for the least current with firing.
        refinements: of that search; each divides its step by `currents` - 1.
        reach: how far below the onset it begins, uA/cm^2.
        margin: from the onset at which the rate above it is measured, uA/cm^2.
    """

    spread: float = 0.02
    shift: float = 0.5
    duration: float = 3000.0
    step: float = 0.1
    currents: int = 41
    refinements: int = 2
    reach: float = 40.0
    margin: float = 0.1


STANDARD = Settings()


class Outcome(NamedTuple):
    """Of one set: the published parameters first, then the draws; nan where the resting state never ends."""

    lists: tuple[tuple[Bifurcation, ...], ...]
    onset: np.ndarray
    kinds: tuple[Kind | None, ...]
    rate_above: np.ndarray
    width: np.ndarray
    rates: np.ndarray


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Makes both gates of Morris-Lecar of the activation: bifurcations, class, f-I curve, range of coexistence.

    Args:
        activation: an Activation, a function or a name.
        seeds: each draws conductances and half-voltages around the published ones, the same for all activations.
        settings: the size of the test.

    Raises:
        FactError: the activation is no curve of a gate, or bounds of it cannot be computed; the message says what is
            missing.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    found = {name: _studied(activation, published, seeds, settings) for name, published in SETS.items()}
    note = (
        f"Both gates are {activation.name} scaled to [0, 1], with the half-voltage of the published Boltzmann curve "
        "and its slope there: what differs is the shape. The lists of bifurcations are complete, by interval bounds."
    )
    return _evaluation(activation.name, found, seeds, settings, note)


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """The published neuron, its curves Boltzmann's, under the same draws."""
    seeds = tuple(int(s) for s in seeds)
    found = {name: _studied(al.sigmoid, published, seeds, settings) for name, published in SETS.items()}
    return _evaluation(BOLTZMANN, found, seeds, settings)


def _evaluation(
    who: str, found: dict[str, Outcome], seeds: tuple[int, ...], settings: Settings, *notes: str
) -> Evaluation:
    described = (_described(who, name, f) for name, f in found.items())
    curves = _curves(who, found, settings)
    return Evaluation.of(_measurements(who, found, seeds, settings), curves, (*notes, *described))


def _drawn(published: dict[str, float], seed: int | None, settings: Settings) -> dict[str, float]:
    """The parameters of one neuron: the published ones, or conductances and half-voltages near them."""
    values = {**published, "gK": 8.0, "gL": 2.0, "V1": -1.2}
    if seed is None:
        return values
    noise = np.asarray(jax.random.normal(jax.random.key(seed), (5,)), np.float64)
    for name, z in zip(("gCa", "gK", "gL"), noise[:3].tolist(), strict=True):
        values[name] *= float(np.exp(settings.spread * z))
    for name, z in zip(("V1", "V3"), noise[3:].tolist(), strict=True):
        values[name] += settings.shift * z
    return values


def _neuron(activation: Activation, values: dict[str, float]) -> Neuron:
    fast = gate_curve(activation, values["V1"], 9.0)
    slow = gate_curve(activation, values["V3"], values["V4"] / 2)
    return morris_lecar(**values, fast=fast, slow=slow)


def _studied(
    activation: Activation, published: dict[str, float], seeds: tuple[int, ...], settings: Settings
) -> Outcome:
    neurons = [_neuron(activation, _drawn(published, seed, settings)) for seed in (None, *seeds)]
    try:
        lists = tuple(bifurcations(neuron) for neuron in neurons)
    except UnsupportedPrimitiveError as error:
        raise al.FactError(f"{BECAUSE}, and bounds of it find all bifurcations: {error}") from error
    except RootError as error:
        raise al.FactError(f"{BECAUSE}, and bounds tell its bifurcations apart: {error}") from error
    onsets = [onset_of(n, found) if found else None for n, found in zip(neurons, lists, strict=True)]
    onset = np.array([np.nan if b is None else b.current for b in onsets])
    voltage = np.array([-60.0 if b is None else b.voltage for b in onsets])
    # Simulations of all neurons at once, all of one shape: compiled once.
    stacked = jax.tree.map(lambda *leaves: jnp.asarray(np.array(leaves), jnp.float32), *neurons)

    def rates(currents: np.ndarray) -> np.ndarray:
        asked = jnp.asarray(currents, jnp.float32)
        return np.asarray(_rates(stacked, asked, jnp.asarray(voltage, jnp.float32), settings.duration, settings.step))

    curve = rates(np.tile(_axis(settings), (len(neurons), 1)))
    # Rates just above the onset and just below it, in two of the places of a batch of the same shape.
    beside = np.repeat(onset[:, None], settings.currents, 1)
    beside[:, 0] += settings.margin
    beside[:, 1] -= settings.margin
    above, below = rates(beside)[:, :2].T
    kinds: tuple[Kind | None, ...] = tuple(
        None if b is None else kind_of(b, r) for b, r in zip(onsets, below.tolist(), strict=True)
    )
    width = _coexistence(rates, onset, below, settings)
    return Outcome(lists, onset, kinds, np.where(np.isnan(onset), np.nan, above), width, curve)


def _axis(settings: Settings) -> np.ndarray:
    return np.linspace(20.0, 260.0, settings.currents)


def _coexistence(rates: Any, onset: np.ndarray, below: np.ndarray, settings: Settings) -> np.ndarray:
    """How far below the onset a kicked cell still fires, for each neuron: firing and rest coexist there."""
    high, low = onset - settings.margin, onset - settings.reach
    for _ in range(1 + settings.refinements):
        grid = np.linspace(low, high, settings.currents, axis=1)
        silent = rates(grid) == 0
        # The highest silent current: all above it fire.
        last = settings.currents - 1 - np.argmax(silent[:, ::-1], axis=1)
        last = np.where(silent.any(axis=1), np.minimum(last, settings.currents - 2), 0)
        rows = np.arange(len(onset))
        low, high = grid[rows, last], grid[rows, last + 1]
    width = np.where(below > 0, onset - high, 0.0)
    return np.where(np.isnan(onset), np.nan, width)


@functools.partial(jax.jit, static_argnames=("duration", "step"))
def _rates(neurons: Neuron, currents: Array, voltages: Array, duration: float, step: float) -> Array:
    """Rates, shape (neurons, currents), of cells kicked by 60 mV from the rest at the end of its stability."""

    def one(neuron: Neuron, current: Array, voltage: Array) -> Array:
        start = neuron.state(voltage).at[0].add(60.0)
        return firing_rate(neuron, current, start, duration=duration, step=step, settle=duration / 2)

    return jax.vmap(jax.vmap(one, (None, 0, None)))(neurons, currents, voltages)


def _measurements(who: str, found: dict[str, Outcome], seeds: tuple[int, ...], settings: Settings) -> list[Measurement]:
    table = []
    for name, f in found.items():
        first = np.array([float(k == "I") for k in f.kinds[1:]])
        subcritical = np.array([float(sum(b.subcritical for b in points)) for points in f.lists[1:]])
        count = np.array([float(len(points)) for points in f.lists[1:]])
        rows = (
            ("current at which rest ends", f.onset[1:], "uA/cm^2"),
            (f"rate {settings.margin:g} uA/cm^2 above it", f.rate_above[1:], "Hz"),
            ("width of the bistable range below it", f.width[1:], "uA/cm^2"),
            ("class I, from rate 0", first, ""),
            ("bifurcations of equilibria", count, ""),
            ("subcritical Hopf points", subcritical, ""),
            ("largest rate of the f-I curve", f.rates[1:].max(axis=1), "Hz"),
        )
        table += [Measurement(f"{name}: {what}", who, v, unit, "neither", seeds) for what, v, unit in rows]
    return table


def _curves(who: str, found: dict[str, Outcome], settings: Settings) -> list[Curve]:
    axis = _axis(settings)
    return [
        Curve(f"Rate against current, {name}, cells kicked", who, axis, f.rates[1:], "current / (uA/cm^2)", "rate / Hz")
        for name, f in found.items()
    ]


def _described(who: str, name: str, f: Outcome) -> str:
    """One sentence on the neuron of published parameters."""
    if f.kinds[0] is None:
        return f"{name}, published parameters, {who}: rest never loses its stability."
    points = "; ".join(f"{_sort(b)} at {b.current:.6g}" for b in f.lists[0])
    kind = {
        "I": "class I, firing starts from rate 0",
        "II": "class II, rest ends in a Hopf point",
        "bistable saddle-node": "bistable, it fires below the saddle-node that ends rest",
    }[f.kinds[0]]
    width = f" Below its end at {f.onset[0]:.6g} a kicked cell fires over {f.width[0]:.3g}." if f.width[0] > 0 else ""
    return f"{name}, published parameters, {who}: {kind}. In uA/cm^2: {points}.{width}"


def _sort(b: Bifurcation) -> str:
    return b.kind if b.kind == "saddle-node" else f"{'subcritical' if b.subcritical else 'supercritical'} Hopf"


SYSTEM = System(
    name="neurons",
    title="Biological neurons: the curve of a channel and the class of a cell",
    question="As the opening curve of ion channels, does this activation make a neuron that starts to fire from rate "
    "0, or at once at some rate?",
    data="Simulated: Morris-Lecar neurons of two published parameter sets, conductances and half-voltages drawn around",
    evaluate=evaluate,
    references=references,
)
