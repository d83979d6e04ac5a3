"""A trace of what the devices do, and what lies in their memory at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from actlab.training.folder import run_folder
from actlab.training.processes import several


@contextmanager
def profiled(folder: Path | None) -> Iterator[None]:
    """Profiles what happens inside it; nothing where the folder is None.

    Writes `plugins/profile/.../*.trace.json.gz` (opens in Perfetto) and `*.xplane.pb` (XProf, TensorBoard), and
    `memory.prof`, the live arrays by the line that made them (`pprof`). Each of several processes has a folder of its
    own in it, `process-3`.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    if folder is None:
        yield
        return
    folder = run_folder(folder / f"process-{jax.process_index()}" if several() else folder)
    with jax.profiler.trace(str(folder)):
        yield
        jax.profiler.save_device_memory_profile(str(folder / "memory.prof"))
