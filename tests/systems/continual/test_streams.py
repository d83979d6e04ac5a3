"""Every stream by its definition; heads by their masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.continual import (
    ContinualError,
    Heads,
    Labelled,
    joint,
    least_rows,
    permuted,
    random_label,
    rotated,
    rotation,
    split,
)

SIDE, TASKS = 4, 3


@pytest.fixture(scope="module")
def data() -> Labelled:
    """90 + 30 images, all different, of 6 classes; the labels shuffled."""
    rng = np.random.default_rng(0)
    y, y_test = (rng.permutation(np.repeat(np.arange(6, dtype=np.int32), n)) for n in (15, 5))
    return Labelled(jnp.arange(90 * 16.0).reshape(90, 16), y, -jnp.arange(30 * 16.0).reshape(30, 16), y_test)


def test_every_stream_by_its_definition(data: Labelled) -> None:
    key = jax.random.key(0)

    @jax.jit
    def all_of_them(key, data_x, data_x_test):
        here = Labelled(data_x, data.y, data_x_test, data.y_test)
        return (
            permuted(key, here, TASKS, 40, 10),
            rotated(key, here, TASKS, 40, 10, largest=0.0),
            random_label(key, here, TASKS, 40),
            split(key, here, TASKS, 2, 30, 10),
            split(key, here, TASKS, 2, 30, 10, shuffle=True),
        )

    streams = all_of_them(key, data.x, data.x_test)
    again = all_of_them(key, data.x, data.x_test)
    for a, b in zip(jax.tree.leaves(streams), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    mixed, turned, chance, divided, shuffled = streams

    for t in range(TASKS):
        x, label = mixed.train(t, jnp.arange(40))
        rows = np.asarray(mixed.rows[t])
        assert len(set(rows.tolist())) == 40
        np.testing.assert_array_equal(x, np.asarray(data.x)[rows][:, np.asarray(mixed.pixels[t, :, 0])])
        np.testing.assert_array_equal(np.sort(x, 1), np.asarray(data.x)[rows])  # a permutation: rows are ascending
        np.testing.assert_array_equal(label, data.y[rows])
    assert not np.array_equal(mixed.pixels[0], mixed.pixels[1])

    x, label = turned.test(1)
    np.testing.assert_allclose(x, np.asarray(data.x_test)[np.asarray(turned.test_rows[1])], rtol=1e-6)
    np.testing.assert_array_equal(label, data.y_test[np.asarray(turned.test_rows[1])])

    assert len(np.unique(chance.labels)) == 10
    np.testing.assert_array_equal(chance.test(2)[0], chance.train(2, jnp.arange(40))[0])
    np.testing.assert_array_equal(chance.test(2)[1], chance.labels[2])

    for stream in (divided, shuffled):
        classes = [np.unique(data.y[np.asarray(stream.rows[t])]) for t in range(TASKS)]
        assert sorted(np.concatenate(classes).tolist()) == list(range(6))
        for t in range(TASKS):
            np.testing.assert_array_equal(np.bincount(stream.labels[t]), [15, 15])
            np.testing.assert_array_equal(np.bincount(stream.test_labels[t]), [5, 5])
    for t in range(TASKS):
        np.testing.assert_array_equal(divided.labels[t] + 2 * t, data.y[np.asarray(divided.rows[t])])
        np.testing.assert_array_equal(divided.test_labels[t] + 2 * t, data.y_test[np.asarray(divided.test_rows[t])])
    everything = joint(divided)
    np.testing.assert_array_equal(everything.labels[0], data.y[np.asarray(everything.rows[0])])
    assert everything.test(0)[0].shape == (30, 16)
    assert least_rows(data.y, TASKS, 2) == 30


def test_a_quarter_turn_is_numpys_and_half_a_pixel_is_a_mean() -> None:
    image = np.random.default_rng(0).normal(size=(5, 5))
    for quarters in range(4):
        pixels, weights = rotation(quarters * np.pi / 2, 5)
        turned = (image.ravel()[np.asarray(pixels)] * np.asarray(weights)).sum(1).reshape(5, 5)
        np.testing.assert_allclose(turned, np.rot90(image, quarters), atol=1e-5)
    _, weights = rotation(0.3, 5)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    assert np.all(np.asarray(weights) >= 0)


def test_heads_open_what_the_scenario_says() -> None:
    task, domain, by_class = (Heads(s, 3, 2) for s in ("task", "domain", "class"))
    assert [h.outputs for h in (task, domain, by_class)] == [6, 2, 6]
    asked = jnp.array([0, 2])
    np.testing.assert_array_equal(task.open(asked, 1), [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(domain.open(asked, 1), [[1, 1], [1, 1]])
    np.testing.assert_array_equal(by_class.open(asked, 1), [[1, 1, 1, 1, 0, 0]] * 2)
    assert [h.target(2, 1) for h in (task, domain, by_class)] == [5, 1, 5]
    masks, weights = task.before(2)
    np.testing.assert_allclose(weights, [0.5, 0.5, 0])
    np.testing.assert_array_equal(masks[1], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(by_class.before(2)[0], [[1, 1, 1, 1, 0, 0]])
    for heads in (task, domain, by_class):
        assert float(heads.before(0)[1].sum()) == 0


def test_streams_and_heads_refuse_what_cannot_be(data: Labelled) -> None:
    key = jax.random.key(0)
    uneven = Labelled(data.x, np.repeat(np.arange(4), [40, 12, 28, 10]), data.x_test, np.arange(30) % 4)
    wide = Labelled(data.x[:, :15], data.y, data.x_test[:, :15], data.y_test)
    for wrong, because in (
        (lambda: permuted(key, data, 0, 10, 10), "tasks = 0"),
        (lambda: permuted(key, data, 2, 91, 10), "length = 91"),
        (lambda: split(key, data, 3, 2, 10, 31), "test_length = 31"),
        (lambda: split(key, data, 3, 2, 31, 10), "length = 31 is above the 30 rows"),
        (lambda: split(key, data, 3, 2, 30, 11), "test_length = 11 is above the 10 rows"),
        (lambda: split(key, uneven, 2, 2, 23, 8, shuffle=True), "length = 23 is above the 22 rows"),
        (lambda: rotated(key, wide, 2, 10, 10), "15 pixels are no square"),
        (lambda: joint(permuted(key, data, 2, 10, 10)), "split classes"),
        (lambda: Heads("task", 2, 1), "classes = 1"),
    ):
        with pytest.raises(ContinualError, match=because):
            wrong()
