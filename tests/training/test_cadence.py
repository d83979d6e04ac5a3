import functools
import math

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from actlab.nets import MLP
from actlab.training import cadence, train
from actlab.training.cadence import Cadence

X = (np.linspace(-1.0, 1.0, 16, dtype=np.float32)[:, None],) * 2
GRAPHDEF, STATE = nnx.split(MLP((1, 4, 1), "tanh", rngs=nnx.Rngs(0)))


def saved(monkeypatch, seconds: float, chunk_seconds: list[float]) -> list[bool]:
    ends = iter(np.cumsum(chunk_seconds))
    monkeypatch.setattr(cadence.time, "perf_counter", lambda: next(ends))
    found = Cadence(seconds)
    return [found.due() for _ in chunk_seconds]


def test_the_second_chunk_sets_the_pace(monkeypatch) -> None:
    slow_start = [30.0, 0.7, 9.0, 0.7, 0.7, 0.7, 0.7, 0.7]
    assert saved(monkeypatch, 2.0, slow_start) == [True, True, False, False, True, False, False, True]


@pytest.mark.parametrize(("seconds", "chunk"), [(0.0, 0.1), (2.0, 2.5)])
def test_every_chunk(monkeypatch, seconds: float, chunk: float) -> None:
    assert all(saved(monkeypatch, seconds, [chunk] * 5))


def test_endless_time_leaves_the_first_two_checkpoints(monkeypatch) -> None:
    assert saved(monkeypatch, math.inf, [0.5] * 5) == [True, True, False, False, False]


def loss(model, batch, key):
    return jax.numpy.mean((model(batch[0]) - batch[1]) ** 2)


def run(folder, steps: int, **options):
    go = functools.partial(train, graphdef=GRAPHDEF, state=STATE, data=X, key=jax.random.key(1), loss=loss)
    return go(folder, optimizer=optax.adam(1e-2), steps=steps, chunk=2, keep=9, **options)


def steps_in(folder) -> list[int]:
    return sorted(int(p.name) for p in (folder / "checkpoints").iterdir())


def test_what_was_not_saved_is_trained_again_to_the_same_bits(tmp_path) -> None:
    whole = run(tmp_path / "whole", 10, save_seconds=1e9)
    assert steps_in(tmp_path / "whole") == [2, 4, 10]
    run(tmp_path / "parts", 8, save_seconds=1e9)
    (tmp_path / "parts/checkpoints/8").rename(tmp_path / "away")  # as if killed after the third chunk
    again = run(tmp_path / "parts", 10, save_seconds=1e9, resume=True)
    jax.tree.map(np.testing.assert_array_equal, again.state.params, whole.state.params)
    np.testing.assert_array_equal(again.metrics["loss"], whole.metrics["loss"])


def test_the_best_is_looked_for_in_every_chunk(tmp_path) -> None:
    run(tmp_path, 8, save_seconds=1e9, best="loss")
    assert steps_in(tmp_path) == [2, 4, 6, 8]


def test_a_negative_time_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"save_seconds = -1\.0 not negative"):
        run(tmp_path, 8, save_seconds=-1.0)
