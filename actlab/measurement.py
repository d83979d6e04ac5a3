"""Measurements, curves and claims: the one currency between systems, report and experiments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Better = Literal["higher", "lower", "neither"]
Verdict = Literal["holds", "fails", "undecided"]

RESAMPLES = 4000
"""Bootstrap resamples behind every interval."""


@dataclass(frozen=True)
class Measurement:
    """One quantity measured over seeds.

    Attributes:
        name: what was measured, as a table heading: "test RMSE", "coverage of the 90 % interval".
        activation: the name of what was measured: an activation, or a reference method such as "HuberRegressor".
        values: one value a seed, shape (seeds,), float64. Non-finite values are kept and shown, never dropped.
        unit: "", "nats", "sd", "%", ...
        better: the direction that is good.
        seeds: the seeds behind `values`, which pair it with other measurements; 0, 1, ... where not given.
    """

    name: str
    activation: str
    values: np.ndarray
    unit: str = ""
    better: Better = "lower"
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        values = np.atleast_1d(np.asarray(self.values, np.float64))
        if values.ndim != 1 or values.size == 0:
            raise ValueError(f"measurement {self.name!r}: values must have shape (seeds,), got {values.shape}")
        seeds = tuple(int(s) for s in self.seeds) or tuple(range(values.size))
        if len(seeds) != values.size:
            raise ValueError(f"measurement {self.name!r}: {values.size} values for {len(seeds)} seeds")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "seeds", seeds)

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.values))

    @functools.cached_property
    def interval(self) -> tuple[float, float]:
        """95 % percentile-bootstrap interval of the mean over seeds; nan for fewer than two, or non-finite, values."""
        return bootstrap_interval(self.values)

    def minus(self, other: Measurement) -> Measurement:
        """The difference self - other: paired over the shared seeds.

        Raises:
            ValueError: no seed in common, or different quantities.
        """
        if (self.name, self.unit) != (other.name, other.unit):
            raise ValueError(f"cannot compare {self.name!r} [{self.unit}] with {other.name!r} [{other.unit}]")
        shared = [s for s in self.seeds if s in other.seeds]
        if not shared:
            raise ValueError(f"{self.name!r}: {self.activation} and {other.activation} share no seed")
        mine, theirs = (dict(zip(m.seeds, m.values, strict=True)) for m in (self, other))
        values = np.array([mine[s] - theirs[s] for s in shared])
        return Measurement(
            self.name, f"{self.activation} - {other.activation}", values, self.unit, self.better, tuple(shared)
        )

    def as_json(self) -> dict[str, Any]:
        """Plain data: name, activation, mean, low, high, seeds, unit, better."""
        low, high = self.interval
        return {
            "name": self.name,
            "activation": self.activation,
            "mean": _finite(self.mean),
            "low": _finite(low),
            "high": _finite(high),
            "seeds": len(self.seeds),
            "unit": self.unit,
            "better": self.better,
        }


@dataclass(frozen=True)
class Curve:
    """A quantity along an axis, over seeds: what a system's figure draws, a line with its band.

    Attributes:
        name: the quantity, the title of the figure; curves of one name are drawn together.
        activation: whose curve it is (an activation or a reference method): the legend.
        x: shape (points,).
        values: shape (seeds, points); the line is the mean, the band the 95 % bootstrap interval.
        x_label: axis label with unit.
        y_label: axis label with unit.
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
    """

    name: str
    activation: str
    x: np.ndarray
    values: np.ndarray
    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", np.asarray(self.x, np.float64))
        object.__setattr__(self, "values", np.atleast_2d(np.asarray(self.values, np.float64)))
        if self.values.shape[1:] != self.x.shape:
            raise ValueError(f"curve {self.name!r}: x has shape {self.x.shape}, values {self.values.shape}")

    @functools.cached_property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the 95 % interval of the mean, each of shape (points,)."""
        ends = np.array([bootstrap_interval(column) for column in self.values.T])
        return ends[:, 0], ends[:, 1]


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement, decided by the interval of one measurement.

    Attributes:
        statement: the claim in one sentence.
        source: paper and table or equation.
        measurement: the deciding quantity, often a paired difference.
        at_least: the claim holds where the quantity is at least this; exactly one of the two bounds is given.
        at_most: the claim holds where it is at most this.
    """

    statement: str
    source: str
    measurement: Measurement
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"claim {self.statement!r}: give exactly one of at_least, at_most")

    @property
    def verdict(self) -> Verdict:
        """Whether the whole interval is on the right side of the bound, on the wrong side, or on both."""
        low, high = self.measurement.interval
        if self.at_least is not None:
            return "holds" if low >= self.at_least else "fails" if high < self.at_least else "undecided"
        assert self.at_most is not None
        return "holds" if high <= self.at_most else "fails" if low > self.at_most else "undecided"

    def as_json(self) -> dict[str, Any]:
        """Plain data: statement, source, bound, measurement, verdict."""
        return {
            "statement": self.statement,
            "source": self.source,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "measurement": self.measurement.as_json(),
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Evaluation:
    """What one system measured of one activation.

    Attributes:
        measurements: the table, the headline quantity first.
        curves: the figure.
        notes: plain sentences for the reader: what to see, what was clipped, what to beware of.
        refused: the error text where the activation lacks a fact that the system demands; then nothing was measured.
    """

    measurements: tuple[Measurement, ...] = ()
    curves: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True)
class System:
    """One of the places where the activation decides, as `actlab evaluate` and the report see it.

    Attributes:
        name: the package's name under `actlab.systems`.
        title: for the card's heading.
        question: one plain sentence: what this system asks of an activation.
        data: the data set and its source, one line.
        evaluate: (activation, seeds) -> Evaluation; reproducible from both, seconds to a minute on two cores.
        references: seeds -> Evaluation of the methods that need no activation (scikit-learn's, a closed form).
    """

    name: str
    title: str
    question: str
    data: str
    evaluate: Callable[[Any, tuple[int, ...]], Evaluation]
    references: Callable[[tuple[int, ...]], Evaluation] = field(default=lambda seeds: Evaluation())


def bootstrap_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile-bootstrap interval of the mean; the resampling is seeded, so equal values give equal intervals.

    Args:
        values: shape (n,).
        level: coverage aimed at.

    Returns:
        (low, high); nan for n < 2 or where a value is not finite. Intervals from a handful of seeds are narrow: read
        the number of seeds beside them.
    """
    values = np.asarray(values, np.float64)
    if values.size < 2 or not np.all(np.isfinite(values)):
        return float("nan"), float("nan")
    from scipy.stats import bootstrap

    result = bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _finite(value: float) -> float | str:
    """A JSON number, or its name where JSON has none."""
    return value if np.isfinite(value) else str(value)
