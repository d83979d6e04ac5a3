"""Progress of a long run: what is known after each chunk, and how it is shown in a terminal or a file."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: steps taken.
        steps: steps in all.
        seconds_left: from the pace since the first chunk, which compiles and is not counted; None until it is known.
        metrics: the means over the last chunk, and over the members of an ensemble.
    """

    step: int
    steps: int
    seconds_left: float | None
    metrics: dict[str, float]

    def __str__(self) -> str:
        """One line: `step 300/1000, 12 s left, loss 0.123`."""
        left = "time left not yet known" if self.seconds_left is None else f"{self.seconds_left:.0f} s left"
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"step {self.step}/{self.steps}, {left}, {numbers}"


class Pace:
    """Estimates the remaining time from the steps taken after the first chunk."""

    def __init__(self, steps: int):
        self._steps = steps
        self._mark: tuple[int, float] | None = None

    def seconds_left(self, step: int) -> float | None:
        """Call after each chunk; None after the first, which contains the compilation."""
        now = time.perf_counter()
        if self._mark is None:
            self._mark = step, now
            return 0.0 if step >= self._steps else None
        first, since = self._mark
        return (self._steps - step) * (now - since) / (step - first)


class Terminal:
    """Shows progress: a bar of rich in a terminal, a plain line at most every `interval` seconds elsewhere."""

    def __init__(self, stream: Any = None, interval: float = 10.0):
        self._stream = sys.stderr if stream is None else stream
        self._interval = interval
        self._last = -interval
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        """The progress callback of `train`."""
        if self._stream.isatty():
            self._show_bar(progress)
        elif progress.step == progress.steps or time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            print(progress, file=self._stream, flush=True)

    def _show_bar(self, progress: Progress) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(BarColumn(), TextColumn("{task.description}"), console=Console(file=self._stream))
            self._bar.start()
            self._bar.add_task("", total=progress.steps)
        self._bar.update(self._bar.task_ids[0], completed=progress.step, description=str(progress))
        if progress.step == progress.steps:
            self.close()

    def close(self) -> None:
        """Gives the terminal back; needed only where a run ends early."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
