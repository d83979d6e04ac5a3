"""Which half-voltage and width of one channel make a neuron class I, class II or bistable: the two-parameter map.

Each cell of the map is one Morris-Lecar neuron. Rest ends at the first saddle-node or Hopf point met with rising
voltage; a kicked cell just below and just above it shows whether firing coexists with rest and at which rate it starts.
The line is where class II turns into class I, found from the two conditions of a Bogdanov-Takens point by Newton's
method with exact derivatives, without any simulation. Beside the map: the onset law of class I, and conductances
recovered from the times of spikes by gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from actlab.measurement import Claim, Figure, Heatmap, Line, Measurement
from actlab.systems.neurons import (
    Neuron,
    bifurcations,
    class_boundary,
    firing_rate,
    fit_spikes,
    hurwitz,
    morris_lecar,
    spike_times,
)

VOLTAGES = (-80.0, 40.0, 2401)
"""Of the scan for the end of rest: lowest, highest, points."""
RINZEL = "Rinzel & Ermentrout 1998, Methods in Neuronal Modeling, chapter 7"
KUZNETSOV = "Kuznetsov 2004, Elements of Applied Bifurcation Theory, section 8.4"

TITLE = "Classes of neurons"


@dataclass(frozen=True)
class Config:
    """The map and what is checked on it.

    Attributes:
        V3: half-voltages of the potassium gate, mV: least and greatest.
        V4: twice its width, mV: least and greatest.
        cells: of the map along each axis.
        phi: rate of the potassium gate, 1/ms.
        duration: of each simulation, ms.
        step: of the integration, ms.
        margin: from the end of rest at which the cells are simulated, uA/cm^2.
        certified: cells, evenly spread, whose complete list of bifurcations is computed as well.
        spikes: times to which conductances are fitted.
        guesses: random ones, within 20 % of the truth, from which they are fitted.
        seed: of the guesses.
    """

    V3: tuple[float, float] = (-4.0, 16.0)
    V4: tuple[float, float] = (10.0, 32.0)
    cells: Annotated[int, Field(ge=3)] = 41
    phi: Annotated[float, Field(gt=0)] = 0.067
    duration: Annotated[float, Field(gt=0)] = 3000.0
    step: Annotated[float, Field(gt=0)] = 0.1
    margin: Annotated[float, Field(gt=0)] = 0.05
    certified: Annotated[int, Field(ge=0)] = 16
    spikes: Annotated[int, Field(ge=2)] = 6
    guesses: Annotated[int, Field(ge=0)] = 20
    seed: int = 0


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Computes the map, its boundary, the onset law and the fits."""
    with jax.enable_x64(True):
        V3, V4 = (np.linspace(*axis, config.cells) for axis in (config.V3, config.V4))
        model = _model(config)
        saddle_node, current, above, below = _map(model, V3, V4, config)
        bistable = saddle_node & (below > 0)
        report(
            f"class II {np.mean(~saddle_node):.0%}, class I {np.mean(saddle_node & ~bistable):.0%}, "
            f"bistable at the saddle-node {np.mean(bistable):.0%} of the map"
        )
        boundary = _boundary(model, V4, report)
        heatmap = Heatmap(
            f"Rate at which firing starts, {config.margin:g} uA/cm^2 above the end of rest",
            f"Morris-Lecar, gCa 4, phi {config.phi:g}",
            above,
            V3,
            V4,
            "half-voltage V3 of the potassium gate / mV",
            "V4, twice its width / mV",
            "rate / Hz",
            (Line("class II turns class I: Bogdanov-Takens points, by Newton's method", boundary, V4),),
            bistable,
            "rest ends in a saddle-node, but firing exists before: bistable",
        )
        measured, claims = _sides(saddle_node, boundary, V3)
        for more, more_claims in (
            _checked(model, saddle_node, current, V3, V4, config, report),
            _onset_law(model, report),
            _fits(config, report),
        ):
            measured += more
            claims += more_claims
        return measured, claims, [heatmap]


def _model(config: Config) -> Callable[[Any, Any], Neuron]:
    return lambda V3, V4: morris_lecar(gCa=4.0, phi=config.phi, V3=V3, V4=V4)


def _map(model: Callable[[Any, Any], Neuron], V3: np.ndarray, V4: np.ndarray, config: Config) -> tuple[np.ndarray, ...]:
    """Saddle-node or not and current of the end of rest, rates above and below it; each of shape (V4, V3)."""
    grid = jnp.linspace(*VOLTAGES)

    def end_of_rest(V3: Array, V4: Array) -> tuple[Array, Array, Array]:
        neuron = model(V3, V4)
        slope, trace = jax.vmap(jax.grad(neuron.current))(grid), jax.vmap(hurwitz(neuron))(grid)
        folds, turns = slope[1:] * slope[:-1] < 0, trace[1:] * trace[:-1] < 0
        k = jnp.argmax(folds | turns)  # the first, with rising voltage
        values = jnp.where(folds[k], slope[k], trace[k]), jnp.where(folds[k], slope[k + 1], trace[k + 1])
        at = grid[k] + (grid[k + 1] - grid[k]) * values[0] / (values[0] - values[1])
        return folds[k], neuron.current(at), at

    def rates(V3: Array, V4: Array, current: Array, voltage: Array) -> Array:
        neuron = model(V3, V4)
        start = neuron.state(voltage).at[0].add(60.0)
        return firing_rate(
            neuron, current, start, duration=config.duration, step=config.step, settle=config.duration / 2
        )

    V4s, V3s = (jnp.asarray(v.ravel()) for v in np.meshgrid(V4, V3, indexing="ij"))
    saddle_node, current, voltage = jax.jit(lambda a, b: jax.lax.map(lambda p: end_of_rest(*p), (a, b)))(V3s, V4s)
    single = [v.astype(jnp.float32) for v in (V3s, V4s, current, voltage)]
    simulate = jax.jit(jax.vmap(rates))
    above, below = (simulate(single[0], single[1], single[2] + m, single[3]) for m in (config.margin, -config.margin))
    shape = (V4.size, V3.size)
    return tuple(np.asarray(v).reshape(shape) for v in (saddle_node, current, above, below))


