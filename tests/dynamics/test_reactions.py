"""Stochastic simulation against laws in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from actlab.dynamics import Reactions, langevin, linear_noise, ssa, tau_leaping

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
    return jax.jit(lambda k: ssa(k, birth_death(), {"P": 0}, times, 100_000))(jax.random.key(3))


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
    noise = linear_noise(gene, {"M": 1.0, "P": 1.0})
    assert bool(noise.stable)
    np.testing.assert_allclose(noise.mean["P"], 30, rtol=1e-12)
    np.testing.assert_allclose(noise.fano("M"), 1, rtol=1e-12)
    np.testing.assert_allclose(noise.fano("P"), 1 + 5 / (1 + 0.25), rtol=1e-12)  # b = 5, eta = 1/4


def test_an_unstable_equilibrium_is_said(float64):
    grows = Reactions(({"P": 1}, {"P": -1}), lambda c: (c["P"] ** 2, 3.0 * c["P"]))
    assert not bool(linear_noise(grows, {"P": 3.1}).stable)
    with pytest.raises(ValueError, match="the reactions change"):
        linear_noise(grows, {"Q": 1.0})
