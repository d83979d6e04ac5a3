"""Metric writers: JSON lines are the record of truth, TensorBoard files an extra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from actlab.training.folder import RunFolderError


@runtime_checkable
class Writer(Protocol):
    """What a long run hands its metrics to."""

    def write(self, first_step: int, metrics: dict[str, np.ndarray]) -> None:
        """Records consecutive steps; each array has shape (steps,) or (steps, members)."""
        ...

    def close(self) -> None:
        """Makes what was written durable."""
        ...


class JsonLines:
    """One JSON object a step, {"step": 0, "loss": 1.5, ...}; a list of numbers for the members of an ensemble.

    Null stands for a number that is not finite.

    Args:
        path: the file. Going on with a run keeps the lines before `from_step` and drops later ones, which an
            interrupted process wrote after its last checkpoint.
        from_step: the first step that will be written.
    """

    def __init__(self, path: Path, from_step: int = 0):
        kept = [record for record in _records(path) if record["step"] < from_step]
        fresh = path.with_suffix(".tmp")
        fresh.write_text("".join(json.dumps(record) + "\n" for record in kept))
        fresh.replace(path)
        self._file = path.open("a")

    def write(self, first_step: int, metrics: dict[str, np.ndarray]) -> None:
        """Appends the steps and flushes them to the operating system."""
        columns = {name: _json(values) for name, values in metrics.items()}
        lines = []
        for i in range(len(next(iter(metrics.values())))):
            record = {"step": first_step + i, **{name: column[i] for name, column in columns.items()}}
            lines.append(json.dumps(record, allow_nan=False) + "\n")
        try:
            self._file.write("".join(lines))
            self._file.flush()
        except OSError as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        """Closes the file."""
        try:
            self._file.close()
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> RunFolderError:
        return RunFolderError(
            f"{self._file.name} cannot be written ({error.strerror}); make room, then resume: checkpoints are intact"
        )


def read_metrics(path: str | Path) -> dict[str, np.ndarray]:
    """The metrics that `JsonLines` wrote: {name: (steps,) or (steps, members)}, float64, in the order of the steps."""
    return parse_metrics(Path(path).read_text() if Path(path).exists() else "")


def parse_metrics(text: str) -> dict[str, np.ndarray]:
    """As `read_metrics`, of the text of such a file."""
    records = _parse(text)
    names = [name for name in (records[0] if records else {}) if name != "step"]
    return {name: np.array([record[name] for record in records], np.float64) for name in names}


def _json(values: np.ndarray) -> Any:
    """Nested lists; null where a number is not finite."""
    finite = np.isfinite(values)
    return values.tolist() if finite.all() else np.where(finite, values.astype(object), np.array(None)).tolist()


def _records(path: Path) -> list[dict[str, Any]]:
    return _parse(path.read_text()) if path.exists() else []


def _parse(text: str) -> list[dict[str, Any]]:
    lines = text.split("\n")  # a line without its newline was cut off by a kill: it is dropped
    return [json.loads(line) for line in lines[:-1]]


class TensorBoard:
    """Scalars that TensorBoard shows, without TensorFlow; a curve `loss/3` for member 3 of an ensemble.

    Args:
        folder: for the event files.
        from_step: going on with a run hides what was written from this step on.

    Raises:
        ModuleNotFoundError: tensorboardX is not installed; says how to get it.
    """

    def __init__(self, folder: str | Path, from_step: int = 0):
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "TensorBoard files need tensorboardX: pip install 'actlab[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=from_step)

    def write(self, first_step: int, metrics: dict[str, np.ndarray]) -> None:
        """Adds one point a step, metric and member."""
        for name, values in metrics.items():
            for i, value in enumerate(values):
                for member, one in enumerate(np.atleast_1d(value)):
                    tag = name if values.ndim == 1 else f"{name}/{member}"
                    self._writer.add_scalar(tag, float(one), first_step + i)

    def close(self) -> None:
        """Closes the event file."""
        self._writer.close()