def _boundary(model: Callable[[Any, Any], Neuron], V4: np.ndarray, report: Callable[[str], None]) -> np.ndarray:
    """V3 on the line for each V4, nan where there is none."""
    found = jax.jit(jax.vmap(lambda v: class_boundary(lambda x: model(x, v), 8.0, -25.0)))(jnp.asarray(V4))
    there = np.asarray(found.residual) < 1e-9
    line = np.where(there, np.asarray(found.parameter), np.nan)
    report(f"the line: V3 from {np.nanmin(line):.4g} to {np.nanmax(line):.4g} mV, at {there.sum()} of {V4.size} widths")
    return line


def _sides(saddle_node: np.ndarray, boundary: np.ndarray, V3: np.ndarray) -> tuple[list[Measurement], list[Claim]]:
    known = np.isfinite(boundary)
    beyond = V3[None, :] > boundary[known, None]
    agree = (beyond == saddle_node[known]).mean(axis=1)
    share = Measurement("cells on the side of the line that their class says", "by width", 100 * agree, "%", "higher")
    return [share], [Claim("the line parts class II from saddle-nodes", KUZNETSOV, share, at_least=99.0)]


def _checked(
    model: Callable[[Any, Any], Neuron],
    saddle_node: np.ndarray,
    current: np.ndarray,
    V3: np.ndarray,
    V4: np.ndarray,
    config: Config,
    report: Callable[[str], None],
) -> tuple[list[Measurement], list[Claim]]:
    """Some cells of the map against complete lists of bifurcations."""
    if not config.certified:
        return [], []
    errors = []
    for flat in np.linspace(0, saddle_node.size - 1, config.certified).astype(int):
        row, column = np.unravel_index(flat, saddle_node.shape)
        first = min(bifurcations(model(float(V3[column]), float(V4[row]))), key=lambda b: b.voltage)
        same = (first.kind == "saddle-node") == saddle_node[row, column]
        errors.append(abs(first.current - current[row, column]) if same else np.inf)
    report(f"{config.certified} cells against complete lists: largest error of the current {max(errors):.1e}")
    error = Measurement(
        "error of the end of rest against complete lists", "the map", np.array(errors), "uA/cm^2", "lower"
    )
    return [error], [Claim("the map's scan misses no bifurcation", "interval bounds", error, at_most=1e-3)]


def _onset_law(
    model: Callable[[Any, Any], Neuron], report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim]]:
    """The exponent of the rate over the current, for three widths in class I."""
    above, exponents = jnp.asarray([1e-3, 1e-2]), []
    rates = jax.jit(
        lambda V4, current, start: jax.vmap(
            lambda d: firing_rate(model(12.0, V4), current + d, start, duration=14000.0, step=0.05, settle=1000.0)
        )(above)
    )
    for V4 in (17.0, 17.4, 17.8):
        neuron = model(12.0, V4)
        first = min(bifurcations(neuron), key=lambda b: b.voltage)
        low, high = rates(V4, first.current, neuron.state(first.voltage).at[0].add(60.0))
        exponents.append(float(jnp.log(high / low) / jnp.log(above[1] / above[0])))
    report(f"onset at V3 = 12: exponents {', '.join(f'{e:.4f}' for e in exponents)}, 0.001 to 0.01 above")
    error = Measurement("distance of the onset's exponent from 1/2", "V3 12", np.abs(np.array(exponents) - 0.5))
    return [error], [Claim("class I starts with the square root of the current", RINZEL, error, at_most=0.01)]


def _fits(config: Config, report: Callable[[str], None]) -> tuple[list[Measurement], list[Claim]]:
    """Conductances of calcium, potassium and the leak from the times of spikes."""
    if not config.guesses:
        return [], []
    truth, start = jnp.asarray([4.4, 8.0, 2.0]), jnp.asarray([-30.0, 0.05])

    def model(g: Array) -> Neuron:
        return morris_lecar(gCa=g[0], gK=g[1], gL=g[2])

    length = 110.0 * config.spikes
    times = spike_times(model(truth), 120.0, start, config.spikes, duration=length)
    noise = jax.random.uniform(jax.random.key(config.seed), (config.guesses, 3), minval=-0.2, maxval=0.2)
    fit = jax.jit(jax.vmap(lambda g: fit_spikes(model, times, 120.0, start, g, duration=length)))(
        truth * jnp.exp(noise)
    )
    errors = np.max(np.abs(np.asarray(fit.parameters) / np.asarray(truth) - 1), axis=1)
    rms = np.asarray(fit.error)
    report(f"fits: {np.mean(rms < 1e-3):.0%} reach 0.001 ms, {np.mean(errors < 1e-2):.0%} the conductances to 1 %")
    matched = Measurement(
        "fits whose spikes are within 0.001 ms", "from spike times", 100.0 * (rms < 1e-3), "%", "higher"
    )
    recovered = Measurement(
        "fits with conductances within 1 %", "from spike times", 100.0 * (errors < 1e-2), "%", "higher"
    )
    return [matched, recovered], [Claim("gradients find the spike train", "synthetic", matched, at_least=50.0)]
