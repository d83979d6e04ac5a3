"""The file format of results: what is written, and what is checked when a file is read."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from actlab.measurement import Better, Claim, Evaluation, Measurement, Verdict
from actlab.report.figure_records import CloudRecord, CurveRecord, HeatmapRecord, Numbers, Record, Table
from actlab.report.portrait import Portrait
from actlab.report.profile import Profile, Role
from actlab.report.results import Results, ResultsError, RunInfo, SystemResults

FORMAT: Literal["actlab results 1"] = "actlab results 1"


class MeasurementRecord(Record):
    """A Measurement with its values per seed."""

    name: str
    activation: str
    values: Numbers
    unit: str
    better: Better
    seeds: tuple[int, ...]

    def restore(self) -> Measurement:
        """The Measurement."""
        return Measurement(**{**dict(self), "values": np.array(self.values)})


class EvaluationRecord(Record):
    """An Evaluation."""

    measurements: list[MeasurementRecord]
    curves: list[CurveRecord]
    notes: tuple[str, ...]
    refused: str | None
    heatmaps: list[HeatmapRecord] = []
    clouds: list[CloudRecord] = []
    failed: str | None = None

    def restore(self) -> Evaluation:
        """The Evaluation."""
        parts = ("measurements", "curves", "heatmaps", "clouds")
        restored = {name: tuple(part.restore() for part in getattr(self, name)) for name in parts}
        return Evaluation(**restored, notes=self.notes, refused=self.refused, failed=self.failed)


class ClaimRecord(Record):
    """A Claim with its values; the verdict is for those who read the file: a reader of ours decides anew."""

    statement: str
    source: str
    measurement: MeasurementRecord
    at_least: float | None
    at_most: float | None
    verdict: Verdict

    def restore(self) -> Claim:
        """The Claim."""
        return Claim(self.statement, self.source, self.measurement.restore(), self.at_least, self.at_most)


class SystemRecord(Record):
    """The SystemResults."""

    name: str
    title: str
    question: str
    data: str
    evaluations: dict[str, EvaluationRecord]
    references: EvaluationRecord
    seconds: float
    reused: tuple[str, ...] = ()

    def restore(self) -> SystemResults:
        """The SystemResults."""
        evaluations = {name: e.restore() for name, e in self.evaluations.items()}
        return SystemResults(**{**dict(self), "evaluations": evaluations, "references": self.references.restore()})


class PortraitRecord(Record):
    """A Portrait."""

    x: Numbers
    value: Table
    slope: Table
    curvature: Table
    channels: int
    missing: str

    def restore(self) -> Portrait:
        """The Portrait."""
        arrays = {name: np.array(getattr(self, name)) for name in ("x", "value", "slope", "curvature")}
        return Portrait(**arrays, channels=self.channels, missing=self.missing)


Bound = float | Literal["inf", "-inf"]


class FactsRecord(Record):
    """What `Facts.as_json` states."""

    range: tuple[Bound, Bound] | None
    slope: tuple[Bound, Bound] | None
    curvature: tuple[Bound, Bound] | None
    smoothness: int | Literal["inf", "-inf"] | None
    kinks: list[Bound] | None
    monotone: str
    gradient: str
    standing: Literal["declared", "proved", "unknown"]


class ProfileRecord(Record):
    """A Profile."""

    name: str
    role: Role
    family: str
    source: str
    doc: str
    parameters: dict[str, Any]
    facts: FactsRecord
    portrait: PortraitRecord
    certificate: str = ""
    remark: str = ""

    def restore(self) -> Profile:
        """The Profile."""
        facts = self.facts.model_dump(mode="json")
        return Profile(**{**dict(self), "facts": facts, "portrait": self.portrait.restore()})


class RunRecord(Record):
    """The RunInfo."""

    command: str
    seeds: tuple[int, ...]
    versions: dict[str, str]
    device: str
    date: str
    commit: str | None
    config: str | None = None
    settings: dict[str, Any] = {}

    def restore(self) -> RunInfo:
        """The RunInfo."""
        return RunInfo(**dict(self))


class ResultsRecord(Record):
    """A results file."""

    format: Literal["actlab results 1"] = FORMAT
    title: str = ""
    run: RunRecord
    claims: list[ClaimRecord] = []
    activations: list[ProfileRecord]
    systems: list[SystemRecord]

    def restore(self) -> Results:
        """The Results."""
        activations = tuple(a.restore() for a in self.activations)
        systems, claims = tuple(s.restore() for s in self.systems), tuple(c.restore() for c in self.claims)
        return Results(activations, systems, self.run.restore(), self.title, claims)


def encode(results: Results) -> str:
    """The text of a results file."""
    return ResultsRecord.model_validate(results).model_dump_json()


def decode(text: str) -> Results:
    """The results in the text of a results file.

    Raises:
        ResultsError: the text is not such a file; names the first place that is wrong.
    """
    return _decoded(ResultsRecord, text)


def encode_evaluation(evaluation: Evaluation) -> str:
    """One Evaluation as text, for keeping it before all are finished."""
    return EvaluationRecord.model_validate(evaluation).model_dump_json()


def decode_evaluation(text: str) -> Evaluation:
    """The Evaluation that `encode_evaluation` wrote.

    Raises:
        ResultsError: the text is not such a file; names the first place that is wrong.
    """
    return _decoded(EvaluationRecord, text)


def _decoded(record: Any, text: str) -> Any:
    try:
        return record.model_validate_json(text).restore()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ResultsError(f"not a results file: {where}: {first['msg']}; evaluate again to write a new one") from error
    except ValueError as error:
        raise ResultsError(f"not a results file: {error}; evaluate again to write a new one") from error
