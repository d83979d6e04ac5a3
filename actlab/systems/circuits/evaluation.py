"""The standard test of an activation in gene circuits: the regulation curve of a loop, a ring and a noisy gene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import actlab.activations as al
from actlab.activations import Activation
from actlab.dynamics import linear_noise, ssa
from actlab.measurement import Curve, Evaluation, Heatmap, Measurement, System
from actlab.systems.circuits.certificates import no_oscillation
from actlab.systems.circuits.circuit import Circuit
from actlab.systems.circuits.design import design_times
from actlab.systems.circuits.measures import adaptation
from actlab.systems.circuits.motifs import autoregulation, loop_of, ring
from actlab.systems.circuits.response import Response, response
from actlab.systems.circuits.simulation import log_gain, simulate, steady_state
from actlab.systems.circuits.stochastic import fano, reactions_of
from actlab.training import seed_keys

FANO = "Fano factor of an autoregulated gene"
ACCELERATION = "acceleration over simple regulation, median"
PRODUCTIONS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Of the ring of three, tried for a proof that it comes to rest."""


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        sets: random incoherent loops for each seed, K log-uniform in [0.05, 1].
        steps: of the integration over 12 lifetimes.
        runs: exact stochastic runs of the autoregulated gene for each seed.
        molecules: of that gene at concentration 1.
        cells: of the map, along each axis.
    """

    sets: int = 64
    steps: int = 300
    runs: int = 1000
    molecules: float = 50.0
    cells: int = 25


STANDARD = Settings()


class Outcome(NamedTuple):
    """What one compiled program measures: per seed, save for the predicted noise, the ring, the map and the pulse."""

    rest: Any
    peak_time: Any
    acceleration: Any
    sensitivity: Any
    precision: Any
    answering: Any
    noise: Any
    predicted_noise: Any
    swing: Any
    gain: Any
    pulse: Any


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Measures incoherent loops, a ring of repressors and the noise of an autoregulated gene made of the activation.

    Args:
        activation: an Activation, a function or a name.
        seeds: of the loops' parameters and of the stochastic runs; all in one compiled program.
        settings: the size of the test.

    Raises:
        FactError: the activation makes no regulation: its range is unbounded, or it is not known to be monotone.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    up, down = response(activation), response(activation, repression=True)
    found: Outcome = jax.tree.map(np.asarray, jax.jit(lambda k: _measured(k, up, down, settings))(seed_keys(seeds)))
    proved = _largest_production_at_rest(down)
    return Evaluation.of(
        _measurements(activation, up, found, proved, seeds),
        (_pulse_curve(activation, found, settings), _gain_map(activation, found, settings)),
        _notes(activation, up, found, proved),
    )


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """An unregulated gene in closed form, at any setting: Poisson, and half-way in ln 2 lifetimes."""
    del settings
    seeds = tuple(int(s) for s in seeds)
    ones = np.ones(len(seeds))
    who = "unregulated gene (closed form)"
    return Evaluation(
        (
            Measurement(ACCELERATION, who, ones, "x", "higher", seeds),
            Measurement(FANO, who, ones, "", "lower", seeds),
        )
    )


def _loop(up: Response, down: Response, K: Array) -> Circuit:
    """The incoherent loop I1 with half-saturations K of X -> Y, X -> Z and Y -> Z."""
    return loop_of(replace(up, K=K[0]), replace(down, K=K[2]), replace(up, K=K[1]))


def _times(settings: Settings) -> Array:
    return design_times(12.0, settings.steps, jnp.result_type(float))


def _axes(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """K_yz and X of the map."""
    return np.geomspace(0.03, 3.0, settings.cells), np.geomspace(0.03, 3.0, settings.cells)


def _measured(keys: Array, up: Response, down: Response, settings: Settings) -> Outcome:
    times = _times(settings)
    draw, run = (jax.vmap(jax.random.fold_in, (0, None))(keys, i) for i in (0, 1))

    def one(K: Array) -> tuple[Array, ...]:
        loop = _loop(up, down, K)
        z = simulate(loop, {"X": 1.0}, times).levels["Z"]
        steady = steady_state(loop, {"X": 1.0})["Z"]
        top, half = jnp.argmax(z), jnp.argmax(z >= 0.5 * steady)
        share = (0.5 * steady - z[half - 1]) / (z[half] - z[half - 1])
        half_time = times[half - 1] + share * (times[half] - times[half - 1])
        step = adaptation(loop, "X", (0.5, 0.6), times)
        alive = (steady > 0) & (step.before > 0)
        of_living = (math.log(2) / half_time, step.sensitivity, step.precision)
        return steady / z[top], times[top], *(jnp.where(alive, v, jnp.nan) for v in of_living), alive

    def loops(key: Array) -> tuple[Array, ...]:
        low, high = math.log(0.05), 0.0
        K = jnp.exp(jax.random.uniform(key, (settings.sets, 3), minval=low, maxval=high))
        *found, alive = jax.vmap(one)(K)
        return (*(jnp.nanmedian(v) for v in found), jnp.mean(alive))

    gene = reactions_of(autoregulation(replace(down, K=0.5)), volume=settings.molecules)
    half_full = {"Y": jnp.asarray(0.5 * settings.molecules)}
    runs = jax.vmap(lambda k: ssa(k, gene, half_full, jnp.asarray([8.0]), settings.runs))(run)
    predicted = linear_noise(gene, half_full).fano("Y")
    oscillator = ring(down, production=8.0)
    late = simulate(oscillator, None, jnp.linspace(0, 100, 2001), {"R1": 1.0, "R2": 1.5, "R3": 2.0}).levels["R1"][-400:]

    def gain(K_yz: Array, X: Array) -> Array:
        return log_gain(_loop(up, down, jnp.stack([jnp.ones(()), jnp.ones(()), K_yz])), {"X": X}, "X", "Z")

    K_yz, X = (jnp.asarray(a, jnp.float32) for a in _axes(settings))
    gains = jax.vmap(jax.vmap(gain, (0, None)), (None, 0))(K_yz, X)
    shown = simulate(_loop(up, down, jnp.asarray([0.1, 0.1, 0.3])), {"X": 1.0}, times).levels["Z"]
    swing = jnp.ptp(late) / jnp.mean(late)
    return Outcome(*jax.vmap(loops)(draw), fano(runs.counts["Y"])[:, 0], predicted, swing, gains, shown)  # pyright: ignore[reportCallIssue]


def _largest_production_at_rest(down: Response) -> float:
    """Of the ring of three: the largest of the productions tried for which slope bounds prove that it comes to rest."""
    proved = 0.0
    for production in PRODUCTIONS:
        if not no_oscillation(ring(down, production=production)).holds:
            break
        proved = production
    return proved


def _measurements(
    activation: Activation, up: Response, found: Outcome, proved: float, seeds: tuple[int, ...]
) -> list[Measurement]:
    name, count = activation.name, len(seeds)
    constants = {
        f"{FANO}, linear noise": found.predicted_noise,
        "swing of a ring of three over its mean": found.swing,
        "production up to which a ring is proved to rest": proved,
        "effective Hill coefficient at K": 4 * up.slope(jnp.ones(())),
    }
    return [
        Measurement("level at rest over the pulse's height, median", name, found.rest, "", "lower", seeds),
        Measurement("precision of adaptation, median", name, found.precision, "", "higher", seeds),
        Measurement("sensitivity to a step, median", name, found.sensitivity, "", "higher", seeds),
        Measurement(ACCELERATION, name, found.acceleration, "x", "higher", seeds),
        Measurement("peak time, median", name, found.peak_time, "lifetimes", "neither", seeds),
        Measurement(FANO, name, found.noise, "", "lower", seeds),
        *(
            Measurement(what, name, np.full(count, float(value)), "", "neither", seeds)
            for what, value in constants.items()
        ),
    ]


def _pulse_curve(activation: Activation, found: Outcome, settings: Settings) -> Curve:
    title = "Pulse of the incoherent loop after a step of X (K 0.1, 0.1, 0.3)"
    return Curve(title, activation.name, np.asarray(_times(settings)), found.pulse[None], "time / lifetimes", "Z")


def _gain_map(activation: Activation, found: Outcome, settings: Settings) -> Heatmap:
    K_yz, X = _axes(settings)
    return Heatmap(
        "Log gain d ln Z / d ln X at rest: 0 is perfect adaptation",
        activation.name,
        found.gain,
        K_yz,
        X,
        "K of Y -> Z",
        "X",
        "d ln Z / d ln X",
        log_x=True,
        log_y=True,
        colours="diverging",
        limits=(-2.0, 2.0),
    )


def _notes(activation: Activation, up: Response, found: Outcome, proved: float) -> tuple[str, ...]:
    read = (
        "is off at x <= 0 and is read as a function of concentration, scaled to be half on at K"
        if up.reading == "linear"
        else "is read on the logarithm of concentration, z = 2 ln(x/K) from its middle: there the logistic function "
        "is a Hill function of coefficient 2"
    )
    rest = f"up to production {proved:g}" if proved else "for none of the production rates tried"
    notes = [
        f"{activation.name} {read}.",
        "The pulse does not fall back to the basal level 0: that, and perfect adaptation, are limits of strong "
        "repression. Both colours of the map are distances from it.",
        f"A ring of three repressors is proved to come to rest {rest} (slope bounds against the secant condition); at "
        f"production 8 it swings by {float(found.swing):.2g} of its mean.",
    ]
    if np.mean(found.answering) < 1:
        notes.append(
            f"{1 - np.mean(found.answering):.0%} of the random loops are silent: an activation that reaches its ends "
            "leaves Z at 0. Medians are of the others."
        )
    return tuple(notes)


SYSTEM = System(
    name="circuits",
    title="Gene circuits: pulses, rings and noise",
    question="As the regulation of a gene, what pulse, adaptation, oscillation and noise does this activation make?",
    data="Simulated: incoherent feed-forward loops with random half-saturations, a ring of three, one noisy gene",
    evaluate=evaluate,
    references=references,
)
