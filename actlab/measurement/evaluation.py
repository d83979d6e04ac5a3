"""What a system measures of an activation, and the system itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from actlab.measurement.cloud import Cloud
from actlab.measurement.curve import Curve
from actlab.measurement.heatmap import Heatmap
from actlab.measurement.measurement import Measurement

Figure = Curve | Heatmap | Cloud
"""What the report draws."""


@dataclass(frozen=True)
class Evaluation:
    """What one system measured of one activation.

    Attributes:
        measurements: the table, the headline quantity first.
        curves: lines with bands.
        notes: plain sentences for the reader: what to see, what was clipped, what to beware of.
        refused: the error text where the activation lacks a fact that the system demands; then nothing was measured.
        failed: the error where the evaluation broke off for any other reason; then nothing was measured either.
        heatmaps: values over a plane, and images.
        clouds: points in the plane under regions.
    """

    measurements: tuple[Measurement, ...] = ()
    curves: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str | None = None
    heatmaps: tuple[Heatmap, ...] = ()
    clouds: tuple[Cloud, ...] = ()
    failed: str | None = None

    @property
    def unmeasured(self) -> tuple[str, str] | None:
        """("refused" or "failed", why), where nothing was measured for such a reason."""
        reasons = (("refused", self.refused), ("failed", self.failed))
        return next(((word, why) for word, why in reasons if why is not None), None)

    @classmethod
    def of(
        cls, measurements: Iterable[Measurement], figures: Iterable[Figure], notes: tuple[str, ...] = ()
    ) -> Evaluation:
        """An evaluation from its table and its figures of any kind, each kind in the order given."""
        figures = tuple(figures)
        return cls(
            tuple(measurements),
            tuple(f for f in figures if isinstance(f, Curve)),
            notes,
            heatmaps=tuple(f for f in figures if isinstance(f, Heatmap)),
            clouds=tuple(f for f in figures if isinstance(f, Cloud)),
        )


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
