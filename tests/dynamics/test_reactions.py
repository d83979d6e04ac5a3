"""Stochastic simulation against laws in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import stats

from actlab.dynamics import Reactions, Runs, langevin, linear_noise, ssa, tau_leaping
from actlab.dynamics.threefry import stream_keys, threefry, two_uniforms

BIRTH, DEATH = 12.0, 1.0


def birth_death(birth=BIRTH, death=DEATH):
    return Reactions(({"P": 1}, {"P": -1}), lambda c: (birth, death * c["P"]))


def poisson_p_value(counts, mean):
    """Chi-square of counts against a Poisson law, cells of at least 20 expected."""
    n, top = counts.size, int(counts.max()) + 2
    expected = n * stats.poisson.pmf(np.arange(top), mean)
    observed = np.bincount(counts.astype(int), minlength=top)[:top].astype(float)
    good = expected > 20
    rest = n - expected[good].sum(), n - observed[good].sum()
    cells = np.append(expected[good], rest[0]), np.append(observed[good], rest[1])
    return stats.chi2.sf(((cells[1] - cells[0]) ** 2 / cells[0]).sum(), len(cells[0]) - 1)


@pytest.fixture(scope="module")
def exact():
    times = jnp.asarray([0.7, 5.0])
    keys = jax.random.split(jax.random.key(3), 50)
    found = jax.jit(lambda k: jax.lax.map(lambda one: ssa(one, birth_death(), {"P": 0}, times, 2000), k))(keys)
    return Runs({"P": np.moveaxis(np.asarray(found.counts["P"]), 0, 1).reshape(2, -1)}, found.firings)


def test_birth_death_is_poisson_at_all_times(exact):
    for at, counts in zip((0.7, 5.0), np.asarray(exact.counts["P"]), strict=True):
        mean = BIRTH / DEATH * (1 - np.exp(-DEATH * at))
        assert poisson_p_value(counts, mean) > 0.01
        assert poisson_p_value(counts, 1.02 * mean) < 1e-3  # the test can tell


def test_firings_are_births_and_deaths(exact):
    births_and_deaths = 2 * BIRTH * 5 - BIRTH * (1 - np.exp(-5.0))  # expected: all births, and those less the living
    assert float(exact.firings.mean()) == pytest.approx(births_and_deaths, rel=0.005)


def test_correlation_of_two_times(exact):
    early, late = np.asarray(exact.counts["P"], np.float64)
    covariance = np.cov(early, late)[0, 1]
    assert covariance == pytest.approx(early.mean() * np.exp(-4.3), abs=0.12)


def test_nothing_fires_where_no_reaction_can():
    dead = Reactions(({"P": -1},), lambda c: (c["P"],))
    runs = jax.jit(lambda k: ssa(k, dead, {"P": 3}, jnp.asarray([50.0]), 64))(jax.random.key(0))
    np.testing.assert_array_equal(runs.counts["P"], 0)
    np.testing.assert_array_equal(runs.firings, 3)


@pytest.mark.parametrize("block", [1, 16])
def test_dense_records_are_one_poisson_path(block):
    """Many recording times within a block of steps: counts of births at all of them, the first one at 0."""
    births, times = Reactions(({"P": 1},), lambda counts: [3.0 + 0 * counts["P"]]), jnp.linspace(0.0, 2.0, 41)
    runs = jax.jit(lambda k: ssa(k, births, {"P": 5}, times, 4000, block=block))(jax.random.key(3))
    counts = np.asarray(runs.counts["P"]) - 5
    np.testing.assert_array_equal(counts[0], 0)
    steps = np.diff(counts, axis=0)
    assert steps.min() == 0  # births alone
    np.testing.assert_array_equal(counts[-1], runs.firings)
    assert poisson_p_value(counts[-1], 6.0) > 0.01
    assert poisson_p_value(steps.reshape(-1), 3.0 * 0.05) > 0.01  # independent increments, each as long as the others
    assert abs(np.corrcoef(steps[:-1].reshape(-1), steps[1:].reshape(-1))[0, 1]) < 0.01


def test_parameters_may_differ_from_run_to_run():
    births = jnp.repeat(jnp.asarray([2.0, 20.0]), 4000)
    runs = jax.jit(lambda k: ssa(k, birth_death(births), {"P": 0}, jnp.asarray([8.0]), 8000))(jax.random.key(1))
    means = np.asarray(runs.counts["P"][0]).reshape(2, -1).mean(axis=1)
    np.testing.assert_allclose(means, [2, 20], rtol=0.05)


def test_tau_leaping_has_the_bias_of_its_step_and_no_more():
    """For linear propensities the mean of explicit leaps is exactly the Euler scheme's."""
    times, steps = jnp.asarray([2.0]), 20
    runs = jax.jit(lambda k: tau_leaping(k, birth_death(100.0), {"P": 0}, times, 20_000, steps=steps))(
        jax.random.key(2)
    )
    counts, euler = np.asarray(runs.counts["P"][0]), 100 * (1 - (1 - 0.1) ** steps)
    assert counts.mean() == pytest.approx(euler, abs=5 * counts.std() / np.sqrt(20_000))
    assert abs(euler - 100 * (1 - np.exp(-2.0))) > 1.0  # the bias is there, and is seen
    assert int(runs.firings.sum()) == 0


