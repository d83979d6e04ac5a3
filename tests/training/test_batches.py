"""The order of minibatches: a function of (key, step) alone, a permutation in every epoch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from actlab.training import advance, batch_indices, begin

KEY = jax.random.key(5)
N, SIZE = 11, 4


class Recorder(nnx.Module):
    """A model whose loss reports the rows that it is shown."""

    def __init__(self):
        self.w = nnx.Param(jnp.zeros(()))


def shown(model, batch, key):
    return model.w * 0.0, {"rows": batch}


GRAPHDEF, STATE = nnx.split(Recorder())


@functools.partial(jax.jit, static_argnums=1)
def rows_seen(state, steps):
    go = functools.partial(advance, GRAPHDEF, data=jnp.arange(N), loss=shown, optimizer=optax.sgd(0.0), batch_size=SIZE)
    state, metrics = go(state, steps=steps)
    return state, metrics["rows"]


def start(key=KEY):
    return begin(STATE, key, optimizer=optax.sgd(0.0))


def test_an_epoch_visits_no_row_twice_and_epochs_differ() -> None:
    epochs = rows_seen(start(), 8)[1].reshape(4, 2 * SIZE)
    assert all(len(set(epoch.tolist())) == 2 * SIZE for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 4


def test_every_row_is_seen_in_the_long_run() -> None:
    assert set(rows_seen(start(), 40)[1].ravel().tolist()) == set(range(N))


def test_carried_order_equals_the_pure_function() -> None:
    state = start()
    pure = jax.vmap(lambda step: batch_indices(state.order_key, step, N, SIZE))(jnp.arange(8))
    np.testing.assert_array_equal(rows_seen(state, 8)[1], pure)


def test_order_does_not_depend_on_where_chunks_end() -> None:
    whole = rows_seen(start(), 8)[1]
    state, first = rows_seen(start(), 3)  # ends inside an epoch
    _, second = rows_seen(state, 5)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_a_permutation_costs_one_sort_an_epoch_even_under_vmap() -> None:
    mapped = jax.vmap(lambda key: rows_seen(start(key), 8)[1])
    keys = jax.random.split(KEY, 3)
    text = str(jax.make_jaxpr(mapped)(keys))
    assert text.count("cond[") == 1
    np.testing.assert_array_equal(mapped(keys)[2], rows_seen(start(keys[2]), 8)[1])


def test_without_a_batch_size_the_batch_is_the_data() -> None:
    _, metrics = advance(GRAPHDEF, start(), jnp.arange(N), loss=shown, optimizer=optax.sgd(0.0), steps=2)
    np.testing.assert_array_equal(metrics["rows"], [np.arange(N)] * 2)


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        (jnp.zeros(4), 5, "batch_size = 5 must be between 1 and the 4 rows"),
        (jnp.zeros(4), 0, "batch_size = 0"),
        ((jnp.zeros(4), jnp.zeros(3)), 2, "same, non-empty leading axis"),
        (jnp.zeros((0, 2)), None, "non-empty"),
        (jnp.zeros(()), None, r"got shapes \[\(\)\]"),
        ((), None, "got shapes"),
    ],
)
def test_data_that_make_no_batches_are_refused(data, size, message) -> None:
    with pytest.raises(ValueError, match=message):
        advance(GRAPHDEF, start(), data, loss=shown, optimizer=optax.sgd(0.0), steps=1, batch_size=size)
