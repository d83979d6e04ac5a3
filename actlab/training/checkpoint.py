"""Checkpoints of the whole state, by Orbax: atomic, the last few kept, refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not fit the run; the message says what is wrong and what to do."""


class RunFolderError(OSError):
    """The folder of a run cannot be used; the message says why and what to do."""


def run_folder(path: str | Path) -> Path:
    """The folder of a run, created where it is missing.

    Raises:
        RunFolderError: it cannot be created or written.
    """
    folder = Path(path).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RunFolderError(f"run folder {folder} cannot be written ({error.strerror}); choose another") from error
    return folder


class Checkpoints:
    """The checkpoints of one run: the arrays of a pytree, PRNG keys included, by the names of their paths.

    Args:
        folder: of the checkpoints, one subfolder a step.
        keep: the number of latest checkpoints that are kept.
    """

    def __init__(self, folder: Path, keep: int = 3):
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._folder = folder
        self._manager = ocp.CheckpointManager(
            folder,
            options=ocp.CheckpointManagerOptions(max_to_keep=keep),
            item_handlers=ocp.StandardCheckpointHandler(),  # known beforehand, so that metadata can be read
        )

    def latest(self) -> int | None:
        """The step of the newest checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: PyTree) -> None:
        """Saves in the background; a step becomes visible only when it is whole."""
        self._manager.save(step, args=self._ocp.args.StandardSave(_named(state)))

    def restore(self, like: PyTree) -> PyTree:
        """The newest checkpoint as a pytree like this one, with its shardings.

        Raises:
            CheckpointError: no checkpoint, one that cannot be read, or one whose names, shapes or dtypes differ (Orbax
                itself casts dtypes silently).
        """
        self._manager.wait_until_finished()
        step = self.latest()
        if step is None:
            raise CheckpointError(f"{self._folder} holds no checkpoint")
        wanted = _named(like)
        abstract = {name: jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=v.sharding) for name, v in wanted.items()}
        try:
            found = self._manager.item_metadata(step)
            self._refuse_misfit(step, dict(found or {}), abstract)
            leaves = self._manager.restore(step, args=self._ocp.args.StandardRestore(abstract))
        except CheckpointError:
            raise
        except Exception as error:  # TensorStore and Orbax raise many kinds, with dumps of many lines
            raise CheckpointError(self._unreadable(step, error)) from error
        originals = jax.tree.leaves(like)
        restored = [_as_key_of(old, leaves[name]) for old, name in zip(originals, wanted, strict=True)]
        return jax.tree.unflatten(jax.tree.structure(like), restored)

    def close(self) -> None:
        """Waits for saves under way."""
        self._manager.close()

    def _refuse_misfit(self, step: int, found: dict[str, Any], wanted: dict[str, Any]) -> None:
        problems = [f"{name} is missing" for name in wanted if name not in found]
        problems += [f"{name} is unknown to the run" for name in found if name not in wanted]
        for name in wanted.keys() & found.keys():
            have, want = _form(found[name]), _form(wanted[name])
            if have != want:
                problems.append(f"{name} is {have}, the run has {want}")
        if problems:
            raise CheckpointError(
                f"checkpoint {self._folder / str(step)} is of another run: {'; '.join(sorted(problems)[:3])}"
                f"{' ...' if len(problems) > 3 else ''}; use the configuration it was saved with, or a new folder"
            )

    def _unreadable(self, step: int, error: Exception) -> str:
        older = [s for s in self._manager.all_steps() if s < step]
        remedy = f"to go on from step {max(older)}" if older else "to start again"
        first = (str(error).splitlines() or [""])[0][:120]
        path = self._folder / str(step)
        return f"checkpoint {path} cannot be read ({type(error).__name__}: {first}); delete that folder {remedy}"


def _named(tree: PyTree) -> dict[str, jax.Array]:
    """The arrays of a pytree by their paths, PRNG keys as the integers that they are."""
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): _without_key(leaf) for path, leaf in leaves}


def _without_key(leaf: Any) -> jax.Array:
    return jax.random.key_data(leaf) if _is_key(leaf) else jnp.asarray(leaf)


def _as_key_of(original: Any, leaf: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(leaf, impl=jax.random.key_impl(original)) if _is_key(original) else leaf


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)


def _form(leaf: Any) -> str:
    return f"{jnp.dtype(leaf.dtype)}{tuple(leaf.shape)}"
