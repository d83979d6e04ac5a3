"""Measures against their definitions; the bound of a gradient's change against search."""

import chex
import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import scipy.stats
from flax import nnx

import actlab.activations as al
from actlab.bounds import network
from actlab.nets import MLP
from actlab.systems.saliency import (
    SaliencyError,
    cascading_randomization,
    class_score,
    complexity,
    effective_complexity,
    gini,
    gradient,
    gradient_lipschitz,
    infidelity,
    infidelity_at,
    largest_change,
    maps,
    perturbation_curve,
    rank_correlation,
    sensitivity_at,
    sensitivity_max,
    zero_fraction,
)
from actlab.systems.saliency.sorting_network import sort_rows


def test_sparsity_by_the_definitions():
    n = 8
    given = jnp.stack([jnp.ones(n), jnp.zeros(n).at[3].set(-2.0), jnp.zeros(n), jnp.arange(n, dtype=jnp.float32)])
    np.testing.assert_allclose(gini(given), [0, 1 - 1 / n, np.nan, _mean_difference(np.arange(n))], atol=1e-6)
    np.testing.assert_allclose(zero_fraction(given), [0, 7 / 8, 1, 1 / 8])
    share = np.arange(n) / np.arange(n).sum()
    np.testing.assert_allclose(complexity(given), [np.log(n), 0, np.nan, scipy.stats.entropy(share)], atol=1e-6)


def _mean_difference(values):
    """Gini by its other definition: half the relative mean difference."""
    return np.abs(values[:, None] - values[None]).mean() / (2 * values.mean())


@pytest.mark.parametrize(("count", "n"), [(6, 1), (6, 2), (6, 7), (6, 50), (40, 300)])
def test_places_by_network_and_by_sorting_are_numpys(count, n):
    values, want = _values_and_places(count, n)
    for places in (maps._places_by_network, maps._places_by_sorting):
        np.testing.assert_array_equal(jax.jit(places)(jnp.asarray(values, jnp.float32)), want)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_places_of_half_precision_are_numpys(dtype):
    values, want = _values_and_places(6, 50)
    np.testing.assert_array_equal(jax.jit(maps._places_by_network)(jnp.asarray(values, dtype)), want)


def test_places_of_float64_are_numpys(float64):
    values, want = _values_and_places(6, 50)
    np.testing.assert_array_equal(jax.jit(maps._places_by_network)(jnp.asarray(values * (1 + 1e-12))), want)


def _values_and_places(count, n):
    """Values with ties, both zeros and what is not finite; numpy's places."""
    rng = np.random.default_rng(n)
    values = np.round(rng.normal(size=(count, n)), 1)
    values[values == 0.1] = -0.0
    for special in (np.nan, np.inf, -np.inf):
        values[rng.random(values.shape) < 0.1] = special
    return values, np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1, kind="stable")


@pytest.mark.parametrize(("count", "n"), [(3, 7), (6, 1), (6, 2), (6, 50), (16, 1), (16, 50), (33, 64), (70, 300)])
def test_gini_is_half_the_relative_mean_difference_however_rows_are_sorted(count, n):
    values = np.random.default_rng(n).normal(size=(count, n))
    values[0, : n // 2] = values[0, n // 2 : n // 2 * 2]  # ties
    found = jax.jit(gini)(jnp.asarray(values, jnp.float32))
    np.testing.assert_allclose(found, [_mean_difference(row) for row in np.abs(values)], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "n"), [(1, 1), (5, 2), (32, 17), (65, 256)])
def test_the_network_sorts(count, n):
    """A network that sorts rows of zeros and ones sorts every row (Knuth, The Art 5.3.4, theorem Z)."""
    rng = np.random.default_rng(n)
    for rows in (rng.integers(0, 2**31 - 1, (count, n)), rng.integers(0, 2, (count, n))):
        np.testing.assert_array_equal(jax.jit(sort_rows)(jnp.asarray(rows, jnp.int32)), np.sort(rows, axis=1))


def test_no_maps_have_no_measures():
    none = jnp.zeros((0, 4, 4))
    assert gini(none).shape == complexity(none).shape == effective_complexity(none).shape == (0,)


