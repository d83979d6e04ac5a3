"""The standard test of an activation in a net that must learn on and on: does it still can, late in a long stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import actlab.activations as al
from actlab.measurement import Better, Curve, Evaluation, Measurement, System
from actlab.systems.continual.online_learning import (
    Course,
    Learner,
    error_at_end,
    error_at_start,
    last_fifth,
    online_learning,
)
from actlab.systems.continual.predictor import foretold_error
from actlab.systems.continual.slowly_changing_regression import Problem
from actlab.training import seed_keys

CURVE = "Squared error over the stream, step size {:g}"
LINEAR = "linear net"
LANDMARKS = ("sin", "elu", "tanh", "relu")
"""Activations of which what is foretold is given beside."""


@dataclass(frozen=True)
class Settings:
    """The size of the test.

    Attributes:
        problem: the stream, the published one by default.
        learner: the nets; the first step size is the one at which plasticity is read.
    """

    problem: Problem = field(default_factory=Problem)
    learner: Learner = field(default_factory=Learner)


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Lets nets of the activation learn the slowly changing regression, at every step size.

    Args:
        activation: an Activation, a function or a name.
        seeds: of targets, streams and initial weights; all in one compiled program.
        settings: the size of the test.

    Raises:
        FactError: the activation's gradients are surrogates: what is asked is whether its own slopes still teach; or
            its slope is 0 everywhere, or not finite somewhere, so that nothing can be foretold.
    """
    activation, seeds = al.as_activation(activation), tuple(int(s) for s in seeds)
    al.require(activation, exact_gradient=True, because="the loss of plasticity is that of the activation's own slopes")
    foretold = foretold_error(activation)  # refuses before anything is trained
    course = _run(activation, seeds, settings)
    table = _errors(activation.name, course, seeds, settings)
    return Evaluation.of(
        (*table, *_state(activation.name, course, seeds)),
        _curves(activation.name, course, settings),
        _notes(foretold, course, settings),
    )


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """A net of the same size without any activation, on the same streams: what lines can follow."""
    seeds = tuple(int(s) for s in seeds)
    course = _run(al.identity, seeds, settings)
    return Evaluation.of(_errors(LINEAR, course, seeds, settings), _curves(LINEAR, course, settings))


def _run(activation: Any, seeds: tuple[int, ...], settings: Settings) -> Course:
    run = online_learning(activation, settings.problem, settings.learner)
    return Course(*(np.asarray(v, np.float64) for v in run(seed_keys(seeds))))


def _best(course: Course) -> int:
    """Which step size did best before the last fifth: chosen on other examples than it is then judged by, if any."""
    blocks = course.error.shape[-1]
    before = course.error[..., : max(1, blocks - last_fifth(blocks))].mean((1, 2))
    return int(np.argmin(np.where(np.isnan(before), np.inf, before)))


def _errors(who: str, course: Course, seeds: tuple[int, ...], settings: Settings) -> list[Measurement]:
    first = settings.learner.step_sizes[0]
    end = error_at_end(course.error)
    rows = (
        ("squared error, last fifth, best step size", end[_best(course)]),
        (f"squared error, last fifth, step {first:g}", end[0]),
        (f"rise of the error since the start, step {first:g}", end[0] - error_at_start(course.error[0])),
    )
    return [Measurement(name, who, values, "", "lower", seeds) for name, values in rows]


def _state(who: str, course: Course, seeds: tuple[int, ...]) -> list[Measurement]:
    """The hidden layer at the end, at the first step size."""
    rows: tuple[tuple[str, np.ndarray, str, Better], ...] = (
        ("units that do not vary, at the end", 100 * course.constant, "%", "lower"),
        ("units whose slope vanishes, at the end", 100 * course.flat, "%", "lower"),
        ("effective rank of the hidden layer, at the end", course.rank, "", "neither"),
        ("mean |weight| of the hidden layer, at the end", course.magnitude, "", "neither"),
    )
    return [Measurement(name, who, values[0, :, -1], unit, better, seeds) for name, values, unit, better in rows]


def _curves(who: str, course: Course, settings: Settings) -> list[Curve]:
    problem = settings.problem
    x = (np.arange(problem.blocks) + 1) * problem.block / 1000
    return [
        Curve(CURVE.format(step), who, x, course.error[i], "thousand examples", "squared error of a block")
        for i, step in enumerate(settings.learner.step_sizes)
    ]


def _notes(foretold: float, course: Course, settings: Settings) -> tuple[str, ...]:
    """What was foretold, what came, and what the units have to do with it."""
    first, end = settings.learner.step_sizes[0], float(error_at_end(course.error[0]).mean())
    start = float(error_at_start(course.error[0]).mean())
    stuck, flat = (100 * float(v[0, :, -1].mean()) for v in (course.constant, course.flat))
    beside = ", ".join(f"{name} {foretold_error(name):.2f}" for name in LANDMARKS)
    prediction = (
        f"Foretold by the slopes alone, for step 0.01 of the published stream: {foretold:.2f} in the last fifth "
        f"(of others: {beside})."
    )
    came = (
        f"At step {first:g} the error goes from {start:.2f} to {end:.2f}; at the end {stuck:.0f} % of the units do "
        f"not vary any more and {flat:.0f} % have no slope to learn through."
    )
    return prediction, came


SYSTEM = System(
    name="continual",
    title="Continual learning: a task that never stands still",
    question="Does a small net of this activation go on learning, or does it lose the ability with every change?",
    data="Simulated: the slowly changing regression (Dohare et al. 2024): 20 bits, nets of 5 hidden units",
    evaluate=evaluate,
    references=references,
)
