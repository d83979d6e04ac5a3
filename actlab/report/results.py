"""The results of an evaluation or of an experiment: all that the report needs, kept as one JSON file."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax

from actlab import __version__
from actlab.measurement import Claim, Cloud, Curve, Evaluation, Heatmap, Measurement, System
from actlab.report.gathering import gather
from actlab.report.profile import Profile
from actlab.report.sentences import listing


class ResultsError(ValueError):
    """A results file that cannot be read: not JSON, another format, or a field that is missing or wrong."""


@dataclass(frozen=True)
class RunInfo:
    """How the results came about: what a reader needs to reproduce them.

    Attributes:
        command: the command line.
        seeds: the seeds of every evaluation.
        versions: package name -> version; "python" among them.
        device: what it ran on.
        date: UTC, ISO 8601.
        commit: of the actlab checkout, where it is one.
        config: the configuration file of an experiment.
        settings: what was resolved from it and the overrides, as plain data.
    """

    command: str
    seeds: tuple[int, ...]
    versions: dict[str, str]
    device: str
    date: str
    commit: str | None = None
    config: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SystemResults:
    """What one system measured of all activations; or what an experiment measured, all of it under `references`.

    Attributes:
        name: the system's or experiment's name.
        title: for the heading.
        question: one plain sentence.
        data: the data set and its source; may be empty.
        evaluations: activation name -> what was measured; an activation that was not evaluated is absent.
        references: the methods that need no activation.
        seconds: wall time, compilation included, of what was not reused; nan where it is not known.
        reused: activations, and "references", whose evaluation was kept by an earlier run and not computed in this one.
    """

    name: str
    title: str
    question: str
    data: str
    evaluations: dict[str, Evaluation]
    references: Evaluation = field(default_factory=Evaluation)
    seconds: float = 0.0
    reused: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        system: System,
        evaluations: dict[str, Evaluation],
        references: Evaluation,
        seconds: float,
        reused: tuple[str, ...] = (),
    ) -> SystemResults:
        """The results of a system, which gives its own name, title, question and data."""
        return cls(system.name, system.title, system.question, system.data, evaluations, references, seconds, reused)

    def measurements(self) -> Iterator[tuple[str | None, Measurement]]:
        """Every measurement with the activation that it belongs to; None for the references."""
        for name, evaluation in self.evaluations.items():
            yield from ((name, m) for m in evaluation.measurements)
        yield from ((None, m) for m in self.references.measurements)

    def curves(self) -> tuple[tuple[str | None, Curve], ...]:
        """Every curve with the activation that it belongs to, subjects first; see `gather`."""
        brought = [(name, c) for name, e in self.evaluations.items() for c in e.curves]
        return gather([*brought, *((None, c) for c in self.references.curves)])

    def heatmaps(self) -> tuple[Heatmap, ...]:
        """Every heatmap, references (the truth) first; see `gather`."""
        references = [(None, h) for h in self.references.heatmaps]
        brought = [(name, h) for name, e in self.evaluations.items() for h in e.heatmaps]
        return tuple(h for _, h in gather([*references, *brought]))

    def clouds(self) -> tuple[Cloud, ...]:
        """Every cloud, references first; see `gather`."""
        references = [(None, c) for c in self.references.clouds]
        brought = [(name, c) for name, e in self.evaluations.items() for c in e.clouds]
        return tuple(c for _, c in gather([*references, *brought]))


@dataclass(frozen=True)
class Results:
    """The results of one evaluation of activations over systems, or of one experiment.

    Attributes:
        activations: subjects first, then baselines; names are unique. Empty for an experiment.
        systems: in the order of evaluation; an experiment's measurements are one of these.
        run: how they came about.
        title: the page's heading; the subjects' names where empty.
        claims: what an experiment decided.

    Raises:
        ValueError: two activations of one name, or an evaluation of an activation that is not listed.
    """

    activations: tuple[Profile, ...]
    systems: tuple[SystemResults, ...]
    run: RunInfo
    title: str = ""
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        subjects_first = sorted(self.activations, key=lambda a: a.role != "subject")
        object.__setattr__(self, "activations", tuple(subjects_first))
        names = [a.name for a in self.activations]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"two activations are called {twice[0]!r}; give each a name of its own")
        for system in self.systems:
            if unknown := sorted(set(system.evaluations) - set(names)):
                raise ValueError(f"system {system.name!r} evaluates {unknown[0]!r}, which is not among {names}")

    @property
    def failures(self) -> tuple[str, ...]:
        """Every evaluation that broke off as "system: activation"; "references" for those of a system."""
        return tuple(
            f"{system.name}: {name}"
            for system in self.systems
            for name, evaluation in {**system.evaluations, "references": system.references}.items()
            if evaluation.failed is not None
        )

    @property
    def subjects(self) -> tuple[Profile, ...]:
        """The activations that were asked about."""
        return tuple(a for a in self.activations if a.role == "subject")

    @property
    def baselines(self) -> tuple[Profile, ...]:
        """The activations that they are compared with."""
        return tuple(a for a in self.activations if a.role == "baseline")

    @property
    def heading(self) -> str:
        """The title; the subjects' names where there is none."""
        return self.title or listing([a.name for a in self.subjects] or ["Evaluation"])

    def to_json(self) -> str:
        """Everything that the page needs, curves included; `from_json` reads it back."""
        from actlab.report.records import encode

        return encode(self)

    @classmethod
    def from_json(cls, text: str) -> Results:
        """The results that `to_json` wrote.

        Raises:
            ResultsError: the text is not such a file; names the place and what is wrong there.
        """
        from actlab.report.records import decode

        return decode(text)

    def evaluate_json(self) -> dict[str, Any]:
        """The plain data that `actlab evaluate --json` prints.

        A system has the further keys `refused` and `failed`, activation name -> reason, where there are any.
        """
        return {
            "activations": [a.as_json() for a in self.activations],
            "systems": {s.name: _system_json(s) for s in self.systems},
        }


def _system_json(system: SystemResults) -> dict[str, Any]:
    measurements = [m.as_json() for _, m in system.measurements()]
    data: dict[str, Any] = {"measurements": measurements, "seconds": system.seconds}
    for name, evaluation in system.evaluations.items():
        if evaluation.unmeasured is not None:
            word, why = evaluation.unmeasured
            data.setdefault(word, {})[name] = why
    return data


def run_info(
    command: str, seeds: tuple[int, ...], *, config: str | None = None, settings: dict[str, Any] | None = None
) -> RunInfo:
    """The present process: versions, device, date, and the commit where actlab runs from a checkout.

    Args:
        command: the command line to repeat.
        seeds: the seeds of every evaluation.
        config: the configuration file of an experiment.
        settings: what was resolved from it, as plain data.
    """
    versions = {"python": platform.python_version(), "actlab": __version__}
    versions |= {name: importlib.metadata.version(name) for name in ("jax", "flax")}
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return RunInfo(command, tuple(seeds), versions, _device(), date, _commit(), config, settings or {})


def _device() -> str:
    devices = jax.devices()
    kind = f"{len(devices)} x {devices[0].device_kind}" if len(devices) > 1 else devices[0].device_kind
    return f"{kind} ({platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores)"


def _commit() -> str | None:
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
