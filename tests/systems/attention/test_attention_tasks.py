"""What the nets learn from: recall can be answered, passages are followed by their next characters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.attention.passages import Passages
from actlab.systems.attention.recall import Recall


def test_every_counted_target_is_the_value_that_followed_its_key():
    tasks = {fill: Recall(length=32, pairs=4, vocabulary=24, fill=fill) for fill in ("blank", "random")}
    drawn = jax.jit(lambda key: {fill: task.draw(key, 50) for fill, task in tasks.items()})(jax.random.key(0))
    for fill in tasks:
        check(fill, *(np.asarray(x) for x in drawn[fill]))


def check(fill: str, tokens: np.ndarray, targets: np.ndarray, counted: np.ndarray) -> None:
    assert counted.sum(axis=1).tolist() == [4] * 50
    for row, target, asked in zip(tokens, targets, counted, strict=True):
        said = dict(zip(row[:8:2], row[1:8:2], strict=True))
        assert len(said) == 4
        assert set(said) <= set(range(1, 12))
        assert set(said.values()) <= set(range(12, 24))
        places = np.flatnonzero(asked)
        assert set(row[places]) == set(said)
        assert [said[key] for key in row[places]] == target[places].tolist()
        if fill == "blank":
            others = np.delete(np.arange(32), [*range(8), *places])
            assert not row[others].any()


def test_sizes_that_make_no_task_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        Recall(length=8, pairs=4)
    with pytest.raises(ValueError, match="vocabulary = 8"):
        Recall(length=32, pairs=4, vocabulary=8)
    with pytest.raises(ValueError, match=r"skew = 0.0 must be positive"):
        Recall(skew=0.0)


def test_passages_are_followed_by_the_next_characters():
    task = Passages(jnp.arange(100) % 7, 10, 7)
    for tokens, targets, counted in (task.draw(jax.random.key(0), 20), task.spread(20)):
        np.testing.assert_array_equal(targets, (tokens + 1) % 7)
        assert counted.shape == (20, 10)
        assert bool(counted.all())
    assert task.spread(3)[0][-1, -1] == 98 % 7
    with pytest.raises(ValueError, match="too short"):
        Passages(jnp.arange(10), 10, 7)
