"""Progress in a terminal: a bar with the expected remaining time; plain lines where the output is no terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from actlab.evaluate import Step


class EvaluationProgress:
    """Shows which evaluation runs, how many are done, and how long the rest is expected to take.

    The expectation comes from the evaluations already timed in this run; until there is one, none is shown.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[remaining]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=total, remaining="")

    def __enter__(self) -> EvaluationProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, system: str, subject: str) -> None:
        """Names the evaluation that runs."""
        self._bar.update(self._task, description=f"{system}: {subject}")

    def finished(self, step: Step) -> None:
        """Counts it, with the new expectation."""
        left = remaining(step)
        self._bar.update(self._task, completed=step.done, remaining=left)
        if not self._console.is_terminal:
            took = f"{step.seconds:.1f} s" if step.seconds else "kept from an earlier run"
            self._console.print(
                f"[{step.done}/{step.total}] {step.system}: {step.subject}, {took}{left and ', ' + left}"
            )


def remaining(step: Step) -> str:
    """`about 40 s left`, `about 3 min left`; empty at the end or where nothing is known yet."""
    if step.remaining is None or step.done == step.total:
        return ""
    seconds = step.remaining
    return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
