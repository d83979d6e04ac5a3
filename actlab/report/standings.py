"""The standings of one quantity: who was measured, who is best, and what the paired differences show."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Literal

from actlab.measurement import Measurement
from actlab.report.numbers import decimals_for, is_large
from actlab.report.results import Results, SystemResults
from actlab.report.sentences import Outcome, comparison, heading, listing, outcome

Kind = Literal["subject", "baseline", "reference", "method"]
Mark = Literal["best", "among the best", ""]


@dataclass(frozen=True)
class Verdict:
    """One subject against one other row of the standings, paired over their shared seeds."""

    subject: str
    outcome: Outcome
    words: str


@dataclass(frozen=True)
class Row:
    """One line of the standings.

    Attributes:
        label: the activation or reference method measured.
        kind: what it is in the results; "method" where an experiment measured it, without activations to compare.
        owner: the activation whose evaluation it comes from; None for a reference.
        measurement: mean and interval over seeds.
        mark: "best" where every paired difference from the others is off zero; "among the best" for the best mean and
            for those whose difference from it is not, else empty.
        verdicts: each subject against this row.
    """

    label: str
    kind: Kind
    owner: str | None
    measurement: Measurement
    mark: Mark = ""
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Standings:
    """One quantity over all who were measured in a system."""

    title: str
    rows: tuple[Row, ...]
    headline: bool

    @property
    def decimals(self) -> int | None:
        """Digits after the point that suit most of the rows; None where no row has an interval."""
        digits = [decimals_for(*row.measurement.interval) for row in self.rows]
        known = [d for d in digits if d is not None]
        return statistics.median_low(known) if known else None

    @property
    def large(self) -> bool:
        """Whether a row has numbers so large that all are written with powers of ten."""
        return is_large(v for row in self.rows for v in (row.measurement.mean, *row.measurement.interval))

    @property
    def subjects(self) -> tuple[Row, ...]:
        """The rows of what was asked about."""
        return tuple(row for row in self.rows if row.kind == "subject")


def standings(results: Results, system: SystemResults) -> tuple[Standings, ...]:
    """The standings of every quantity that a system measured, the headline first."""
    kinds: dict[str | None, Kind] = {a.name: a.role for a in results.activations}
    order = {a.name: i for i, a in enumerate(results.activations)}
    quantities: dict[tuple[str, str, str], list[Row]] = {}
    found = sorted(system.measurements(), key=lambda pair: order.get(pair[0] or "", len(order)))
    for owner, m in found:
        kind: Kind = kinds[owner] if owner is not None else "reference" if kinds else "method"
        quantities.setdefault((m.name, m.unit, m.better), []).append(Row(m.activation, kind, owner, m))
    first = next(iter(quantities), None)
    return tuple(_compared(rows, key == first) for key, rows in quantities.items())


def _compared(rows: list[Row], headline: bool) -> Standings:
    subjects = [row for row in rows if row.kind == "subject"]
    marks = _marks(rows)
    compared = tuple(
        Row(row.label, row.kind, row.owner, row.measurement, mark, _verdicts(row, subjects))
        for row, mark in zip(rows, marks, strict=True)
    )
    return Standings(heading(rows[0].measurement), compared, headline)


def _verdicts(row: Row, subjects: list[Row]) -> tuple[Verdict, ...]:
    others = [s for s in subjects if s is not row and row.kind != "subject" and paired(s, row)]
    differences = [(s, s.measurement.minus(row.measurement)) for s in others]
    return tuple(Verdict(s.label, outcome(d), comparison(d, row.label)) for s, d in differences)


def paired(a: Row, b: Row) -> bool:
    """Whether two rows share a seed."""
    return bool(set(a.measurement.seeds) & set(b.measurement.seeds))


def _marks(rows: list[Row]) -> list[Mark]:
    """The best among activations and references alike, and those that the seeds cannot tell from it."""
    better = rows[0].measurement.better
    able = [row for row in rows if math.isfinite(row.measurement.mean)]
    if better == "neither" or len(able) < 2:
        return ["" for _ in rows]
    sign = 1.0 if better == "higher" else -1.0
    best = max(able, key=lambda row: sign * row.measurement.mean)
    level = [row is not best and math.isfinite(row.measurement.mean) and not _beats(best, row) for row in rows]
    shared: Mark = "among the best" if any(level) else "best"
    return [shared if row is best else "among the best" if tied else "" for row, tied in zip(rows, level, strict=True)]


def _beats(best: Row, row: Row) -> bool:
    return paired(best, row) and outcome(best.measurement.minus(row.measurement)) == "better"


def summary(results: Results, system: SystemResults) -> list[str]:
    """One plain sentence a subject: how it stands on the headline quantity against the baselines."""
    table = standings(results, system)
    sentences = []
    for subject in results.subjects:
        evaluation = system.evaluations.get(subject.name)
        if evaluation is None:
            sentences.append(f"{subject.name} was not evaluated.")
        elif evaluation.refused is not None:
            sentences.append(f"{subject.name} was refused: it lacks a fact that this system demands.")
        elif evaluation.failed is not None:
            sentences.append(f"The evaluation of {subject.name} failed.")
        elif not table or not any(row.owner == subject.name for row in table[0].rows):
            sentences.append(f"Nothing was measured of {subject.name}.")
        else:
            sentences.append(_sentence(subject.name, table[0]))
    return sentences


_PHRASES: tuple[tuple[Outcome, str], ...] = (
    ("better", "better than {}"),
    ("worse", "worse than {}"),
    ("higher", "higher than {}"),
    ("lower", "lower than {}"),
    ("equal", "equal to {}"),
    ("open", "not shown to differ from {}"),
    ("incomparable", "not comparable with {}"),
)


def _sentence(subject: str, table: Standings) -> str:
    rows = [
        (v.outcome, row.label)
        for row in table.rows
        if row.kind == "baseline"
        for v in row.verdicts
        if v.subject in (r.label for r in table.subjects if r.owner == subject)
    ]
    parts = [
        phrase.format(listing([label for o, label in rows if o == which]))
        for which, phrase in _PHRASES
        if any(o == which for o, _ in rows)
    ]
    quantity = table.rows[0].measurement.name
    if not parts:
        return f"{subject}: {quantity} was measured, with no baseline to compare it with."
    return f"On {quantity}, {subject} is {listing(parts)}."
