"""A state that goes on chunk by chunk: what was stopped and called again ends as what was not."""

import os
import signal
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.training import CheckpointError, Lock, Preempted, RunFolderError, in_chunks


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Walk:
    """A random walk that ends where it is far enough from 0."""

    place: Any
    step: Any
    key: Any


@jax.jit
def advance(walk: Walk) -> Walk:
    noise = jax.random.normal(jax.random.fold_in(walk.key, walk.step))
    return Walk(walk.place + noise, walk.step + 1, walk.key)


START = Walk(jnp.zeros(()), jnp.zeros((), jnp.int32), jax.random.key(3))
OPTIONS: Any = {
    "steps": lambda walk: int(walk.step),
    "active": lambda walk: bool((abs(walk.place) < 6) & (walk.step < 500)),
    "save_seconds": 0.0,
}


class Stopped(Exception):
    """Raised in place of a kill."""


def stopping(at: int, how):
    def one(walk: Walk) -> Walk:
        if int(walk.step) == at:
            how()
        return advance(walk)

    return one


def raising():
    raise Stopped


def same(a: Walk, b: Walk):
    assert (float(a.place), int(a.step)) == (float(b.place), int(b.step))


def test_a_folder_changes_nothing(tmp_path):
    whole = in_chunks(None, START, advance, **OPTIONS)
    assert 10 < int(whole.step) < 500
    same(whole, in_chunks(tmp_path / "run", START, advance, **OPTIONS))
    # Called again, it takes no step: the last state is read.
    same(whole, in_chunks(tmp_path / "run", START, stopping(0, raising), **OPTIONS))


def test_stopped_and_called_again_is_uninterrupted(tmp_path):
    whole = in_chunks(None, START, advance, **OPTIONS)
    for at in (1, 4, 9):
        with pytest.raises(Stopped):
            in_chunks(tmp_path / str(at), START, stopping(at, raising), **OPTIONS)
        taken = []
        end = in_chunks(tmp_path / str(at), START, lambda w, t=taken: t.append(int(w.step)) or advance(w), **OPTIONS)
        same(whole, end)
        np.testing.assert_equal(taken, np.arange(at, int(whole.step)))


def test_sigterm_saves_and_says_so(tmp_path):
    with pytest.raises(Preempted, match="saved at step 6"):
        in_chunks(tmp_path, START, stopping(5, lambda: os.kill(os.getpid(), signal.SIGTERM)), **OPTIONS)
    same(in_chunks(None, START, advance, **OPTIONS), in_chunks(tmp_path, START, advance, **OPTIONS))


def test_a_longer_run_is_not_returned_for_a_shorter_one(tmp_path):
    taken = int(in_chunks(tmp_path, START, advance, most=500, **OPTIONS).step)
    with pytest.raises(RunFolderError, match=f"at step {taken}, which is beyond steps = {taken - 1}"):
        in_chunks(tmp_path, START, advance, most=taken - 1, **OPTIONS)


def test_another_run_and_a_folder_in_use_are_refused(tmp_path):
    with pytest.raises(Stopped):
        in_chunks(tmp_path, START, stopping(2, raising), **OPTIONS)
    other = Walk(jnp.zeros(2), START.step, START.key)
    with pytest.raises(CheckpointError, match="place is float32"):
        in_chunks(tmp_path, other, advance, **OPTIONS)
    lock = Lock(tmp_path)
    with pytest.raises(RunFolderError):
        in_chunks(tmp_path, START, advance, **OPTIONS)
    lock.close()
