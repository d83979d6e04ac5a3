"""One quantity measured over seeds."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from actlab.measurement.bootstrap import bootstrap_interval

Better = Literal["higher", "lower", "neither"]
ROUNDING = 1e-12
"""A smaller relative difference of two values is rounding."""


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
        """The difference self - other: paired over the shared seeds; 0 where it is rounding, below 1e-12 of the values.

        Raises:
            ValueError: no seed in common, or different quantities.
        """
        if (self.name, self.unit) != (other.name, other.unit):
            raise ValueError(f"cannot compare {self.name!r} [{self.unit}] with {other.name!r} [{other.unit}]")
        shared = [s for s in self.seeds if s in other.seeds]
        if not shared:
            raise ValueError(f"{self.name!r}: {self.activation} and {other.activation} share no seed")
        mine, theirs = (dict(zip(m.seeds, m.values, strict=True)) for m in (self, other))
        pair = np.array([[mine[s], theirs[s]] for s in shared])
        values = pair[:, 0] - pair[:, 1]
        # Two equal quantities summed in another order differ in their last bits: no difference that counts. Strictly
        # less, so that the difference from an infinite value stays infinite.
        values = np.where(np.abs(values) < ROUNDING * np.abs(pair).max(1), 0.0, values)
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


def _finite(value: float) -> float | str:
    """A JSON number, or its name where JSON has none."""
    return value if np.isfinite(value) else str(value)
