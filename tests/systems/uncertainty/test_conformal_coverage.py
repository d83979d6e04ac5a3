"""Split conformal prediction: the exact law of its coverage over repeated draws, and its rank by brute force."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from actlab.systems.uncertainty import absolute_score, conformal_interval, conformal_quantile, normalized_score

DRAWS = 20_000
RNG = np.random.default_rng(11)


def rank_by_brute_force(n: int, level: Fraction) -> int:
    """The smallest k such that a new score is among the k lowest of n + 1 with probability k / (n + 1) >= level."""
    return next(k for k in range(1, n + 2) if Fraction(k, n + 1) >= level)


@pytest.mark.parametrize("n", [1, 2, 9, 10, 19, 49, 99, 199, 999])
def test_rank_is_exact_for_every_decimal_level(n: int) -> None:
    scores = jnp.asarray(np.random.default_rng(n).permutation(n) + 1.0, jnp.float32)  # the k-th smallest is k
    for percent in (1, 7, 10, 28, 50, 55, 68, 70, 80, 90, 95, 99):  # 0.07 * 100 is above 7 in floats
        rank = rank_by_brute_force(n, Fraction(percent, 100))
        found = float(conformal_quantile(scores, percent / 100))
        assert found == (rank if rank <= n else math.inf), percent


@pytest.mark.parametrize(("n", "level"), [(8, 0.9), (18, 0.95), (98, 0.99), (1, 0.51)])
def test_too_few_scores_give_the_whole_line(n: int, level: float) -> None:
    quantile = conformal_quantile(jnp.zeros(n), level)
    assert quantile == jnp.inf
    lower, upper = conformal_interval(jnp.arange(3.0), quantile, jnp.ones(3))
    assert np.all(np.isneginf(lower))
    assert np.all(np.isposinf(upper))
    assert float(conformal_quantile(jnp.zeros(n + 1), level)) == 0.0  # one more suffices


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.5, math.nan, 90.0])
def test_levels_outside_are_refused(level: float) -> None:
    with pytest.raises(ValueError, match="conformal_quantile: need 0 < level < 1"):
        conformal_quantile(jnp.ones(20), level)


def test_no_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="and 0 scores"):
        conformal_quantile(jnp.ones(0), 0.9)


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (20, 0.9), (57, 0.8), (100, 0.95)])
def test_coverage_over_draws_has_its_exact_law(n: int, level: float) -> None:
    # Of uniform scores the quantile is itself the probability of covering: Beta(k, n + 1 - k), of mean k / (n + 1).
    scores = jax.random.uniform(jax.random.key(n), (DRAWS, n))
    covered = np.asarray(jax.jit(jax.vmap(lambda s: conformal_quantile(s, level)))(scores), np.float64)
    k = rank_by_brute_force(n, Fraction(str(level)))
    law = scipy.stats.beta(k, n + 1 - k)
    noise = 4.0 * law.std() / math.sqrt(DRAWS)
    assert level - noise <= covered.mean() <= level + 1.0 / (n + 1) + noise
    assert abs(covered.mean() - k / (n + 1)) <= noise
    assert scipy.stats.kstest(covered, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("normalized", [False, True])
def test_a_wrong_model_is_covered_as_promised(normalized: bool) -> None:
    n, level, key = 39, 0.8, jax.random.key(5)

    def draw(key):
        """Heteroscedastic, heavy-tailed truth; the model's mean is biased and its deviation inverted."""
        x_key, noise_key = jax.random.split(key)
        x = jax.random.uniform(x_key, (n + 1,), minval=0.5, maxval=2.0)
        y = x + x * jnp.sinh(2.0 * jax.random.normal(noise_key, (n + 1,)))
        mean, deviation = 0.5 * x, 1.0 / x
        if normalized:
            scores = normalized_score(mean[:n], deviation[:n], y[:n])
            lower, upper = conformal_interval(mean[n:], conformal_quantile(scores, level), deviation[n:])
        else:
            scores = absolute_score(mean[:n], y[:n])
            lower, upper = conformal_interval(mean[n:], conformal_quantile(scores, level))
        return (lower <= y[n:]) & (y[n:] <= upper)

    covered = float(jax.jit(jax.vmap(draw))(jax.random.split(key, DRAWS)).mean())
    noise = 3.5 * math.sqrt(level * (1 - level) / DRAWS)
    assert level - noise <= covered <= level + 1.0 / (n + 1) + noise


def test_scores_and_intervals_are_each_others_inverse() -> None:
    mean, y = (jnp.asarray(RNG.normal(size=30), jnp.float32) for _ in range(2))
    deviation = jnp.asarray(RNG.gamma(2.0, size=30), jnp.float32)
    np.testing.assert_allclose(absolute_score(mean, y), np.abs(mean - y), rtol=1e-6)
    np.testing.assert_allclose(normalized_score(mean, deviation, y), np.abs(mean - y) / deviation, rtol=1e-6)
    quantile = jnp.asarray(0.7)
    for scores, interval in (
        (absolute_score(mean, y), conformal_interval(mean, quantile)),
        (normalized_score(mean, deviation, y), conformal_interval(mean, quantile, deviation)),
    ):
        np.testing.assert_array_equal(np.asarray(scores) <= 0.7, (interval[0] <= y) & (y <= interval[1]))
        np.testing.assert_allclose(interval[0] + interval[1], 2.0 * mean, rtol=1e-4, atol=1e-5)


def test_ties_nans_and_order_never_lower_the_coverage() -> None:
    tied = jnp.asarray([1.0] * 15 + [2.0] * 5)
    assert float(conformal_quantile(tied, 0.7)) == 1.0
    assert float(conformal_quantile(tied, 0.8)) == 2.0
    scores = jnp.asarray(RNG.normal(size=40), jnp.float32)
    levels = (0.05, 0.3, 0.5, 0.77, 0.9, 0.97)
    quantiles = [float(conformal_quantile(scores, level)) for level in levels]
    assert quantiles == sorted(quantiles)
    assert quantiles == [float(conformal_quantile(scores[::-1], level)) for level in levels]
    # A score that is not a number counts as the strangest.
    holed = jnp.asarray([jnp.nan, *range(8)])
    assert float(conformal_quantile(holed, 0.8)) == 7.0
    assert math.isnan(float(conformal_quantile(holed, 0.9)))
