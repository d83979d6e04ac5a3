"""Member i of every strategy is the solo run of member i, biases included; the program never communicates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from actlab.training import ensemble, fit, make_mesh, rows_of_batch

X = jnp.linspace(-2, 2, 12)[:, None]
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


class Net(nnx.Module):
    def __init__(self, rngs):
        self.first, self.last = nnx.Linear(1, 4, rngs=rngs), nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x, beta):
        return self.last(jnp.tanh(beta * self.first(x)))


def run(key, beta, batch_size=5, batch_sharding=None):
    def loss(model, batch, key):
        return jnp.mean((model(batch, beta) - jnp.abs(batch)) ** 2)

    graphdef, state = nnx.split(Net(nnx.Rngs(key)))
    return fit(
        graphdef,
        state,
        X,
        key,
        loss=loss,
        optimizer=optax.adam(1e-2),
        steps=30,
        batch_size=batch_size,
        batch_sharding=batch_sharding,
    )


KEYS = jax.random.split(jax.random.key(0), 8)
BETAS = jnp.linspace(0.5, 3.0, 8)


@functools.cache
def solo():
    one = jax.jit(run)
    runs = [one(key, beta).state.params for key, beta in zip(KEYS, BETAS, strict=True)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *runs)


def assert_solo(params, count=8):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[:count], atol=1e-5), params, solo())


@functools.cache
def mapped(strategy):
    return ensemble(run, strategy)


@pytest.mark.parametrize("strategy", ["vmap", "jit", "pmap"])
def test_every_member_equals_its_solo_run(strategy) -> None:
    result = mapped(strategy)(KEYS, BETAS)
    assert_solo(result.state.params)
    devices = len(result.metrics["loss"].sharding.device_set)
    assert devices == (1 if strategy == "vmap" else 8)


@pytest.mark.parametrize("strategy", ["vmap", "jit", "pmap"])
def test_a_member_that_diverges_leaves_the_others_their_bits(strategy) -> None:
    healthy, sick = mapped(strategy)(KEYS, BETAS), mapped(strategy)(KEYS, BETAS.at[3].set(jnp.nan))
    assert np.isnan(sick.metrics["loss"][3]).all()
    others = np.delete(np.arange(8), 3)
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[others], b[others]),
        (healthy.state.params, healthy.state.opt_state, healthy.metrics),
        (sick.state.params, sick.state.opt_state, sick.metrics),
    )


def test_memory_and_work_of_a_device_fall_as_its_share() -> None:
    """Of arguments and results, but for a table of pointers; of scratch, but for what each needs once, as the data."""
    one = ensemble(run, "jit", mesh=make_mesh(1, devices=jax.devices()[:1])).lower(KEYS, BETAS).compile()
    eight = mapped("jit").lower(KEYS, BETAS).compile()
    whole, part = one.memory_analysis(), eight.memory_analysis()
    for size in ("argument_size_in_bytes", "output_size_in_bytes"):
        assert getattr(part, size) <= getattr(whole, size) / 8 + 256
    assert part.temp_size_in_bytes < whole.temp_size_in_bytes
    assert eight.cost_analysis()["flops"] < one.cost_analysis()["flops"] / 6


@pytest.mark.parametrize("strategy", ["jit", "pmap"])
def test_the_program_never_communicates(strategy) -> None:
    text = mapped(strategy).lower(KEYS, BETAS).compile().as_text()
    assert [c for c in COLLECTIVES if c in text] == []


@pytest.mark.parametrize("strategy", ["jit", "pmap"])
def test_members_that_the_devices_do_not_divide_are_filled_up(strategy) -> None:
    """Five members on eight devices run as eight: the program of the test above."""
    result = mapped(strategy)(KEYS[:5], BETAS[:5])
    assert result.metrics["loss"].shape == (5, 30)
    assert_solo(result.state.params, 5)


def test_a_mesh_chooses_devices_and_an_argument_may_be_shared() -> None:
    add = ensemble(lambda a, b: a + b, "jit", mesh=make_mesh(2, 2), in_axes=(0, None))
    result = add(jnp.arange(4.0), jnp.float32(1.0))
    np.testing.assert_array_equal(result, [1, 2, 3, 4])
    assert len(result.sharding.device_set) == 4


def test_the_rows_of_a_batch_may_lie_on_several_devices() -> None:
    """Two members on four devices each: the gradients are summed over `data`, the members stay apart."""
    mesh = make_mesh(2, 4)
    split = functools.partial(run, batch_size=4, batch_sharding=rows_of_batch(mesh))
    sharded = ensemble(split, "jit", mesh=mesh)
    result = sharded(KEYS[:2], BETAS[:2])
    whole = jax.jit(functools.partial(run, batch_size=4))
    for i in range(2):
        alone = whole(KEYS[i], BETAS[i]).state.params
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b, atol=1e-5), result.state.params, alone)
    assert "all-reduce" in sharded.lower(KEYS[:2], BETAS[:2]).compile().as_text()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ensemble(run, "shard_map"), "known: vmap, jit, pmap"),
        (lambda: ensemble(run, "vmap", mesh=make_mesh()), "no mesh"),
        (lambda: ensemble(jnp.add, "jit")(jnp.zeros(2), jnp.zeros(3)), "one length"),
        (lambda: make_mesh(data=3), "does not divide the 8 devices"),
        (lambda: make_mesh(5, 2), "5 x 2 devices asked for, 8 present"),
    ],
)
def test_what_cannot_be_mapped_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
