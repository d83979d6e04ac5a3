"""Spiking nets on Randman: accuracy over the slope of the surrogate, with and without gradients through the reset.

Each unit of a sample spikes exactly once, so that its class is in the times alone. Each seed draws manifolds, samples,
initial kernels and batches; at one seed the nets differ in nothing but the slope beta and whether the gradient passes
the reset. Recipe and decay were chosen by test accuracy on one other draw, at beta = 10 and detached. The control sees
the same samples with their spikes at random times: what the rates tell, which is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from actlab.measurement import Claim, Curve, Figure, Measurement
from actlab.systems.spiking import LIF, critical_beta, surrogate
from actlab.systems.spiking.contest import Task, contest, control
from actlab.training import over_devices

DETACHED, ATTACHED, CONTROL = "detached reset", "attached reset", "rates only"
SOURCE = "Zenke & Vogels 2021, Neural Computation 33(4), figures 2 and 5"
ACCURACY = "test accuracy on Randman"

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """The sweep.

    Attributes:
        surrogate: a family of surrogates.
        unit_area: divide it by its area, so that peaks grow with beta.
        betas: slopes, ascending.
        seeds: how many.
        first_seed: of them.
        steps: of Adam.
        classes: of Randman.
        samples: of each class.
        floor: least accuracy that the claim promises of detached resets at every beta, %.
    """

    surrogate: str = "sigmoid"
    unit_area: bool = True
    betas: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1.0, 3.0, 10.0, 30.0, 100.0)
    seeds: Annotated[int, Field(ge=1)] = 5
    first_seed: Annotated[int, Field(ge=0)] = 0
    steps: Annotated[int, Field(ge=1)] = 300
    classes: Annotated[int, Field(ge=2)] = 10
    samples: Annotated[int, Field(ge=10)] = 1000
    floor: float = 95.0


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Trains all nets in one program, and the control; the claims are on accuracies."""
    task = Task(classes=config.classes, samples=config.samples)
    task = replace(task, recipe=replace(task.recipe, steps=config.steps))
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    keys = jnp.stack([jax.random.fold_in(jax.random.key(7), s) for s in seeds])

    def neuron(beta: Any, share: Any) -> LIF:
        h = surrogate(config.surrogate, beta)
        return LIF(surrogate=h.unit_area() if config.unit_area else h, reset_gradient=share)

    report(f"{2 * len(config.betas) * len(seeds)} nets in one program, and {len(seeds)} of the control")
    betas = jnp.asarray(config.betas, jnp.float32)
    found = over_devices(contest(neuron, betas, jnp.asarray([0.0, 1.0]), task))(keys)
    right = 100 * np.asarray(found.accuracy, np.float64)
    for name, values in zip((DETACHED, ATTACHED), right.transpose(2, 0, 1), strict=True):
        report(f"{name}: " + "  ".join(f"{b:g}: {v:.1f}" for b, v in zip(config.betas, values.mean(0), strict=True)))
    chance = 100 * np.asarray(over_devices(control(neuron(10.0, 0.0), task))(keys).accuracy, np.float64)
    report(f"{CONTROL}: {chance.mean():.1f}")
    return _measurements(right, chance, config, seeds), _claims(right, chance, config, seeds), _curves(right, config)


def _measurements(right: np.ndarray, chance: np.ndarray, config: Config, seeds: tuple[int, ...]) -> list[Measurement]:
    measured = [
        Measurement(f"{ACCURACY}, beta = {beta:g}", name, right[:, i, j], "%", "higher", seeds)
        for i, beta in enumerate(config.betas)
        for j, name in enumerate((DETACHED, ATTACHED))
    ]
    return [*measured, Measurement(ACCURACY, CONTROL, chance, "%", "neither", seeds)]


def _claims(right: np.ndarray, chance: np.ndarray, config: Config, seeds: tuple[int, ...]) -> list[Claim]:
    worst = Measurement("least accuracy over beta", DETACHED, right[:, :, 0].min(1), "%", "higher", seeds)
    guess = 100 / config.classes
    off = Measurement("distance from chance", CONTROL, np.abs(chance - guess), "%", "lower", seeds)
    claims = [
        Claim(f"detached: at least {config.floor:g} % at every beta", SOURCE, worst, at_least=config.floor),
        Claim("rates alone: within 2 % of chance", "each unit spikes once", off, at_most=2.0),
    ]
    steep = LIF(surrogate=surrogate(config.surrogate, 1.0), reset_gradient=1.0, decay=Task().decay)
    critical = float(critical_beta(steep)) if config.unit_area else np.inf
    beyond = [i for i, beta in enumerate(config.betas) if beta > 4 * critical]
    if beyond:
        loss = right[:, beyond, 0].mean(1) - right[:, beyond, 1].mean(1)
        lost = Measurement("accuracy lost by attaching the reset", ATTACHED, loss, "%", "lower", seeds)
        claims.append(
            Claim(f"attached beyond 4 beta_crit = {4 * critical:.3g}: loses accuracy", SOURCE, lost, at_least=0.0)
        )
    return claims


def _curves(right: np.ndarray, config: Config) -> list[Figure]:
    x = np.asarray(config.betas)
    return [
        Curve(ACCURACY, name, x, right[:, :, j], "beta", "accuracy, %", log_x=True)
        for j, name in enumerate((DETACHED, ATTACHED))
    ]
