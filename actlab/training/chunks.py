"""A state that goes on chunk by chunk and is kept by checkpoints: for runs whose end is not known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

from actlab.training.cadence import Cadence
from actlab.training.checkpoint import Checkpoints
from actlab.training.folder import CHECKPOINT_FOLDER, opened, refuse_longer
from actlab.training.mesh import everywhere, gathered, mesh_for, placed
from actlab.training.preemption import Preemption, stopped
from actlab.training.processes import agreed, several

State = TypeVar("State")
KEPT = 2


def in_chunks(
    folder: str | Path | None,
    state: State,
    advance: Callable[[State], State],
    *,
    steps: Callable[[State], int],
    active: Callable[[State], bool],
    most: int | None = None,
    save_seconds: float = 2.0,
) -> State:
    """Advances a state as long as it is active; where there is a folder, goes on with what that holds.

    The result of a run that was stopped and called again equals that of an uninterrupted one bit for bit, if `advance`
    is a function of the state alone. SIGTERM saves at the end of the chunk and raises `Preempted`. With several
    processes, call it in all of them alike, with a folder that all of them see.

    Args:
        folder: of the checkpoints, created where it is missing; None to keep nothing.
        state: the first one, a pytree of arrays that every process has whole.
        advance: one chunk; the state that it takes must stay valid (no donation).
        steps: taken so far; they name the checkpoints, so each chunk must add some.
        active: whether there is more to do.
        most: steps that no run takes more of, where there is such a number.
        save_seconds: time between two checkpoints, at least; the last state is always saved.

    Raises:
        RunFolderError: the folder cannot be written, is in use, or holds a run of more than `most` steps.
        CheckpointError: no sound checkpoint is left, or the newest is of another run, or one cannot be written.
        Preempted: told to stop; saved.
    """
    if folder is None:
        while active(state):
            state = advance(state)
        return state
    mesh, folder = mesh_for(1), Path(folder).absolute()

    def laid(state: State) -> State:
        return placed(state, everywhere(mesh)) if several() else state

    with ExitStack() as stack:
        preemption = stack.enter_context(Preemption())
        opened(folder, stack)
        checkpoints = stack.enter_context(closing(Checkpoints(folder / CHECKPOINT_FOLDER, KEPT)))
        if agreed(int(checkpoints.latest() is not None)):
            state = checkpoints.restore(laid(state))
            state = gathered(state, mesh) if several() else state
            if most is not None:
                refuse_longer(folder, steps(state), most)
        cadence, stop, left = Cadence(save_seconds), preemption.asked(), active(state)
        while left and not stop:
            state = advance(state)
            stop, left = preemption.asked(), active(state)
            if cadence.due() or stop or not left:
                checkpoints.save(steps(state), laid(state))
        if stop and left:
            checkpoints.wait()
            raise stopped(steps(state))
    return state
