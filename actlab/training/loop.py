"""Long runs: a host loop over compiled chunks of steps, with progress, metrics, a NaN watch and checkpoints between."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Key

from actlab.training.batches import rows
from actlab.training.cadence import Cadence
from actlab.training.checkpoint import Checkpoints
from actlab.training.divergence import Watch, finite_leaves, first_bad_array, refuse_data
from actlab.training.fit import Fitted, Loss, TrainState, advance, batch_at, begin, gradient, updated
from actlab.training.folder import CHECKPOINT_FOLDER, RunFolderError, opened, refuse_longer
from actlab.training.layout import Layout
from actlab.training.mesh import mesh_for
from actlab.training.preemption import Preemption, stopped
from actlab.training.processes import agreed, first, several, shared
from actlab.training.progress import Pace, Progress
from actlab.training.writers import JsonLines, Writer, parse_metrics

METRICS_FILE = "metrics.jsonl"


def train(
    run_dir: str | Path,
    graphdef: Any,
    state: Any,
    data: Any,
    key: Key[Array, "*members"],
    *,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    steps: int,
    batch_size: int | None = None,
    wrt: Any = nnx.Param,
    chunk: int = 100,
    keep: int = 3,
    best: str | None = None,
    save_seconds: float = 2.0,
    resume: bool = False,
    seeds: Sequence[int] = (),
    diverged: Literal["stop", "go on"] = "stop",
    mesh: Mesh | None = None,
    writers: Sequence[Writer] = (),
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Fitted:
    """Trains as `fit` does (to rounding: a chunk is a program of its own), survives being killed, and says where it is.

    The folder receives `metrics.jsonl` (a line a step) and `checkpoints/`, and is locked meanwhile.
    The same call with `resume=True` goes on from the newest sound checkpoint; its final state and metrics equal those
    of an uninterrupted run bit for bit on the same devices, wherever the first one was stopped, and to rounding on
    others. SIGTERM saves at the end of the chunk and raises `Preempted`.

    With several processes (`processes.start`), call it in all of them alike: they are one program over all devices, and
    the folder is one that all of them see. Each receives the whole result.

    Args:
        run_dir: folder of the run.
        graphdef: as for `fit`.
        state: as for `fit`; with a leading axis of members where `key` is an array of keys.
        data: as for `fit`; shared by the members.
        key: one key, or an array of keys of shape (members,): an ensemble in one program.
        loss: as for `fit`.
        optimizer: as for `fit`.
        steps: in all, those before a resumption included.
        batch_size: as for `fit`.
        wrt: as for `fit`.
        chunk: steps between two visits of the host.
        keep: latest checkpoints kept, at least 1.
        best: the metric whose lowest mean over a chunk marks one more checkpoint to keep; then every chunk is saved.
        save_seconds: time between two checkpoints, at least; shorter chunks are saved each so many, and the last one
            always. With 0 after every chunk.
        resume: go on with what the folder holds, or begin where it holds nothing yet.
        seeds: of the members (or of the single run), for messages.
        diverged: "stop" at the first number that is not finite; "go on" with the healthy members, whose numbers do not
            depend on the others', as long as there are any.
        mesh: of `make_mesh`; members lie along `ensemble`, the rows of each batch along `data`. By default one device,
            or the devices of all processes where there are several.
        writers: further metric writers, closed at the end.
        progress: called after every chunk, once its checkpoint, if there is one, is under way.

    Returns:
        The final state and the metrics of all steps, as numpy arrays of shape (steps,) or (steps, members).

    Raises:
        NotFiniteError: the data, a metric or a parameter is not finite. The last checkpoint is from before.
        RunFolderError: the folder cannot be written, is in use, holds a run and `resume` is false, or a longer run.
        CheckpointError: no sound checkpoint is left, or the newest is of another run, or one cannot be written.
        Preempted: told to stop; saved.
        ValueError: a mesh that does not divide the members; a chunk, steps, keep or save_seconds out of range; `best`
            is none of the metrics.
    """
    if chunk < 1 or steps < 0 or not save_seconds >= 0:
        raise ValueError(
            f"train: chunk = {chunk} must be positive, steps = {steps} and save_seconds = {save_seconds} not negative"
        )
    mapped = key.ndim == 1
    layout = Layout(mesh if mesh is not None or not several() else mesh_for(len(key) if mapped else 1), mapped)
    layout.check(len(key) if mapped else 1)
    refuse_data(data)
    state, key, data = layout.place(state, key, data)
    program = _Program(graphdef, loss, optimizer, batch_size, layout, rows(data))
    current = layout.compiled(functools.partial(begin, optimizer=optimizer, wrt=wrt))(state, key)
    with ExitStack() as stack:
        preemption = stack.enter_context(Preemption())
        folder, lock = opened(Path(run_dir).absolute(), stack)
        checkpoints = stack.enter_context(closing(Checkpoints(folder / CHECKPOINT_FOLDER, keep, best)))
        current = _resumed(folder, checkpoints, current, resume)
        done = int(current.step)
        refuse_longer(folder, done, steps)
        outputs: list[Writer] = [stack.enter_context(closing(w)) for w in writers]  # pyright: ignore[reportArgumentType]
        if first():
            outputs.append(stack.enter_context(closing(JsonLines(folder / METRICS_FILE, done))))
        watch = Watch(seeds, mapped, diverged == "go on")
        pace, cadence = Pace(steps), Cadence(0.0 if best is not None else save_seconds)
        stop = preemption.asked()
        ahead = None if stop or done >= steps else program.steps(min(chunk, steps - done))(current, data)
        while ahead is not None:
            before, count, (current, metrics, finite) = current, min(chunk, steps - done), ahead
            metrics = {name: np.asarray(v).T for name, v in metrics.items()}  # (steps,) or (steps, members)
            stop, left = preemption.asked(), steps - done - count
            # The devices go on while the host writes down what they have done.
            ahead = None if stop or not left else program.steps(min(chunk, left))(current, data)
            good = watch.good_steps(metrics)
            for writer in outputs:
                writer.write(done, {name: v[:good] for name, v in metrics.items()})
            watch.locate = functools.partial(program.first_bad_array, before, data, done)
            watch.look(done, metrics, {name: np.asarray(v) for name, v in finite.items()})
            done += count
            means = _means(metrics)
            if lock is not None:
                lock.check()
            if cadence.due() or stop or not left:
                checkpoints.save(done, current, means)
            if first():
                progress(Progress(done, steps, pace.seconds_left(done), means))
        if stop:
            checkpoints.wait()
            raise stopped(done)
        record = shared((folder / METRICS_FILE).read_text() if first() else "")
    return Fitted(layout.whole(current), parse_metrics(record), graphdef)


class _Program:
    """The compiled chunks of a run."""

    def __init__(self, graphdef: Any, loss: Loss, optimizer: Any, batch_size: int | None, layout: Layout, n: int):
        self._graphdef, self._loss, self._optimizer, self._batch_size = graphdef, loss, optimizer, batch_size
        self._layout, self._n = layout, n
        self.steps = functools.cache(self._steps)

    def _steps(self, count: int) -> Callable[..., Any]:
        sharding = self._layout.batch(self._n if self._batch_size is None else self._batch_size)

        def go(state: TrainState, data: Any) -> Any:
            state, metrics = advance(
                self._graphdef,
                state,
                data,
                loss=self._loss,
                optimizer=self._optimizer,
                steps=count,
                batch_size=self._batch_size,
                batch_sharding=sharding,
            )
            return state, metrics, finite_leaves(state.params)

        return self._layout.chunk(go)

    def first_bad_array(self, before: TrainState, data: Any, done: int, step: int, member: int | None) -> str:
        """Takes the steps of a member again, one by one, up to the one where something was seen."""
        if several():
            return ""  # the state lies on other processes' devices
        if member is not None:
            taken = jax.tree.map(lambda v: v[member], replace(before, step=None))
            before = replace(taken, step=before.step)
        return first_bad_array(self._probe, before, data, step - done + 1)

    def _probe(self, state: TrainState, data: Any) -> tuple[TrainState, dict[str, Any]]:
        batch = batch_at(state, data, self._batch_size)
        metrics, rest, grads = gradient(self._graphdef, state, batch, loss=self._loss)
        after = updated(state, rest, grads, optimizer=self._optimizer)
        flags: OrderedDict[str, Any] = OrderedDict()  # keeps its order through jit
        for words, tree in (("metric ", metrics), ("gradient of ", grads), ("", after.params), ("", rest)):
            flags.update({words + name: ok for name, ok in finite_leaves(tree).items()})
        return after, flags


def _resumed(folder: Path, checkpoints: Checkpoints, fresh: TrainState, resume: bool) -> TrainState:
    latest = agreed(-1 if (found := checkpoints.latest()) is None else found)
    if latest < 0:
        return fresh
    if not resume:
        raise RunFolderError(f"run folder {folder} holds a run at step {latest}; resume it, or choose another folder")
    return checkpoints.restore(fresh)


def _means(metrics: dict[str, np.ndarray]) -> dict[str, float]:
    """Over the steps, and the members that are finite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing finite
        finite = {name: np.where(np.isfinite(v), v, np.nan) for name, v in metrics.items()}
        return {name: float(np.nanmean(v)) for name, v in finite.items()}
