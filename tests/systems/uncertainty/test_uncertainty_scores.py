"""Scores and calibration against scoringrules, closed forms and simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import scoringrules

from actlab.systems import uncertainty as un

RNG = np.random.default_rng(0)
N = 200
Y, LOC, SD = RNG.normal(size=N) * 3, RNG.normal(size=N), np.exp(RNG.normal(size=N))
POSITIVE, DF, SHAPE = np.exp(RNG.normal(size=N)), 1.5 + 20 * RNG.random(N), np.exp(RNG.normal(size=N))
COUNTS, RATE = RNG.poisson(4.0, N).astype(float), np.exp(RNG.normal(size=N) + 1)

CASES = {
    "gaussian": (un.crps_gaussian, (LOC, SD, Y), scoringrules.crps_normal(Y, LOC, SD)),
    "student_t": (un.crps_student_t, (DF, LOC, SD, Y), scoringrules.crps_t(Y, DF, LOC, SD)),
    "log_normal": (un.crps_log_normal, (LOC, SD, POSITIVE), scoringrules.crps_lognormal(POSITIVE, LOC, SD)),
    "gamma": (un.crps_gamma, (SHAPE, SD, POSITIVE), scoringrules.crps_gamma(POSITIVE, SHAPE, SD)),
    "poisson": (un.crps_poisson, (RATE, COUNTS), scoringrules.crps_poisson(COUNTS, RATE)),
}


@pytest.mark.parametrize("name", CASES)
def test_crps_equals_scoringrules(name, float64):
    score, arguments, expected = CASES[name]
    np.testing.assert_allclose(score(*map(jnp.asarray, arguments)), expected, rtol=1e-6, atol=1e-6)


def test_crps_in_float32_and_its_reference_value():
    assert float(un.crps_gaussian(*jnp.array([0.0, 1.0, 0.0]))) == pytest.approx((2**0.5 - 1) / np.pi**0.5, abs=1e-7)
    found = un.crps_gaussian(*(jnp.asarray(v, jnp.float32) for v in (LOC, SD, Y)))
    np.testing.assert_allclose(found, CASES["gaussian"][2], rtol=1e-5, atol=1e-6)


def test_crps_of_mixtures_and_ensembles(float64):
    means, deviations = RNG.normal(size=(N, 4)), np.exp(RNG.normal(size=(N, 4)))
    expected = scoringrules.crps_mixnorm(Y, means, deviations)
    np.testing.assert_allclose(un.crps_mixture(*map(jnp.asarray, (means, deviations, Y))), expected, atol=1e-6)
    samples = RNG.normal(size=(N, 7))
    for fair, estimator in ((False, "nrg"), (True, "fair")):
        expected = scoringrules.crps_ensemble(Y, samples, estimator=estimator)
        np.testing.assert_allclose(un.crps_ensemble(jnp.asarray(samples), jnp.asarray(Y), fair), expected, atol=1e-9)


def test_mixture_moments_quantiles_and_jensen(float64):
    means, log_variances = RNG.normal(size=(N, 5)), RNG.normal(size=(N, 5))
    m, v, y = jnp.asarray(means), jnp.asarray(log_variances), jnp.asarray(Y)
    mean, log_variance = un.mixture_moments(m, v)
    second = (np.exp(log_variances) + means**2).mean(-1)
    np.testing.assert_allclose(mean, means.mean(-1))
    np.testing.assert_allclose(jnp.exp(log_variance), second - means.mean(-1) ** 2)
    density = scipy.stats.norm(means, np.exp(0.5 * log_variances)).pdf(Y[:, None]).mean(-1)
    np.testing.assert_allclose(un.mixture_nll(m, v, y), -np.log(density))
    assert (un.mixture_nll(m, v, y) <= un.gaussian_nll(y[:, None] - m, v).mean(-1) + 1e-12).all()
    matched = scipy.stats.norm(mean, np.exp(0.5 * np.asarray(log_variance))).logpdf(Y)
    np.testing.assert_allclose(un.moment_matched_nll(m, v, y), -matched)
    np.testing.assert_allclose(un.mixture_cdf(m, v, un.mixture_quantile(m, v, 0.95)), 0.95, atol=1e-6)


def test_one_member_is_its_own_mixture():
    m, v, y = jnp.array([[0.4]]), jnp.array([[-1.0]]), jnp.array([1.0])
    for nll in (un.mixture_nll, un.moment_matched_nll):
        np.testing.assert_allclose(nll(m, v, y), un.gaussian_nll(y - 0.4, v[:, 0]), rtol=1e-6)


def test_a_calibrated_forecast_is_found_calibrated():
    n = 100_000
    mean, deviation = RNG.normal(size=n), np.exp(RNG.normal(size=n))
    y = mean + deviation * RNG.normal(size=n)
    mean, deviation, y = (jnp.asarray(v, jnp.float32) for v in (mean, deviation, y))
    pit = un.pit_gaussian(mean, deviation, y)
    assert scipy.stats.kstest(np.asarray(pit), "uniform").pvalue > 0.01
    half = 1.6448536 * deviation
    assert abs(float(un.coverage(mean - half, mean + half, y)) - 0.9) < 3 * (0.09 / n) ** 0.5
    assert float(un.regression_calibration_error(pit)) < 0.005
    levels = jnp.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(un.calibration_curve(pit, levels), levels, atol=0.01)
    assert float(un.regression_calibration_error(un.pit_gaussian(mean, 0.5 * deviation, y))) > 0.05


def test_randomized_transform_of_counts_is_uniform():
    counts = RNG.poisson(3.0, 100_000)
    law = scipy.stats.poisson(3.0)
    below, mass = jnp.asarray(law.cdf(counts - 1), jnp.float32), jnp.asarray(law.pmf(counts), jnp.float32)
    pit = un.pit_counts(below, mass, jax.random.key(0))
    assert scipy.stats.kstest(np.asarray(pit), "uniform").pvalue > 0.01


def test_expected_calibration_error():
    p = jnp.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    labels = jnp.array([0, 1, 1, 1])
    # bins: (.867, .933] two predictions, one right: |1 - 1.8|; (.8, .867] or its lower neighbour: .2; .6: .4
    assert float(un.expected_calibration_error(p, labels)) == pytest.approx((0.8 + 0.2 + 0.4) / 4, abs=1e-6)
    n = 100_000
    confidence = jnp.asarray(0.5 + 0.5 * RNG.random(n), jnp.float32)
    true = jnp.asarray((RNG.random(n) > np.asarray(confidence)).astype(np.int32))
    both = jnp.stack([confidence, 1 - confidence], axis=-1)
    assert float(un.expected_calibration_error(both, true)) < 5 * n**-0.5


def test_interval_score_is_least_at_the_true_quantiles():
    y = jnp.asarray(RNG.normal(size=50_000), jnp.float32)
    halves = [1.2, 1.6448536, 2.2]
    scores = [float(un.interval_score(jnp.full_like(y, -h), jnp.full_like(y, h), y, 0.9).mean()) for h in halves]
    assert scores[1] < min(scores[0], scores[2])
    assert float(un.width(-jnp.ones(3), jnp.ones(3))) == 2.0


@pytest.mark.parametrize(("n", "level"), [(19, 0.9), (99, 0.9), (50, 0.8)])
def test_split_conformal_covers_as_the_theorem_says(n, level):
    scores = jax.random.exponential(jax.random.key(n), (20_000, n + 1))
    quantile = jax.vmap(lambda s: un.conformal_quantile(s, level))(scores[:, :n])
    found = float((scores[:, n] <= quantile).mean())
    assert level - 0.01 <= found <= level + 1 / (n + 1) + 0.01


def test_conformal_intervals_and_their_limits():
    y, mean, deviation = jnp.array([1.0, -2.0, 0.5]), jnp.zeros(3), jnp.array([1.0, 4.0, 1.0])
    scores = un.normalized_score(mean, deviation, y)
    np.testing.assert_allclose(scores, [1.0, 0.5, 0.5])
    assert float(un.conformal_quantile(scores, 0.75)) == 1.0  # the third of three
    assert np.isposinf(un.conformal_quantile(scores, 0.9))
    lower, upper = un.conformal_interval(mean, jnp.float32(0.5), deviation)
    np.testing.assert_allclose(upper - lower, [1.0, 4.0, 1.0])
    np.testing.assert_allclose(un.absolute_score(mean, y), [1.0, 2.0, 0.5])
    with pytest.raises(ValueError, match="level=1.5"):
        un.conformal_quantile(scores, 1.5)
