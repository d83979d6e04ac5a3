"""The evaluation end to end on small settings, what it refuses, and the penalty that knows the bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import FactError
from actlab.systems.attention import Gate, visited_blocks
from actlab.systems.attention.evaluation import Settings, evaluate, halfway_gate, references
from actlab.systems.attention.model import Recipe, judge, transformer
from actlab.systems.attention.penalty import bound_penalty
from actlab.systems.attention.recall import Drawn, Recall

TINY = Settings(
    task=Recall(length=16, pairs=2, vocabulary=10, fill="blank"),
    recipe=Recipe(width=16, heads=1, batch=16, steps=150, learning_rate=1e-2),
    rows=512,
    temperatures=(1.0,),
    judged=64,
    block=4,
)


@pytest.mark.exhaustive
def test_a_relu_gate_recalls_keeps_few_pairs_and_skips_without_changing_a_bit():
    by_name = {m.name: m for m in evaluate("relu", (0, 1), TINY).measurements}
    assert by_name["recall accuracy"].mean > 75  # guessing one of five values is right in a fifth
    assert 0 < by_name["pairs kept"].mean < 60
    assert by_name["outputs that skipping changes"].values.tolist() == [0, 0]
    assert all(m.seeds == (0, 1) and np.isfinite(m.values).all() for m in by_name.values())


@pytest.mark.parametrize(
    ("which", "options", "match"),
    [
        ("softmax", {"skip": "bounds"}, "skip = 'bounds' is no option here: attention 'softmax' has no options"),
        ("entmax-1.5", {"trained": False}, "trained = False is no option here"),
        (Gate(al.gelu, 1.0, 0.5, 0.67), {"tile": 8}, "tile = 8 is no option here: a gate takes skip, scale, block, tr"),
    ],
)
def test_options_that_an_attention_does_not_take_are_refused(which, options, match):
    with pytest.raises(ValueError, match=match):
        transformer(jax.random.key(0), which, 10, TINY.recipe, **options)


def test_softmax_keeps_every_pair_and_entmax_does_not():
    batch = Drawn.of(TINY.task, jax.random.key(0), 8)

    @jax.jit
    def kept(batch):
        nets = [transformer(jax.random.key(1), name, 10, TINY.recipe) for name in ("softmax", "entmax-1.5")]
        return [judge(net, (batch.tokens, batch.targets, batch.counted)).density for net in nets]

    softmax, entmax = (float(share) for share in kept(batch))
    assert softmax == pytest.approx(1.0)
    assert 0 < entmax < 1


@pytest.mark.exhaustive
def test_references_are_other_attentions_of_the_same_measures():
    recipe = Recipe(width=8, heads=1, convolution=0, batch=4, steps=2)
    small = Settings(TINY.task, recipe, rows=8, judged=4, mixers=("softmax", "entmax-1.5"))
    measured = references((0,), small).measurements
    assert {m.activation for m in measured} == {"softmax attention", "entmax-1.5 attention"}
    kept = {m.activation: m.mean for m in measured if m.name == "pairs kept"}
    assert kept["softmax attention"] == pytest.approx(100)
    assert 0 < kept["entmax-1.5 attention"] < 100


@pytest.mark.parametrize("name", ["gaussian", "sin"])
def test_activations_that_are_no_gate_are_refused(name):
    with pytest.raises(FactError, match=r"half-line|no gate"):
        evaluate(name, (0,), TINY)


@pytest.mark.parametrize("name", ["relu", "tanh", "softplus", "hard_tanh", "heaviside"])
def test_the_gate_opens_between_0_and_1(name):
    assert 0 <= halfway_gate(al.get(name)).crossing < 1


def test_the_penalty_vanishes_exactly_where_every_block_left_of_the_diagonal_is_skipped():
    gate = Gate(al.relu, jnp.float32(1.0), jnp.float32(1.0), jnp.float32(1.0))
    directions = jnp.eye(4)[:, None, :]  # one a block: scores are 0 between blocks and large inside
    x = (3 * jnp.broadcast_to(directions, (4, 8, 4)) + 0.01 * jax.random.normal(jax.random.key(0), (4, 8, 4))).reshape(
        1, 32, 1, 4
    )
    penalty = jax.jit(jax.value_and_grad(lambda k, q: bound_penalty(q, k, gate, block=8)))
    apart, _ = penalty(x, x)
    assert float(apart) == 0.0
    visited = jax.jit(lambda x: visited_blocks(x, x, gate, causal=True, block=8))(x)
    np.testing.assert_array_equal(visited[0], np.eye(4, dtype=bool))
    alike = jnp.broadcast_to(x[:, :1], x.shape)
    value, slope = penalty(alike, alike)
    assert float(value) == pytest.approx(9.0 / 2 - 1 + 0.1, rel=0.05)
    assert bool(jnp.isfinite(slope).all())
    assert float(jnp.abs(slope).max()) > 0
