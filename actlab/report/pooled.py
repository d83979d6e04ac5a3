"""All systems pooled: how often a subject is better than a baseline on the same seed, and by how much in the middle.

Each system brings its headline quantity. Of a pair of values of one seed two things are scale-free: which of them is
better, and their difference relative to their sizes. Both are pooled over systems and seeds, with intervals from
resampling the seeds within each system (Agarwal et al. 2021, arXiv:2108.13264, section 4: stratified bootstrap,
probability of improvement, interquartile mean; here paired by seed).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import trim_mean

from actlab.measurement import ROUNDING, Measurement, stratified_interval
from actlab.report.numbers import number
from actlab.report.results import Results, SystemResults
from actlab.report.sentences import TOGETHER, count
from actlab.report.standings import Standings

DEFINITION = (
    "Pooled are the headline quantities of the systems in which both were measured on shared seeds. Better on a seed: "
    "the share of seeds on which the first is better, ties counting half, averaged over the systems. Middle "
    "difference: the interquartile mean over all pairs of (a - b) / (|a| + |b|), positive where the first is better; "
    "0.05 is about a tenth. Intervals resample the seeds within each system (Agarwal et al. 2021): they speak of these "
    "systems, each with the same weight in the first number, and of no others."
)


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval.

    Attributes:
        value: the statistic.
        low: lower end; nan where a system has a single seed.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def parts(self, *, signed: bool = False) -> tuple[str, str]:
        """`0.600` and `[0.511, 0.689]`."""
        value, low, high = (number(v, 3, signed=signed) for v in (self.value, self.low, self.high))
        return value, "(no interval)" if math.isnan(self.low) else f"[{low},{TOGETHER}{high}]"

    def text(self, *, signed: bool = False) -> str:
        """`0.600 [0.511, 0.689]`."""
        return " ".join(self.parts(signed=signed))


@dataclass(frozen=True)
class Pooled:
    """A subject against a baseline over all systems in which both have a headline quantity on shared seeds.

    Attributes:
        subject: the activation that was asked about.
        baseline: the one that it is compared with.
        systems: names of the systems that are pooled.
        left_out: names of those where both were measured but a value is not finite.
        runs: pairs of values, over all of them.
        improvement: the probability that the subject is better on a seed: the share of seeds where it is, ties
            counting half, averaged over the systems.
        middle: the interquartile mean over all pairs of (subject - baseline) / (|subject| + |baseline|), signed so that
            positive is better: 0.05 is about a tenth better.
    """

    subject: str
    baseline: str
    systems: tuple[str, ...]
    left_out: tuple[str, ...]
    runs: int
    improvement: Estimate
    middle: Estimate


def pooled(results: Results) -> tuple[Pooled, ...]:
    """Each subject against each baseline, where at least two systems can be pooled."""
    headlines = {s.title: _headline(s) for s in results.systems}
    found = []
    for subject in results.subjects:
        for baseline in results.baselines:
            pairs = {
                title: _pairs(measured[subject.name], measured[baseline.name])
                for title, measured in headlines.items()
                if {subject.name, baseline.name} <= set(measured)
            }
            able = {title: pair for title, pair in pairs.items() if len(pair) and np.all(np.isfinite(pair))}
            if len(able) > 1:
                left_out = tuple(title for title, pair in pairs.items() if len(pair) and title not in able)
                found.append(_pool(subject.name, baseline.name, able, left_out))
    return tuple(found)


def multiplicity(tables: Iterable[Standings]) -> str:
    """How many comparisons the page makes, and how many chance alone would show; empty where it makes none."""
    outcomes = [v.outcome for table in tables for row in table.rows for v in row.verdicts]
    decided = sum(o in ("better", "worse", "higher", "lower") for o in outcomes)
    made = decided + outcomes.count("open")
    if not made:
        return ""
    chance = max(1, round(made * 0.05))
    return (
        f"It makes {count(made, 'comparison')}, of which {decided} leave out zero; about {chance} would if no two rows "
        "differed at all, and more with few seeds. A difference that matters deserves seeds of its own."
    )


def _headline(system: SystemResults) -> dict[str, Measurement]:
    """The first quantity of a system that says which direction is good, by the activation that it belongs to."""
    owned = [(owner, m) for owner, m in system.measurements() if owner is not None and m.better != "neither"]
    first = [(owner, m) for owner, m in owned if (m.name, m.unit) == (owned[0][1].name, owned[0][1].unit)]
    return dict(reversed(first))  # of several of one activation the first


def _pairs(mine: Measurement, theirs: Measurement) -> Float[np.ndarray, "seeds 2"]:
    """Their values on shared seeds, of which there may be none; more is better."""
    sign = 1.0 if mine.better == "higher" else -1.0
    values = [dict(zip(m.seeds, sign * m.values, strict=True)) for m in (mine, theirs)]
    return np.array([[v[s] for v in values] for s in mine.seeds if s in theirs.seeds]).reshape(-1, 2)


def _pool(subject: str, baseline: str, pairs: dict[str, np.ndarray], left_out: tuple[str, ...]) -> Pooled:
    relative = [_relative(pair) for pair in pairs.values()]
    wins = [(np.sign(r) + 1) / 2 for r in relative]

    def improvement(*systems: np.ndarray, axis: int) -> Any:
        return np.mean([np.mean(s, axis=axis) for s in systems], axis=0)

    def middle(*systems: np.ndarray, axis: int) -> Any:
        return trim_mean(np.concatenate(systems, axis=axis), 0.25, axis=axis)

    return Pooled(
        subject,
        baseline,
        tuple(pairs),
        left_out,
        sum(map(len, relative)),
        Estimate(float(improvement(*wins, axis=-1)), *stratified_interval(wins, improvement)),
        Estimate(float(middle(*relative, axis=-1)), *stratified_interval(relative, middle)),
    )


def _relative(pairs: Float[np.ndarray, "seeds 2"]) -> Float[np.ndarray, " seeds"]:
    """(a - b) / (|a| + |b|); 0 where it is rounding, below 1e-12, or both are 0."""
    size = np.abs(pairs).sum(axis=1)
    found = np.divide(pairs[:, 0] - pairs[:, 1], size, out=np.zeros(len(pairs)), where=size > 0)
    return np.where(np.abs(found) < ROUNDING, 0.0, found)
