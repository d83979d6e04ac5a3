"""Falsifiable statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from actlab.measurement.measurement import Measurement

Verdict = Literal["holds", "fails", "undecided"]


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
