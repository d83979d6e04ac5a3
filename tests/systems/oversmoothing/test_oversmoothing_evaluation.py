"""The evaluation end to end on small settings, its parts against closed forms, what it refuses; training."""

from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.activations import FactError
from actlab.data.embedded_graphs import karate_club
from actlab.data.graph import Graph
from actlab.systems.oversmoothing import (
    Problem,
    Recipe,
    Setting,
    dirichlet_energy,
    effective_rank,
    law_errors,
    rank_one_distance,
    ridge_accuracy,
    train,
)
from actlab.systems.oversmoothing.evaluation import Settings, evaluate
from actlab.systems.oversmoothing.model import build

TINY = Settings(digits=200, law_layers=6, random=Setting(layers=12), depths=(1, 4), width=8)
PATH = Graph.from_links(np.array([[0, 1], [1, 2]]), 3)


def test_evaluation_predicts_what_it_measures() -> None:
    found = evaluate("tanh", (0, 1), TINY)
    by_name = {m.name: m for m in found.measurements}
    assert by_name["error of the predicted depth"].mean < 20
    assert by_name["error of the law's factor, worst layer"].mean < 1
    assert by_name["readout accuracy, 4 layers, critical weights"].mean > 50
    assert all(np.isfinite(m.values).all() and m.seeds == (0, 1) for m in found.measurements)
    assert len({c.name for c in found.curves}) == 6


def test_slopes_that_are_unbounded_or_unknown_are_refused() -> None:
    with pytest.raises(FactError, match="collapse is predicted from its slopes"):
        evaluate("square", (0,), TINY)
    with pytest.raises(FactError, match="unknown"):
        evaluate(al.activation(lambda x: jnp.sin(x) / 2), (0,), TINY)


def test_a_flat_activation_has_no_law() -> None:
    errors, _, _ = law_errors(al.get("relu"), PATH, (0,), mean=-1.0, deviation=0.01, layers=3)
    assert np.isnan(errors).all()


def test_measures_of_collapsed_and_of_independent_nodes() -> None:
    @jax.jit
    def measured(x: jax.Array, tiny: jax.Array, graph: Graph) -> jax.Array:
        energies = [dirichlet_energy(x, graph), dirichlet_energy(tiny, graph)]
        return jnp.stack([*energies, effective_rank(x), rank_one_distance(x)])

    weights = jnp.sqrt(PATH.degrees() + 1)
    collapsed = measured(weights[:, None] * jnp.array([[1.0, 2.0, 0.0]]), 1e-30 * jnp.eye(3), PATH)
    independent = measured(jnp.eye(3), jnp.eye(3), PATH)
    energy = 1 - (0.5 + 1 / 3 + 0.5) / 3
    np.testing.assert_allclose(collapsed, [0, energy, 1, 0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(independent, [energy, energy, 3, np.sqrt(2 / 3)], rtol=1e-5)


def test_ridge_readout_is_scikit_learns() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    h, y = rng.normal(size=(80, 6)), rng.integers(0, 3, 80)
    h[:, 0] += 2 * y
    h /= np.sqrt(np.mean(h**2))
    train_rows, test_rows = np.arange(40), np.arange(40, 80)
    model = Ridge(alpha=0.5 * 6, fit_intercept=False).fit(h[train_rows], np.eye(3)[y[train_rows]] - 1 / 3)
    expected = np.mean(model.predict(h[test_rows]).argmax(1) == y[test_rows])
    parts = (jnp.asarray(y), jnp.asarray(train_rows), jnp.asarray(test_rows))
    assert float(ridge_accuracy(jnp.asarray(5 * h, jnp.float32), *parts, 3, penalty=0.5)) == pytest.approx(expected)


@pytest.mark.exhaustive
def test_training_learns_and_seeds_in_turn_are_seeds_at_once() -> None:
    problem, keys = Problem.of(karate_club()), jax.random.split(jax.random.key(0), 3)
    recipe = Recipe(width=8, epochs=40, rate=0.3)
    ways = ("vmap", "map", "devices")
    at_once, *others = (train(problem, "relu", recipe, keys, mapping=way, chunk=20) for way in ways)
    for other in others:
        np.testing.assert_allclose(at_once.test, other.test, atol=0.06)
    np.testing.assert_array_equal(at_once.epochs, [40] * 3)
    assert float(np.mean(at_once.test)) > 0.8


def test_hidden_layers_step_at_a_rate_of_their_own() -> None:
    problem, keys = Problem.of(karate_club()), jax.random.split(jax.random.key(0), 2)
    recipe = Recipe(width=8, depth=4, epochs=10, rate=0.0, loop=2.0)
    one, same, held = (
        train(problem, "relu", replace(recipe, inner_learning_rate=rate), keys, chunk=10)
        for rate in (None, recipe.learning_rate, 0.0)
    )
    chex.assert_trees_all_close(one.params, same.params, rtol=1e-5)

    def start(key: Any) -> Any:
        return nnx.state(build(problem, "relu", recipe, jax.random.split(key)[0]), nnx.Param)

    starts = jax.vmap(start)(keys)
    chex.assert_trees_all_close(held.params["hidden"], starts["hidden"], rtol=1e-6)
    assert float(jnp.abs(held.params["first"]["kernel"][...] - starts["first"]["kernel"][...]).min()) > 1e-4
