"""The standard test of an activation as a student: does it take over values, slopes and curvature of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import actlab.activations as al
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.distillation.capability import Capability, capability
from actlab.systems.distillation.contest import contest
from actlab.systems.distillation.model import Recipe
from actlab.systems.distillation.peers import GAUSSIAN_PROCESS, gaussian_process_errors
from actlab.training import ensemble, seed_keys

MATCHED = ("values", "values and slopes", "values, slopes and curvature")
WHAT = ("value", "slope", "curvature")
TITLE = "Relative {} error against what is matched"


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        recipe: of teachers, students and training.
    """

    recipe: Recipe = field(default_factory=lambda: Recipe(steps=1500))


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Trains students of the activation on a tanh teacher's values, then slopes, then curvature, at 100 points.

    Args:
        activation: an Activation, a function or a name.
        seeds: of teachers, points and students; all in one compiled program.
        settings: the size of the test.

    Raises:
        FactError: the activation's gradients are surrogates.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    known = capability(activation)
    errors = ensemble(contest(activation, settings.recipe))(seed_keys(seeds))
    tables = [np.asarray(e, np.float64) for e in errors]
    notes = [_foretold(known)]
    if known.hessian:
        off = float(np.max(np.abs(tables[2] - 1)))
        notes.append(f"Measured: the curvature error differs from 1 by at most {off:.1g}, whatever was matched.")
    else:
        plain, matched = tables[2][:, 0].mean(), tables[2][:, -1].mean()
        notes.append(f"Matching curvature makes its error {plain / matched:.3g} times smaller than values alone do.")
    if activation.name == "tanh":
        notes.append("The teacher is a tanh net: this student is of its family, which favours it.")
    return Evaluation.of(_measurements(activation.name, tables, seeds), _curves(activation.name, tables), tuple(notes))


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """scikit-learn's Gaussian process on the values at the same points."""
    seeds = tuple(int(s) for s in seeds)
    tables = [np.asarray(e, np.float64)[:, None] for e in gaussian_process_errors(seeds, settings.recipe)]
    return Evaluation.of(_measurements(GAUSSIAN_PROCESS, tables, seeds), ())


def _foretold(known: Capability) -> str:
    if known.jacobian:
        return f"Foretold by the facts: slope and curvature errors are exactly 1, since {known.because}."
    if known.hessian:
        return f"Foretold by the facts: the curvature error is exactly 1 for every teacher, since {known.because}."
    return f"The facts foretell no limit: {known.because}."


def _measurements(who: str, tables: list[np.ndarray], seeds: tuple[int, ...]) -> list[Measurement]:
    """Curvature when all is matched first; a reference, which matches values alone, has the first column only."""
    return [
        Measurement(f"relative {what} error, {MATCHED[column]} matched", who, table[:, column], "", "lower", seeds)
        for column in reversed(range(tables[0].shape[1]))
        for what, table in reversed(tuple(zip(WHAT, tables, strict=True)))
    ]


def _curves(who: str, tables: list[np.ndarray]) -> list[Curve]:
    axis = np.arange(len(MATCHED))
    x_label = "derivatives matched: 0 none, 1 slopes, 2 curvature too"
    return [
        Curve(TITLE.format(what), who, axis, table, x_label, "squared error / teacher's own", log_y=True)
        for what, table in zip(WHAT, tables, strict=True)
    ]


SYSTEM = System(
    name="distillation",
    title="Distillation: values, slopes and curvature of a teacher",
    question="Can a small net of this activation take over not only what a teacher says, but how it bends?",
    data="Simulated: random tanh nets of two inputs (widths 64, 64), seen at 100 points of [-2, 2]^2",
    evaluate=evaluate,
    references=references,
)
