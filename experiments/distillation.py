"""Distillation: the relative errors of values, slopes and curvature, by the student's activation and what is matched.

Protocol: each seed draws a tanh teacher of two inputs, a hundred points of [-2, 2]^2 and the student's weights; errors
are taken over two thousand other points. Nothing is tuned by activation. The teacher is a tanh net, which favours the
tanh student: it is shown, and read apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.distillation import Recipe, capability, contest
from actlab.systems.distillation.evaluation import MATCHED, TITLE, WHAT
from actlab.training import over_devices, seed_keys

SOURCE = "Czarnecki et al. 2017, arXiv:1706.04859; bars set beforehand"

MANY_PROCESSES = True


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        activations: of the students: names, `module:function` or `file.py:function`.
        seeds: how many.
        first_seed: of them.
        points: that the student sees.
        steps: of the optimizer.
        learning_rate: at the start, falling as a cosine.
        smooth: the activation whose curvature error is claimed; one of `activations`.
        curvature_at_most: the claimed error when curvature is matched too.
        gain_at_least: how many times smaller it is claimed to be than with values alone.
    """

    activations: tuple[str, ...] = ("tanh", "relu", "leaky_relu", "softplus", "gelu", "swish", "sin")
    seeds: Annotated[int, Field(ge=2)] = 5
    first_seed: Annotated[int, Field(ge=0)] = 0
    points: Annotated[int, Field(ge=2)] = 100
    steps: Annotated[int, Field(ge=1)] = 3000
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    smooth: str = "tanh"
    curvature_at_most: float = 0.10
    gain_at_least: float = 5.0


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains students of every activation under each of the three matchings; the claims are those of the config.

    Raises:
        ValueError: `smooth` is not among the activations.
    """
    if config.smooth not in config.activations:
        raise ValueError(f"smooth = {config.smooth!r} must be one of the activations: {', '.join(config.activations)}")
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    recipe = Recipe(points=config.points, steps=config.steps, learning_rate=config.learning_rate)
    measured, claims, curves = [], [], []
    for given in config.activations:
        f = al.resolve(given)
        known = capability(f)
        if known.hessian:
            report(f"{f.name}: curvature cannot be matched, its error will be exactly 1: {known.because}")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            errors = [np.asarray(e, np.float64) for e in over_devices(contest(f, recipe))(seed_keys(seeds))]
        report(f"{f.name:12s} " + " | ".join("  ".join(f"{e[:, o].mean():8.2e}" for e in errors) for o in range(3)))
        for what, table in zip(WHAT, errors, strict=True):
            axis, x_label = np.arange(3), "derivatives matched: 0 none, 1 slopes, 2 curvature too"
            curves.append(
                Curve(TITLE.format(what), f.name, axis, table, x_label, "squared error / teacher's own", log_y=True)
            )
            measured += [
                Measurement(f"relative {what} error, {matched} matched", f.name, table[:, o], "", "lower", seeds)
                for o, matched in enumerate(MATCHED)
            ]
        curvature = errors[2]
        if known.hessian:
            off = Measurement("|curvature error - 1|", f.name, np.abs(curvature - 1).max(axis=1), "", "lower", seeds)
            claims.append(
                Claim(
                    f"{f.name}: the curvature error is 1 up to rounding, as its facts foretell",
                    SOURCE,
                    off,
                    at_most=1e-6,
                )
            )
        elif given == config.smooth:
            claims += _of_smooth(f.name, curvature, config, seeds)
    return measured, claims, curves


def _of_smooth(who: str, curvature: np.ndarray, config: Config, seeds: tuple[int, ...]) -> list[Claim]:
    least = Measurement("curvature error, all matched", who, curvature[:, 2], "", "lower", seeds)
    gain = Measurement(
        "curvature error, values alone / all", who, curvature[:, 0] / curvature[:, 2], "", "higher", seeds
    )
    return [
        Claim(
            f"{who}: matching curvature brings its error to {config.curvature_at_most:g} or less",
            SOURCE,
            least,
            at_most=config.curvature_at_most,
        ),
        Claim(
            f"{who}: at least {config.gain_at_least:g} times below matching values alone",
            SOURCE,
            gain,
            at_least=config.gain_at_least,
        ),
    ]
