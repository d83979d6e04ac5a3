"""The folder of a run: made where it is missing, locked against a second writer, noticed when it disappears."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from contextlib import ExitStack, closing
from pathlib import Path

from actlab.training.processes import agreed, first

CHECKPOINT_FOLDER = "checkpoints"


class RunFolderError(OSError):
    """The folder of a run cannot be used; the message says why and what to do."""


def run_folder(path: str | Path) -> Path:
    """The folder of a run, created where it is missing.

    Raises:
        RunFolderError: it cannot be created or written.
    """
    folder = Path(path).absolute()
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RunFolderError(f"run folder {folder} cannot be written ({error.strerror}); choose another") from error
    return folder


class Lock:
    """One writer a folder: a lock that the system drops with its process, and a record of who holds it.

    The record (process and host) decides where the file system keeps no locks, or another host left it. A process that
    died on this host leaves nothing that needs to be cleaned up.

    Args:
        folder: an existing folder.
        name: of the lock's file in it.

    Raises:
        RunFolderError: another process holds it; names that process.
    """

    def __init__(self, folder: Path, name: str = ".lock"):
        self._path = folder / name
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunFolderError(f"run folder {folder} cannot be locked ({error.strerror}); choose another") from error
        try:
            self._claim()
        except BaseException:
            os.close(self._file)
            raise

    def _claim(self) -> None:
        exclusive = _exclusive(self._file)
        holder = self._holder()
        here = holder.get("host") == socket.gethostname()
        if exclusive is False or (holder and not here) or (exclusive is None and here and _alive(holder["process"])):
            who = f"process {holder['process']} on {holder['host']}" if holder else "another process"
            stale = "" if here or not holder else f"; if that process is gone, delete {self._path}"
            raise RunFolderError(
                f"run folder {self._path.parent} is in use by {who}; wait for it, or choose another folder{stale}"
            )
        record = json.dumps({"process": os.getpid(), "host": socket.gethostname()})
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, record.encode(), 0)

    def _holder(self) -> dict:
        try:
            holder = json.loads(os.pread(self._file, 4096, 0))
            return {"process": int(holder["process"]), "host": str(holder["host"])}
        except (ValueError, TypeError, KeyError):  # released, or cut off by a kill
            return {}

    def check(self) -> None:
        """That the folder is still the one which was locked.

        Raises:
            RunFolderError: it was deleted or replaced since.
        """
        try:
            same = os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError:
            same = False
        if not same:
            raise RunFolderError(
                f"run folder {self._path.parent} was deleted or replaced while the run wrote to it; start the run again"
            )

    def close(self) -> None:
        """Releases it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)


def opened(path: Path, stack: ExitStack) -> tuple[Path, Lock | None]:
    """The folder with that of its checkpoints, locked by the first process; the others wait until it stands."""
    lock = None
    try:
        if first():
            run_folder(path)
            lock = stack.enter_context(closing(Lock(path)))
            run_folder(path / CHECKPOINT_FOLDER)
    finally:
        ready = agreed(int(lock is not None))
    if not ready:
        raise RunFolderError(f"run folder {path}: the first process cannot use it")
    return path, lock


def refuse_longer(folder: Path, done: int, steps: int) -> None:
    """That a folder's run is not longer than the one asked for, whose result it does not hold.

    Raises:
        RunFolderError: names both numbers.
    """
    if done > steps:
        raise RunFolderError(
            f"run folder {folder} holds a run at step {done}, which is beyond steps = {steps}: the state "
            f"at that step is gone; ask for {done} steps or more, or choose another folder"
        )


def _exclusive(file: int) -> bool | None:
    """Whether this process now holds the system's lock of the file; None where the file system has none."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
