"""SIGTERM during a run: finish the chunk, save, leave with a status that asks to be started again."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
from types import TracebackType

from jax.experimental import multihost_utils

from actlab.training.processes import distributed

AGAIN = 75
"""Exit status of a run that was told to stop, or lost a peer: the same command resumes (EX_TEMPFAIL of sysexits.h)."""

GRACE = 4.0
"""Seconds after SIGTERM in which the chunk must end; then the process leaves with the checkpoint that it has."""

_LOG = logging.getLogger("actlab")
_visits = itertools.count(1)  # over all runs of the process: the runtime's counter knows no runs


class Preempted(SystemExit):
    """The run was told to stop and has saved its state; uncaught, the process exits with status `AGAIN`.

    Attributes:
        step: steps taken and saved.
    """

    def __init__(self, step: int):
        super().__init__(AGAIN)
        self.step = step

    def __str__(self) -> str:
        return f"told to stop: saved at step {self.step}; resume to go on"


def stopped(step: int) -> Preempted:
    """The exception, said in the log as well: nobody else prints it."""
    error = Preempted(step)
    _LOG.warning("%s", error)
    return error


class Preemption:
    """Inside it, SIGTERM is a request to be asked for between chunks.

    With several processes the runtime of `jax.distributed` passes a SIGTERM to any of them on to all, and names the
    visit at which all stop. Otherwise, in the main thread, and where the program has no handler of its own, a handler
    is set for the time; a chunk that does not end within `GRACE` seconds, as one that compiles for long, is given up
    (its steps are taken again, the last checkpoint stands).
    """

    def __init__(self) -> None:
        self._asked, self._left = threading.Event(), threading.Event()
        self._restore: tuple[int, int] | None = None

    def asked(self) -> bool:
        """Whether to save and stop now; call it after every chunk, in every process."""
        visit = next(_visits)
        return self._asked.is_set() or (distributed() and multihost_utils.reached_preemption_sync_point(visit))

    def __enter__(self) -> Preemption:
        mine = threading.current_thread() is threading.main_thread()
        if mine and not distributed() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            read, write = os.pipe()
            os.set_blocking(write, False)
            signal.signal(signal.SIGTERM, lambda *_: self._asked.set())
            # Python's handler runs when the compiler returns; this one is heard at once.
            self._restore = signal.set_wakeup_fd(write, warn_on_full_buffer=False), write
            threading.Thread(target=self._listen, args=(read,), daemon=True, name="preemption").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        if self._restore is not None:
            before, write = self._restore
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.set_wakeup_fd(before)
            os.close(write)  # ends the thread, which closes the other end

    def _listen(self, read: int) -> None:
        while heard := os.read(read, 64):
            if signal.SIGTERM in heard and not self._left.wait(GRACE):
                os.write(2, b"actlab: told to stop; steps since the last checkpoint are given up; resume to go on\n")
                os._exit(AGAIN)
        os.close(read)