def test_leaps_below_zero_are_counted():
    dead = Reactions(({"P": -1},), lambda c: (5 * c["P"],))
    runs = jax.jit(lambda k: tau_leaping(k, dead, {"P": 3}, jnp.asarray([4.0]), 500, steps=10))(jax.random.key(4))
    assert int(runs.firings.sum()) > 50
    assert float(runs.counts["P"].min()) == 0


def test_langevin_has_the_moments_of_a_large_system():
    times = jnp.asarray([6.0])
    runs = jax.jit(lambda k: langevin(k, birth_death(400.0), {"P": 400}, times, 4000, steps=600))(jax.random.key(5))
    counts = np.asarray(runs.counts["P"][0], np.float64)
    assert counts.mean() == pytest.approx(400, abs=2)
    assert counts.var() == pytest.approx(400, rel=0.12)


def test_linear_noise_of_linear_networks_is_exact(float64):
    transcription, removal_m, translation, removal = 3.0, 2.0, 10.0, 0.5
    gene = Reactions(
        ({"M": 1}, {"M": -1}, {"P": 1}, {"P": -1}),
        lambda c: (transcription, removal_m * c["M"], translation * c["M"], removal * c["P"]),
    )

    def found():
        noise = linear_noise(gene, {"M": 1.0, "P": 1.0})
        return noise.stable, noise.mean["P"], noise.fano("M"), noise.fano("P")

    stable, mean, of_m, of_p = jax.jit(found)()
    assert bool(stable)
    np.testing.assert_allclose([mean, of_m, of_p], [30, 1, 1 + 5 / (1 + 0.25)], rtol=1e-12)  # b = 5, eta = 1/4


def test_an_unstable_equilibrium_is_said(float64):
    grows = Reactions(({"P": 1}, {"P": -1}), lambda c: (c["P"] ** 2, 3.0 * c["P"]))
    assert not bool(jax.jit(lambda: linear_noise(grows, {"P": 3.1}).stable)())
    with pytest.raises(ValueError, match="the reactions change"):
        linear_noise(grows, {"Q": 1.0})


def test_threefry_is_the_function_behind_jax_random():
    key = jax.random.key_data(jax.random.key(1234))
    counter = jnp.arange(20, dtype=jnp.uint32) * jnp.uint32(977)
    expected = threefry_2x32(key, counter).reshape(2, -1)
    found = threefry((key[0], key[1]), (counter[:10], counter[10:]))
    np.testing.assert_array_equal(jnp.stack(found), expected)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_uniforms_are_uniform_and_independent(dtype, float64):
    lanes = jnp.arange(20_000, dtype=jnp.uint32)
    keys = stream_keys(jax.random.key(0), dtype)
    draws = np.stack([v for s in (0, 1) for v in two_uniforms(keys, jnp.uint32(s), lanes, dtype)])
    assert draws.dtype == dtype
    assert 0 <= draws.min() <= draws.max() < 1
    for row in draws:
        assert stats.kstest(row.astype(np.float64), "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(draws) - np.eye(4)).max() < 0.03


def test_float64_runs(float64):
    found = jax.jit(lambda k: ssa(k, birth_death(), {"P": 0}, jnp.asarray([5.0]), 4000))(jax.random.key(1))
    assert found.counts["P"].dtype == jnp.float64
    assert poisson_p_value(np.asarray(found.counts["P"][0]), BIRTH * (1 - np.exp(-5.0))) > 0.01