def test_the_gradient_of_the_gini_index():
    row = jnp.asarray(np.random.default_rng(0).normal(size=9), jnp.float32)
    jax.test_util.check_grads(lambda v: gini(jnp.asarray(v)[None])[0], (row,), 1, rtol=2e-2, eps=1e-3)
    for batch in (2, 16):
        chex.assert_shape(jax.vmap(gini)(jnp.ones((3, batch, 4))), (3, batch))


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(0)
    a, b = np.round(rng.normal(size=(3, 20)), 1), np.round(rng.normal(size=(3, 20)), 1)
    found = rank_correlation(jnp.asarray(a), jnp.asarray(b), absolute=False)
    np.testing.assert_allclose(
        found, [scipy.stats.spearmanr(u, v).statistic for u, v in zip(a, b, strict=True)], atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_maps_of_half_precision_are_measured_in_float32(dtype):
    given = jnp.abs(jax.random.normal(jax.random.key(0), (2, 2000))).astype(dtype)
    for measure in (gini, complexity):
        np.testing.assert_allclose(measure(given), measure(given.astype(jnp.float32)), rtol=1e-6)


@pytest.mark.parametrize("n", [3, 100_003])
def test_nothing_correlates_with_a_constant_map(n):
    same, other = jnp.ones((1, n)), jnp.arange(n, dtype=jnp.float32)[None]
    assert np.isnan(rank_correlation(same, 2 * same)).all()
    assert np.isnan(rank_correlation(same, other)).all()
    np.testing.assert_allclose(rank_correlation(other, other, absolute=False), 1, rtol=1e-5)


def test_a_linear_score_is_told_faithfully():
    coefficients = jnp.array([3.0, -1.0, 2.0, 0.5])
    score = lambda x: x @ coefficients  # noqa: E731
    x = jnp.array([[1.0, 2.0, -1.0, 4.0]])
    maps = x * coefficients[None]
    assert infidelity(score, x, gradient(score, x), jax.random.key(0))[0] < 1e-10
    wrong = jnp.array([[0.0, -1.0, 2.0, 0.5]])  # misses 3 x_0: E (3 I_0)^2 = 9 deviation^2
    missed = infidelity(score, x, wrong, jax.random.key(0), deviation=0.2, samples=4000)[0]
    np.testing.assert_allclose(missed, 9 * 0.04, rtol=0.1)
    assert sensitivity_max(lambda x: gradient(score, x), x, jax.random.key(1))[0] == 0
    order = np.sort(np.asarray(maps)[0])[::-1]
    deletion = perturbation_curve(score, x, maps, steps=4)[:, 0]
    np.testing.assert_allclose(deletion, maps.sum() - np.concatenate([[0], np.cumsum(order)]), atol=1e-5)
    insertion = perturbation_curve(score, x, maps, steps=4, insert=True)[:, 0]
    np.testing.assert_allclose(insertion, np.concatenate([[0], np.cumsum(order)]), atol=1e-5)
    with pytest.raises(SaliencyError, match="steps = 5 must be from 1 to the 4 entries"):
        perturbation_curve(score, x, maps, steps=5)


@pytest.mark.parametrize("how", ["infidelity", "infidelity_at", "sensitivity_max", "sensitivity_at"])
def test_measures_over_no_samples_are_refused(how):
    x, key, none = jnp.ones((2, 3)), jax.random.key(0), jnp.zeros((0, 2, 3))

    def score(x):
        return jnp.sum(x**2, axis=1)

    def explain(x):
        return gradient(score, x)

    measure = {
        "infidelity": lambda: infidelity(score, x, explain(x), key, samples=0),
        "infidelity_at": lambda: infidelity_at(score, x, explain(x), none),
        "sensitivity_max": lambda: sensitivity_max(explain, x, key, samples=0),
        "sensitivity_at": lambda: sensitivity_at(explain, x, none),
    }[how]
    with pytest.raises(SaliencyError, match=f"{how}: .* = 0 must be at least 1"):
        measure()


@pytest.mark.parametrize("name", ["softplus", "tanh"])
def test_no_search_beats_the_certified_change_of_a_gradient(name):
    model = MLP((6, 12, 12, 3), al.get(name), rngs=nnx.Rngs(2))
    bound = jax.jit(lambda: gradient_lipschitz(network(model, (6,)), jnp.eye(3)[1]))()
    score = class_score(model, jnp.ones(5000, jnp.int32))
    x = 2 * jax.random.normal(jax.random.key(0), (5000, 6))  # 20 steps of ascent each: 1e5 tries
    found, distance = jax.jit(lambda x: largest_change(score, x, jax.random.key(1), radius=0.5))(x)
    assert np.all(distance > 0)
    assert 0.01 * bound < found.max() <= bound


def test_kinks_have_no_such_bound():
    with pytest.raises(al.FactError):
        gradient_lipschitz(network(MLP((6, 12, 3), al.relu, rngs=nnx.Rngs(0)), (6,)), jnp.eye(3)[0])


def test_randomized_layers_change_the_map_of_a_gradient_and_not_that_of_the_input():
    model = MLP((20, 32, 32, 4), al.relu, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (8, 20))
    labels = jnp.arange(8) % 4
    graphdef, state = nnx.split(model)
    of_gradient = cascading_randomization(
        lambda s, x: gradient(class_score(nnx.merge(graphdef, s), labels), x), state, x, jax.random.key(1)
    )
    assert of_gradient.shape == (3, 8)
    assert abs(float(of_gradient[-1].mean())) < 0.25
    of_input = cascading_randomization(lambda s, x: jnp.abs(x), state, x, jax.random.key(1))
    np.testing.assert_allclose(of_input, 1.0, atol=1e-6)
