"""The slowly changing regression by activation and step size: who goes on learning, and whether facts could tell.

Protocol: each seed draws a target, a stream and initial weights, shared by all activations and step sizes, so that
every comparison is paired. Nothing is tuned by activation. Errors are of each example before it is learnt. The halves
of the activations on which the predictor was built and tested were fixed by name before any was run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.measurement import Claim, Cloud, Curve, Measurement
from actlab.systems.continual import Course, Learner, Problem, error_at_end, error_at_start, online_learning
from actlab.training import seed_keys

SOURCE = "Dohare et al. 2024, Nature 632; bars set beforehand from their figure and another program's runs"
STARTED, ENDED = "squared error, first six blocks", "squared error, last fifth"
COURSE = "Squared error over the stream, step size {:g}"


@dataclass(frozen=True)
class Expected:
    """A claimed error of the last fifth.

    Attributes:
        activation: a name in `activations`.
        step_size: one of `step_sizes`.
        at_least: the least claimed, if one is.
        at_most: the most claimed, if one is.
    """

    activation: str
    step_size: float
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        activations: of the learners: names, `module:function` or `file.py:function`; `crelu` for the vector-valued one.
        seeds: how many.
        first_seed: of them.
        step_sizes: of plain gradient steps.
        blocks: of the stream.
        block: examples between two changes of the slow bits.
        one_bit: one slow bit flips between blocks, in place of a new draw of all.
        gain: of the initial hidden weights; the square root of 2 is the published one of ReLU.
        drawn: the activations whose courses are drawn.
        expected: claims on errors.
        order: pairs (better, worse) claimed at the first step size.
    """

    activations: Annotated[tuple[str, ...], Field(min_length=1)]
    seeds: Annotated[int, Field(ge=2)] = 30
    first_seed: Annotated[int, Field(ge=0)] = 0
    step_sizes: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (0.01, 0.003, 0.001)
    blocks: Annotated[int, Field(ge=10)] = 100
    block: Annotated[int, Field(ge=1)] = 10_000
    one_bit: bool = False
    gain: Annotated[float, Field(gt=0)] = 2**0.5
    drawn: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    order: tuple[tuple[str, str], ...] = ()


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve | Cloud]]:
    """Lets nets of every activation learn the streams; a run directory keeps each activation's courses as it goes.

    Raises:
        ValueError: a claim, or a course to draw, of an activation or a step size that is not run.
    """
    _check(config)
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    problem = Problem(block=config.block, blocks=config.blocks, one_bit=config.one_bit)
    learner = Learner(step_sizes=config.step_sizes, gain=config.gain)
    measured: dict[tuple[str, str], Measurement] = {}
    curves: list[Curve | Cloud] = []
    for name in config.activations:
        f = al.crelu if name == "crelu" else al.resolve(name)
        course = _kept(out, f.name, lambda f=f: online_learning(f, problem, learner)(seed_keys(seeds)))
        for m in _measurements(f.name, course, seeds, config):
            measured[m.name, name] = m
        if name in config.drawn:
            curves += _curves(f.name, course, problem, config)
        ends = (f"{error_at_end(course.error[i]).mean():.3f} at {s:g}" for i, s in enumerate(config.step_sizes))
        report(f"{f.name:18s} " + ", ".join(ends))
    return list(measured.values()), _claims(measured, config), curves


def _check(config: Config) -> None:
    named = {*config.drawn, *(e.activation for e in config.expected), *(a for pair in config.order for a in pair)}
    unknown = sorted(named - set(config.activations))
    if unknown:
        raise ValueError(f"not among the activations that are run: {', '.join(unknown)}")
    for e in config.expected:
        if e.step_size not in config.step_sizes:
            raise ValueError(f"expected of {e.activation}: step size {e.step_size:g} is not run")


def _kept(out: Path | None, name: str, make: Callable[[], Course]) -> Course:
    """The courses of an activation, from the run directory if it has them, else made and kept there."""
    file = None if out is None else out / "courses" / f"{name}.npz"
    if file is not None and file.is_file():
        with np.load(file) as held:
            return Course(**{field: held[field] for field in Course._fields})
    course = Course(*(np.asarray(v) for v in make()))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = file.with_suffix(".part.npz")
        np.savez(whole, **course._asdict())
        whole.replace(file)
    return course


def at_step(what: str, step_size: float) -> str:
    """The name of a quantity at a step size."""
    return f"{what}, step {step_size:g}"


def _measurements(who: str, course: Course, seeds: tuple[int, ...], config: Config) -> list[Measurement]:
    found = []
    for i, step in enumerate(config.step_sizes):
        for what, values in ((ENDED, error_at_end(course.error[i])), (STARTED, error_at_start(course.error[i]))):
            found.append(Measurement(at_step(what, step), who, values, "", "lower", seeds))
    state: tuple[tuple[str, Any, str], ...] = (
        ("constant units", 100 * course.constant, "%"),
        ("dormant units", 100 * course.dormant, "%"),
        ("flat units", 100 * course.flat, "%"),
        ("effective rank", course.rank, ""),
        ("mean |weight|", course.magnitude, ""),
    )
    for what, values, unit in state:
        name = at_step(f"{what} at the end", config.step_sizes[0])
        found.append(Measurement(name, who, values[0, :, -1], unit, "neither", seeds))
    return found


def _curves(who: str, course: Course, problem: Problem, config: Config) -> list[Curve]:
    thousands = (np.arange(problem.blocks) + 1) * problem.block / 1000
    return [
        Curve(
            COURSE.format(step),
            who,
            thousands,
            np.asarray(course.error[i]),
            "thousand examples",
            "squared error of a block",
        )
        for i, step in enumerate(config.step_sizes)
    ]


def _claims(measured: dict[tuple[str, str], Measurement], config: Config) -> list[Claim]:
    claims = []
    for e in config.expected:
        m = measured[at_step(ENDED, e.step_size), e.activation]
        for way, bound in (("at_least", e.at_least), ("at_most", e.at_most)):
            if bound is not None:
                said = (
                    f"{m.activation}, step {e.step_size:g}: the last fifth's error is {way.replace('_', ' ')} {bound:g}"
                )
                claims.append(Claim(said, SOURCE, m, **{way: bound}))
    step = config.step_sizes[0]
    for better, worse in config.order:
        gap = measured[at_step(ENDED, step), better].minus(measured[at_step(ENDED, step), worse])
        claims.append(Claim(f"{better} ends below {worse} at step {step:g}", SOURCE, gap, at_most=0.0))
    return claims
