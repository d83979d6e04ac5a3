"""`fit` against a hand-written loop, split in two, and vmapped."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from actlab.training import advance, batch_indices, begin, ensemble, fit


class Net(nnx.Module):
    """Everything a state can hold: parameters, batch statistics, a dropout counter, a plain array."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Linear(3, 8, use_bias=False, rngs=rngs)  # before a norm, a bias has gradient 0
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)
        self.last = nnx.Linear(8, 1, rngs=rngs)
        self.scale = nnx.data(jnp.asarray(2.0))

    def __call__(self, x):
        return self.scale * self.last(self.drop(jnp.tanh(self.norm(self.first(x)))))


X = jax.random.normal(jax.random.key(10), (20, 3))
Y = jnp.sum(X, axis=1, keepdims=True)
GRAPHDEF, STATE = nnx.split(Net(nnx.Rngs(0)))
ADAM = optax.adam(1e-2)


def loss(model, batch, key):
    x, y = batch
    error = model(x + 0.01 * jax.random.normal(key, x.shape)) - y
    return jnp.mean(error**2), {"largest": jnp.max(jnp.abs(error))}


options = {"loss": loss, "optimizer": ADAM, "batch_size": 6}
run = functools.partial(fit, GRAPHDEF, STATE, (X, Y), steps=8, **options)


@pytest.fixture(scope="module")
def fitted():
    return jax.jit(run)(jax.random.key(3))


def by_hand(key):
    """The same run as a Python loop over an nnx model and optimizer, one jitted gradient."""
    model = Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, ADAM, wrt=nnx.Param)
    order_key, loss_key = jax.random.split(key)
    grad = nnx.jit(nnx.grad(loss, has_aux=True))
    for step in range(8):
        rows = batch_indices(order_key, step, 20, 6)
        grads, _ = grad(model, (X[rows], Y[rows]), jax.random.fold_in(loss_key, step))
        optimizer.update(model, grads)
    return model


def test_equals_a_hand_written_loop(fitted) -> None:
    mine, theirs = (nnx.state(m, nnx.Not(nnx.RngState)) for m in (fitted.model(), by_hand(jax.random.key(3))))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-5), mine, theirs)


def test_metrics_are_returned_for_every_step(fitted) -> None:
    assert {k: v.shape for k, v in fitted.metrics.items()} == {"loss": (8,), "largest": (8,)}


def test_only_params_are_trained_and_the_rest_is_carried(fitted) -> None:
    model = fitted.model()
    assert model.scale == 2.0
    assert int(model.drop.rngs.count[...]) == 8
    assert float(jnp.abs(model.norm.mean[...]).sum()) > 0


def test_a_filter_chooses_what_is_trained() -> None:
    wrt = nnx.All(nnx.Param, nnx.PathContains("last"))
    state = jax.jit(functools.partial(run, wrt=wrt))(jax.random.key(3)).state
    assert set(state.params) == {"last"}
    np.testing.assert_array_equal(state.rest["first"]["kernel"][...], STATE["first"]["kernel"][...])


def raw(tree):
    return [
        jax.random.key_data(v) if jnp.issubdtype(v.dtype, jax.dtypes.prng_key) else v for v in jax.tree.leaves(tree)
    ]


def test_two_halves_equal_the_whole_and_repeat_bit_for_bit(fitted) -> None:
    half = jax.jit(functools.partial(advance, GRAPHDEF, steps=4, **options))

    def in_two() -> tuple:
        state = begin(STATE, jax.random.key(3), optimizer=ADAM)
        state, first = half(state, (X, Y))
        state, second = half(state, (X, Y))
        return raw(state), jnp.concatenate([first["loss"], second["loss"]])

    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7)
    jax.tree.map(close, in_two(), (raw(fitted.state), fitted.metrics["loss"]))
    jax.tree.map(np.testing.assert_array_equal, in_two(), in_two())


def test_members_of_an_ensemble_equal_their_solo_runs(fitted) -> None:
    """Every leaf, biases included."""
    keys = jax.random.split(jax.random.key(7), 3).at[1].set(jax.random.key(3))
    members = ensemble(run)(keys)
    one = jax.tree.map(lambda v: v[1], members.state.params)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), one, fitted.state.params)


def test_runs_vmap_over_data_and_state() -> None:
    states = jax.tree.map(lambda v: jnp.stack([v, v]), STATE)
    data = (jnp.stack([X, X]), jnp.stack([Y, 2 * Y]))
    keys = jnp.stack([jax.random.key(3)] * 2)
    losses = ensemble(lambda s, d, k: fit(GRAPHDEF, s, d, k, steps=8, **options).metrics["loss"])(states, data, keys)
    solo = jax.jit(lambda d: fit(GRAPHDEF, STATE, d, keys[0], steps=8, **options).metrics["loss"])
    np.testing.assert_allclose(losses, [solo((X, Y)), solo((X, 2 * Y))], rtol=1e-5)


def test_a_loss_that_is_not_scalar_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scalar; got shape \(20, 1\)"):
        fit(GRAPHDEF, STATE, (X, Y), jax.random.key(0), loss=lambda m, b, k: m(b[0]), optimizer=ADAM, steps=1)


def test_a_metric_named_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="rename"):
        fit(
            GRAPHDEF,
            STATE,
            X,
            jax.random.key(0),
            loss=lambda m, b, k: (m(b).sum(), {"loss": 0.0}),
            optimizer=ADAM,
            steps=1,
        )


def test_no_steps_leave_the_model_as_it_was() -> None:
    still = fit(GRAPHDEF, STATE, (X, Y), jax.random.key(0), loss=loss, optimizer=ADAM, steps=0)
    np.testing.assert_array_equal(still.model().first.kernel[...], STATE["first"]["kernel"][...])
