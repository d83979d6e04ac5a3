"""Checkpoints of the whole state, by Orbax: atomic, verified before use, the last few and the best kept."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from actlab.training.folder import RunFolderError
from actlab.training.keys import as_key_of, without_key
from actlab.training.manifest import DamageError, Manifest, read_manifest, seal, verified
from actlab.training.processes import agreed, first

SET_ASIDE = "damaged"
_PARTIAL, _DELETING = ".orbax-checkpoint-tmp", ".deleting"
_LOG = logging.getLogger("actlab")


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, written, or does not fit the run; the message says what and what to do."""


class Checkpoints:
    """The checkpoints of one run: the arrays of a pytree, PRNG keys included, by the names of their paths.

    Orbax writes a step in the background, from all processes, and makes it visible whole; a manifest of digests inside
    it becomes visible with it. One writer at a time: hold the `Lock` of the run's folder.

    Args:
        folder: an existing folder of the checkpoints, one subfolder a step.
        keep: the number of latest checkpoints that are kept, at least 1.
        best: beside those, the checkpoint with the lowest value of this metric is kept.

    Raises:
        ValueError: keep below 1.
    """

    def __init__(self, folder: Path, keep: int = 3, best: str | None = None):
        if keep < 1:
            raise ValueError(f"keep = {keep} must be at least 1: a run resumes from its latest checkpoint")
        import orbax.checkpoint as ocp

        self._ocp, self._folder, self._keep, self._best = ocp, folder, keep, best
        self._torn: Path | None = None
        self._saving: tuple[int, dict[str, str], dict[str, float]] | None = None
        # Held open: the number of a deleted folder can be given to the next one, that of an open one cannot.
        self._tidied, self._place = False, os.open(folder, os.O_RDONLY)
        logging.getLogger("absl").addFilter(_quiet)
        self._checkpointer = ocp.AsyncCheckpointer(
            ocp.StandardCheckpointHandler(),
            async_options=ocp.options.AsyncOptions(post_finalization_callback=self._seal),
            # Its own metadata would be changed after the manifest is written; nothing here reads it.
            checkpoint_metadata_store=ocp.metadata.metadata_store(enable_write=False),
        )

    def steps(self) -> list[int]:
        """The steps whose folders hold anything, sound or not, ascending."""
        return sorted(int(p.name) for p in self._entries() if _is_step(p) and any(p.iterdir()))

    def latest(self) -> int | None:
        """The newest of `steps`, or None."""
        return max(self.steps(), default=None)

    def save(self, step: int, state: PyTree, metrics: Mapping[str, float] | None = None) -> None:
        """Saves in the background; a step becomes visible only when it is whole.

        Args:
            step: the number of its folder.
            state: the pytree.
            metrics: recorded with it, for `best`.

        Raises:
            CheckpointError: this or the previous save failed (a full disk); says which steps there are. Or two arrays
                have one name.
            RunFolderError: the folder is gone.
            ValueError: `best` is none of the metrics.
        """
        metrics = dict(metrics or {})
        if self._best is not None and self._best not in metrics:
            raise ValueError(f"best = {self._best!r} is none of the metrics: {', '.join(metrics) or 'there are none'}")
        self._finish()
        self._tidy()
        named = _named(state)
        self._saving = step, {name: _form(v) for name, v in named.items()}, metrics
        try:
            self._checkpointer.save(self._folder / str(step), args=self._ocp.args.StandardSave(named))
        except Exception as error:
            raise self._unwritten(error) from error

    def restore(self, like: PyTree) -> PyTree:
        """The newest sound checkpoint as a pytree like this one, with its shardings.

        Every byte is compared with the manifest first. Damaged steps are moved to `damaged/` beside the folder and
        named in the log, and an older one is taken.

        Raises:
            CheckpointError: no sound checkpoint, or one whose names, shapes or dtypes differ (Orbax itself would cast
                dtypes silently).
        """
        self._finish()
        wanted = _named(like)
        step = self._agreed({name: _form(v) for name, v in wanted.items()})
        abstract = {name: jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=v.sharding) for name, v in wanted.items()}
        path = self._folder / str(step)
        try:
            leaves = self._checkpointer.restore(path, args=self._ocp.args.StandardRestore(abstract))
        except Exception as error:  # TensorStore and Orbax raise many kinds, with dumps of many lines
            raise CheckpointError(f"checkpoint {path} cannot be read ({_first_line(error)})") from error
        originals = jax.tree.leaves(like)
        restored = [as_key_of(old, leaves[name]) for old, name in zip(originals, wanted, strict=True)]
        return jax.tree.unflatten(jax.tree.structure(like), restored)

    def wait(self) -> None:
        """Waits for the save under way.

        Raises:
            CheckpointError: it failed.
        """
        self._finish()

    def close(self) -> None:
        """Waits for the save under way, and ends; errors as of `wait`."""
        try:
            self._finish()
        finally:
            self._checkpointer.close()
            os.close(self._place)
            if self._torn is not None:  # once more: threads that were still writing are done now
                shutil.rmtree(self._torn, ignore_errors=True)

    def _seal(self) -> None:
        """Called by Orbax in its own thread of the first process, when all files stand and the step is not yet seen."""
        assert self._saving is not None
        step, forms, metrics = self._saving
        seal(self._folder / f"{step}{_PARTIAL}", step, forms, metrics)

    def _finish(self) -> None:
        try:
            self._checkpointer.wait_until_finished()
        except Exception as error:
            raise self._unwritten(error) from error
        if self._saving is not None and first():
            self._drop_old()
        self._saving = None

    def _unwritten(self, error: Exception) -> CheckpointError | RunFolderError:
        step = -1 if self._saving is None else self._saving[0]
        self._saving = None
        try:
            self._entries()
        except RunFolderError as gone:
            return gone
        self._torn = self._folder / f"{step}{_PARTIAL}"
        shutil.rmtree(self._torn, ignore_errors=True)
        kept = ", ".join(map(str, self.steps())) or "none"
        return CheckpointError(
            f"checkpoint {self._folder / str(step)} could not be written ({_first_line(error)}); earlier checkpoints "
            f"are intact ({kept}): make room, or make the folder writable, then resume"
        )

    def _drop_old(self) -> None:
        steps = self.steps()
        kept = {*steps[-self._keep :], *self._best_of(steps)}
        for step in set(steps) - kept:
            # Renamed first: a kill in between leaves no step with half its files.
            gone = (self._folder / str(step)).rename(self._folder / f"{step}{_DELETING}")
            shutil.rmtree(gone, ignore_errors=True)

    def _best_of(self, steps: list[int]) -> list[int]:
        def rank(step: int) -> float:
            try:
                value = read_manifest(self._folder / str(step)).metrics.get(self._best or "", math.inf)
            except DamageError:
                return math.inf
            return value if math.isfinite(value) else math.inf

        ranked = [] if self._best is None else [(rank(step), step) for step in steps]
        return [min(ranked)[1]] if ranked and min(ranked)[0] < math.inf else []

    def _agreed(self, forms: dict[str, str]) -> int:
        """The step to restore: the first process looks and verifies, the others hear from it."""
        step, error = -1, None
        if first():
            try:
                step = self._newest_sound(forms)
            except CheckpointError as found:
                error = found
        step = agreed(step)
        if error is not None:
            raise error
        if step < 0:
            raise CheckpointError(f"{self._folder}: the first process found no checkpoint to restore")
        return step

    def _newest_sound(self, forms: dict[str, str]) -> int:
        damages: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                manifest = verified(self._folder / str(step), step)
            except DamageError as error:
                damages[step] = str(error)
                continue
            self._refuse_misfit(manifest, forms)
            self._tidy()
            for damaged, reason in damages.items():
                where = self._move_aside(str(damaged))
                _LOG.warning(
                    "checkpoint %s is damaged (%s): moved to %s; going on from step %d",
                    self._folder / str(damaged),
                    reason,
                    where,
                    step,
                )
            return step
        if not damages:
            raise CheckpointError(f"{self._folder} holds no checkpoint")
        listed = "; ".join(f"step {step}: {reason}" for step, reason in damages.items())
        raise CheckpointError(f"{self._folder} holds no sound checkpoint ({listed}); start again in another folder")

    def _refuse_misfit(self, manifest: Manifest, wanted: dict[str, str]) -> None:
        found = manifest.arrays
        problems = [f"{name} is missing" for name in wanted if name not in found]
        problems += [f"{name} is unknown to the run" for name in found if name not in wanted]
        problems += [
            f"{name} is {found[name]}, the run has {wanted[name]}"
            for name in wanted.keys() & found.keys()
            if found[name] != wanted[name]
        ]
        if problems:
            raise CheckpointError(
                f"checkpoint {self._folder / str(manifest.step)} is of another run: {'; '.join(sorted(problems)[:3])}"
                f"{' ...' if len(problems) > 3 else ''}; use the configuration it was saved with, or a new folder"
            )

    def _tidy(self) -> None:
        """Once, before anything is written: removes what kills left, moves stray step folders out of the way."""
        if self._tidied or not first():
            return
        self._tidied = True
        for entry in self._entries():
            if entry.name.endswith((_PARTIAL, _DELETING)):
                shutil.rmtree(entry, ignore_errors=True)
            elif not _is_step(entry):
                _LOG.warning("%s is no checkpoint: ignored", entry)
            elif not any(entry.iterdir()):
                _LOG.warning("%s is no checkpoint: moved to %s", entry, self._move_aside(entry.name))

    def _entries(self) -> list[Path]:
        if self._folder.is_dir() and os.path.samestat(self._folder.stat(), os.fstat(self._place)):
            return sorted(self._folder.iterdir())
        # TensorStore makes a folder again that it misses: looking whether it is there would not do.
        raise RunFolderError(f"{self._folder} was deleted or replaced while the run wrote to it; start the run again")

    def _move_aside(self, name: str) -> Path:
        folder = self._folder.parent / SET_ASIDE
        folder.mkdir(exist_ok=True)
        free = next(p for i in range(10**6) if not (p := folder / (f"{name}-{i}" if i else name)).exists())
        return (self._folder / name).rename(free)


def _is_step(path: Path) -> bool:
    return path.name.isdecimal() and str(int(path.name)) == path.name and path.is_dir()


def _quiet(record: logging.LogRecord) -> bool:
    """Orbax logs the traceback of a failed save, though it reaches the caller, and the metadata that it leaves out."""
    message = record.getMessage()
    return not any(part in message for part in ("background save thread, dir", "run() raised an", "enable_write=false"))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"


def _named(tree: PyTree) -> dict[str, jax.Array]:
    """The arrays of a pytree by their paths, PRNG keys as the integers that they are.

    Raises:
        CheckpointError: two paths have one name, under which one array would be lost.
    """
    named: dict[str, jax.Array] = {}
    for path, leaf in jax.tree.leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if name in named:
            raise CheckpointError(
                f"two arrays of the state are named {name!r} (one at {jax.tree_util.keystr(path)}), and a checkpoint "
                f"holds one of each name: rename a key of a dictionary with a dot or a number in it"
            )
        named[name] = jnp.asarray(without_key(leaf))
    return named


def _form(leaf: Any) -> str:
    return f"{jnp.dtype(leaf.dtype)}{tuple(leaf.shape)}"
