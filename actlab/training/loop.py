"""Long runs: a host loop over compiled chunks of steps, with progress, metrics, a NaN watch and checkpoints between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Key

from actlab.training.checkpoint import Checkpoints, RunFolderError, run_folder
from actlab.training.fit import Fitted, Loss, TrainState, advance, begin
from actlab.training.progress import Pace, Progress
from actlab.training.writers import JsonLines, Writer, read_metrics

METRICS_FILE, CHECKPOINT_FOLDER = "metrics.jsonl", "checkpoints"


class NotFiniteError(FloatingPointError):
    """A metric or a parameter is no longer finite.

    Attributes:
        step: the first step where it was seen, from 0; for "parameters" the last step taken.
        metric: its name, or "parameters".
        member: the member of the ensemble, None for a single run.
        seed: the member's seed where seeds were given.
    """

    def __init__(self, step: int, metric: str, member: int | None, seed: int | None):
        self.step, self.metric, self.member, self.seed = step, metric, member, seed
        who = "" if member is None else f" in member {member}"
        who += "" if seed is None else f" (seed {seed})"
        super().__init__(f"{metric} is not finite at step {step}{who}; lower the learning rate or clip the gradients")


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
    resume: bool = False,
    seeds: Sequence[int] = (),
    writers: Sequence[Writer] = (),
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Fitted:
    """Trains as `fit` does (to rounding: a chunk is a program of its own), survives being killed, and says where it is.

    The folder receives `metrics.jsonl` (a line a step) and `checkpoints/` (after every chunk). The same call with
    `resume=True` goes on from the newest checkpoint; its final state and metrics equal those of an uninterrupted run
    bit for bit on the same devices, wherever the first one was stopped.

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
        keep: checkpoints kept.
        resume: go on with what the folder holds, or begin where it holds nothing yet.
        seeds: of the members (or of the single run), for messages.
        writers: further metric writers, closed at the end.
        progress: called after every chunk, once its checkpoint is under way.

    Returns:
        The final state and the metrics of all steps, as numpy arrays of shape (steps,) or (steps, members).

    Raises:
        NotFiniteError: a metric or parameter is not finite. The last checkpoint is from before.
        RunFolderError: the folder cannot be written, or holds a run and `resume` is false.
        CheckpointError: the newest checkpoint is damaged, or of another run.
    """
    if chunk < 1 or steps < 0:
        raise ValueError(f"train: chunk = {chunk} must be positive and steps = {steps} not negative")
    folder = run_folder(run_dir)
    start = functools.partial(begin, optimizer=optimizer, wrt=wrt)
    mapped = key.ndim == 1
    current = (_over_members(start, (0, 0), MEMBERS) if mapped else jax.jit(start))(state, key)
    step_chunk = functools.partial(advance, graphdef, loss=loss, optimizer=optimizer, batch_size=batch_size)
    with ExitStack() as stack:
        checkpoints = stack.enter_context(closing(Checkpoints(folder / CHECKPOINT_FOLDER, keep)))
        current = _resumed(folder, checkpoints, current, resume)
        done = int(current.step)
        record = JsonLines(folder / METRICS_FILE, done)
        outputs: list[Writer] = [stack.enter_context(closing(w)) for w in (record, *writers)]  # pyright: ignore[reportArgumentType]
        go = functools.cache(lambda count: _compiled(functools.partial(step_chunk, steps=count), mapped))
        pace = Pace(steps)
        while done < steps:
            count = min(chunk, steps - done)
            current, metrics = go(count)(current, data)
            metrics = {name: np.asarray(v).T for name, v in metrics.items()}  # (steps,) or (steps, members)
            _watch(done, metrics, current.params, mapped, seeds, outputs)
            done += count
            checkpoints.save(done, current)
            progress(Progress(done, steps, pace.seconds_left(done), {n: float(v.mean()) for n, v in metrics.items()}))
    return Fitted(current, read_metrics(folder / METRICS_FILE), graphdef)


MEMBERS = TrainState(params=0, rest=0, opt_state=0, step=None, order_key=0, loss_key=0)
"""The mapped axes of an ensemble's state: one step for all, so that a permutation stays one sort an epoch."""


def _over_members(function: Callable[..., Any], in_axes: Any, out_axes: Any) -> Callable[..., Any]:
    return jax.jit(jax.vmap(function, in_axes=in_axes, out_axes=out_axes))


def _compiled(step_chunk: Callable[..., Any], mapped: bool) -> Callable[..., Any]:
    return _over_members(step_chunk, (MEMBERS, None), (MEMBERS, 0)) if mapped else jax.jit(step_chunk)


def _resumed(folder: Path, checkpoints: Checkpoints, fresh: TrainState, resume: bool) -> TrainState:
    latest = checkpoints.latest()
    if latest is None:
        return fresh
    if not resume:
        raise RunFolderError(f"run folder {folder} holds a run at step {latest}; resume it, or choose another folder")
    return checkpoints.restore(fresh)


def _watch(
    first: int, metrics: dict[str, np.ndarray], params: Any, mapped: bool, seeds: Sequence[int], outputs: list[Writer]
) -> None:
    """Writes the metrics up to the first step that is not finite, and stops there."""
    finite = {name: np.isfinite(v).reshape(len(v), -1) for name, v in metrics.items()}
    good = min(_leading_trues(ok.all(1)) for ok in finite.values())
    for writer in outputs:
        writer.write(first, {name: v[:good] for name, v in metrics.items()})

    def diverged(step: int, metric: str, member: int) -> NotFiniteError:
        seed = seeds[member] if member < len(seeds) else None
        return NotFiniteError(step, metric, member if mapped else None, seed)

    for name, ok in finite.items():
        if good < len(ok) and not ok[good].all():
            raise diverged(first + good, name, int(np.argmin(ok[good])))
    for leaf in jax.tree.leaves(params):
        ok = np.asarray(jnp.isfinite(leaf)).reshape(leaf.shape[0] if mapped else 1, -1).all(1)
        if not ok.all():
            raise diverged(first + good - 1, "parameters", int(np.argmin(ok)))


def _leading_trues(flags: Any) -> int:
    return len(flags) if flags.all() else int(np.argmin(flags))
