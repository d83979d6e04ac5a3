"""Scores and calibration measures against scoringrules, numerical integration, brute force and published values."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import scoringrules

import actlab.systems.uncertainty as u

RNG = np.random.default_rng(7)
N = 100_000

# One compiled program each, not one for every operation.
coverage, width, pit_gaussian, pit_counts, calibration_curve = map(
    jax.jit, (u.coverage, u.width, u.pit_gaussian, u.pit_counts, u.calibration_curve)
)
interval_score = jax.jit(u.interval_score, static_argnums=3)
regression_calibration_error = jax.jit(u.regression_calibration_error, static_argnums=1)
expected_calibration_error = jax.jit(u.expected_calibration_error, static_argnums=2)


def grid(**axes: tuple[float, ...]) -> tuple[np.ndarray, ...]:
    """Every combination of the values, flattened."""
    return tuple(a.ravel() for a in np.meshgrid(*axes.values(), indexing="ij"))


Y_ANYWHERE = (-200.0, -3.7, -1.0, 0.0, 1e-3, 0.8, 2.5, 40.0)
Y_POSITIVE = (1e-8, 1e-3, 0.2, 1.0, 2.5, 40.0, 1e3)
COUNTS = (0.0, 1.0, 2.0, 7.0, 30.0, 120.0)

# Family: ours, scoringrules', scipy's distribution, parameters and observations.
FAMILIES = {
    "gaussian": (
        u.crps_gaussian,
        lambda m, s, y: scoringrules.crps_normal(y, m, s),
        lambda m, s: scipy.stats.norm(m, s),
        grid(mean=(-2.0, 0.0, 5.0), deviation=(1e-3, 0.5, 1.0, 30.0), y=Y_ANYWHERE),
    ),
    "student t": (
        u.crps_student_t,
        lambda d, m, s, y: scoringrules.crps_t(y, d, m, s),
        lambda d, m, s: scipy.stats.t(d, m, s),
        grid(degrees=(1.5, 2.0, 3.0, 8.5, 150.0), location=(-2.0, 1.0), scale=(0.1, 1.0, 4.0), y=Y_ANYWHERE),
    ),
    "log normal": (
        u.crps_log_normal,
        lambda m, s, y: scoringrules.crps_lognormal(y, m, s),
        lambda m, s: scipy.stats.lognorm(s, scale=np.exp(m)),
        grid(location=(-1.0, 0.0, 2.0), scale=(0.05, 0.5, 1.5), y=Y_POSITIVE),
    ),
    "gamma": (
        u.crps_gamma,
        lambda a, b, y: scoringrules.crps_gamma(y, a, b),
        lambda a, b: scipy.stats.gamma(a, scale=1.0 / b),
        grid(concentration=(0.3, 1.0, 2.5, 60.0), rate=(0.1, 1.0, 8.0), y=(0.0, *Y_POSITIVE)),
    ),
    "poisson": (
        u.crps_poisson,
        lambda r, y: scoringrules.crps_poisson(y, r),  # overflows beyond counts of 170
        scipy.stats.poisson,
        grid(rate=(0.01, 0.7, 3.0, 25.0, 100.0), y=COUNTS),
    ),
}


def integrated(distribution, y: float) -> float:
    """The integral of (F - step at y)^2: the definition, in pieces between quantiles, cut where nothing is left."""
    ends = [distribution.ppf(1e-12), *distribution.ppf(np.linspace(0.02, 0.98, 13)), distribution.isf(1e-12)]
    pieces = np.sort([*ends, ends[0] - 1.0, ends[-1] + 1.0, y])
    square = {False: lambda x: distribution.cdf(x) ** 2, True: lambda x: distribution.sf(x) ** 2}
    return sum(
        scipy.integrate.quad(square[a >= y], a, b, limit=200)[0] for a, b in zip(pieces, pieces[1:], strict=False)
    )


INTEGRATED = {
    "gaussian": [(0.5, 1.3, 1.7), (0.0, 2.0, -3.0)],
    "student t": [(4.0, 0.5, 1.2, -1.0), (6.0, -1.0, 0.7, -0.9)],
    "log normal": [(0.2, 0.6, 2.2), (-1.0, 0.3, 0.2)],
    "gamma": [(2.5, 0.8, 1.1), (1.6, 2.0, 0.5)],
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.usefixtures("float64")
def test_crps_agrees_with_scoringrules_and_with_its_definition(family: str) -> None:
    ours, theirs, distribution, arguments = FAMILIES[family]
    cases = INTEGRATED.get(family, [])
    both = [np.append(a, [case[k] for case in cases]) for k, a in enumerate(arguments)]
    found = np.asarray(jax.jit(ours)(*map(jnp.asarray, both)))
    peer, integral = found[: len(arguments[0])], found[len(arguments[0]) :]
    # In units of t's scale: jax's betaln is itself only good to 6e-7.
    unit = 1e-6 * arguments[2] if family == "student t" else 1e-9
    assert np.all(np.abs(peer - theirs(*arguments)) <= unit + 1e-9 * peer)
    wanted = [integrated(distribution(*case[:-1]), case[-1]) for case in cases]
    np.testing.assert_allclose(integral, wanted, rtol=1e-6)


@pytest.mark.usefixtures("float64")
def test_crps_of_counts_is_the_sum_of_its_definition() -> None:
    steps = np.arange(2000.0)
    rates, counts = grid(rate=(0.01, 3.0, 190.0), y=(0.0, 2.0, 30.0, 200.0, 400.0))
    # F and the step are constant on [k, k + 1): the integral is a sum.
    squared = (scipy.stats.poisson.cdf(steps[:, None], rates) - (steps[:, None] >= counts)) ** 2
    found = jax.jit(u.crps_poisson)(jnp.asarray(rates), jnp.asarray(counts))
    np.testing.assert_allclose(found, squared.sum(0), rtol=1e-9)


def test_published_reference_values() -> None:
    zero, one = jnp.zeros(1), jnp.ones(1)
    np.testing.assert_allclose(u.crps_gaussian(zero, one, zero), 0.2336949772, rtol=1e-6)
    np.testing.assert_allclose((math.sqrt(2) - 1) / math.sqrt(math.pi), 0.2336949772, rtol=1e-9)
    np.testing.assert_allclose(u.gaussian_nll(zero, zero), 0.9189385332, rtol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_crps_in_float32_keeps_four_digits(family: str) -> None:
    ours, theirs, _, arguments = FAMILIES[family]
    moderate = np.all([np.abs(a) < 100 for a in arguments], axis=0)
    arguments = tuple(a[moderate] for a in arguments)
    found = jax.jit(ours)(*(jnp.asarray(a, jnp.float32) for a in arguments))
    assert found.dtype == jnp.float32
    wanted = theirs(*arguments)
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4 * max(1.0, wanted.max() / 100))


@pytest.mark.usefixtures("float64")
def test_crps_of_mixtures_and_ensembles() -> None:
    means, deviations, y = RNG.normal(size=(40, 5)), RNG.gamma(2.0, size=(40, 5)), 3.0 * RNG.normal(size=40)

    @jax.jit
    def scores(means, deviations, y):
        return (
            u.crps_mixture(means, deviations, y),
            u.crps_mixture(means[:, :1], deviations[:, :1], y),
            u.crps_ensemble(means, y),
            u.crps_ensemble(means, y, fair=True),
            u.crps_ensemble(means[:, :1], y),
        )

    mixture, single, plain, fair, one = map(np.asarray, scores(*map(jnp.asarray, (means, deviations, y))))
    np.testing.assert_allclose(mixture, scoringrules.crps_mixnorm(y, means, deviations), rtol=1e-9)
    np.testing.assert_allclose(single, scoringrules.crps_normal(y, means[:, 0], deviations[:, 0]), rtol=1e-9)
    np.testing.assert_allclose(plain, scoringrules.crps_ensemble(y, means, estimator="nrg"), rtol=1e-9)
    np.testing.assert_allclose(fair, scoringrules.crps_ensemble(y, means, estimator="fair"), rtol=1e-9)
    gaps = np.abs(means[:, :, None] - means[:, None, :])
    np.testing.assert_allclose(plain, np.abs(means - y[:, None]).mean(1) - gaps.mean((1, 2)) / 2, rtol=1e-9)
    np.testing.assert_allclose(one, np.abs(means[:, 0] - y), rtol=1e-12)


def test_crps_is_minimal_on_average_at_the_truth_and_turns_into_the_absolute_error() -> None:
    y = jnp.asarray(RNG.normal(1.0, 2.0, N), jnp.float32)
    gaussian = jax.jit(u.crps_gaussian)

    def score(mean: float, deviation: float) -> float:
        return float(gaussian(np.full(N, mean, np.float32), np.full(N, deviation, np.float32), y).mean())

    true = score(1.0, 2.0)
    np.testing.assert_allclose(true, 2.0 / math.sqrt(math.pi), rtol=0.01)  # E CRPS = sigma / sqrt(pi)
    assert all(true < score(*other) for other in ((1.3, 2.0), (0.7, 2.0), (1.0, 2.5), (1.0, 1.6)))
    np.testing.assert_allclose(score(1.0, 1e-6), np.abs(np.asarray(y) - 1.0).mean(), rtol=1e-5)


def test_interval_score_is_scoringrules_and_proper() -> None:
    lower, upper, y = RNG.normal(-1.0, 1.0, 300), RNG.normal(2.0, 0.1, 300), 3.0 * RNG.normal(size=300)
    ours = interval_score(*(jnp.asarray(a, jnp.float32) for a in (lower, upper, y)), 0.8)
    np.testing.assert_allclose(ours, scoringrules.interval_score(y, lower, upper, 0.2), rtol=1e-4, atol=1e-4)
    draws = jnp.asarray(RNG.normal(size=N), jnp.float32)

    def score(half: float) -> float:
        return float(interval_score(jnp.full(N, -half), jnp.full(N, half), draws, 0.9).mean())

    assert score(1.6449) < min(score(1.45), score(1.9))


def kolmogorov_smirnov(pit) -> float:
    return scipy.stats.kstest(np.asarray(pit, np.float64), "uniform").pvalue


def test_transforms_are_uniform_only_under_calibration() -> None:
    mean, deviation = RNG.normal(size=N).astype(np.float32), RNG.gamma(2.0, size=N).astype(np.float32)
    y = (mean + deviation * RNG.normal(size=N)).astype(np.float32)
    pit = pit_gaussian(*map(jnp.asarray, (mean, deviation, y)))
    assert kolmogorov_smirnov(pit) > 0.01
    for wrong_mean, wrong_deviation in ((mean, 1.1 * deviation), (mean, 0.9 * deviation), (mean + 0.1, deviation)):
        wrong = pit_gaussian(jnp.asarray(wrong_mean), jnp.asarray(wrong_deviation), jnp.asarray(y))
        assert kolmogorov_smirnov(wrong) < 1e-6
    known = pit_gaussian(jnp.zeros(3), jnp.ones(3), jnp.array([-1.6448536, 0.0, 1.6448536]))
    np.testing.assert_allclose(known, [0.05, 0.5, 0.95], rtol=1e-5)


def test_randomized_transform_of_counts_is_uniform() -> None:
    rate = RNG.gamma(2.0, 1.0, N)
    y = RNG.poisson(rate)
    below, mass = scipy.stats.poisson.cdf(y - 1, rate), scipy.stats.poisson.pmf(y, rate)
    pit = pit_counts(jnp.asarray(below, jnp.float32), jnp.asarray(mass, jnp.float32), jax.random.key(0))
    assert kolmogorov_smirnov(pit) > 0.01
    assert kolmogorov_smirnov(below) < 1e-6  # without the random part it is not
    assert np.all((pit >= below - 1e-6) & (pit <= below + mass + 1e-6))
    again, other = (pit_counts(jnp.zeros(9), jnp.ones(9), jax.random.key(k)) for k in (1, 2))
    assert not np.array_equal(again, other)


def test_coverage_of_calibrated_intervals_and_closed_ends() -> None:
    y = jnp.asarray(RNG.normal(size=N), jnp.float32)
    found = float(coverage(jnp.full(N, -1.6448536), jnp.full(N, 1.6448536), y))
    assert abs(found - 0.9) < 3.0 * math.sqrt(0.09 / N)
    ends = jnp.array([0.0, 1.0, 0.5, 1.5, -0.5])
    assert float(coverage(jnp.zeros(5), jnp.ones(5), ends)) == pytest.approx(0.6)
    assert float(coverage(jnp.full(5, -jnp.inf), jnp.full(5, jnp.inf), ends)) == 1.0
    assert float(coverage(jnp.ones(5), jnp.zeros(5), ends)) == 0.0  # crossed ends cover nothing
    assert float(coverage(jnp.zeros(2), jnp.ones(2), jnp.array([jnp.nan, 0.5]))) == 0.5
    assert float(width(jnp.array([0.0, 1.0]), jnp.array([1.0, 4.0]))) == 2.0


def test_coverage_and_width_keep_the_shape_free() -> None:
    lower, upper, y = (jnp.asarray(RNG.normal(m, 1.0, (20, 7)), jnp.float32) for m in (-1.0, 1.0, 0.0))
    np.testing.assert_allclose(coverage(lower, upper, y), np.mean((lower <= y) & (y <= upper)), rtol=1e-6)
    assert coverage(lower, upper, y).shape == width(lower, upper).shape == ()


def test_calibration_curve_is_the_diagonal_only_under_calibration() -> None:
    levels = jnp.linspace(0.0, 1.0, 21)
    pit = jnp.asarray(RNG.uniform(size=N), jnp.float32)
    np.testing.assert_allclose(calibration_curve(pit, levels), levels, atol=4.0 * math.sqrt(0.25 / N))
    timid = calibration_curve(jnp.asarray(RNG.beta(2.0, 2.0, N), jnp.float32), levels)
    assert np.all(timid[1:-1] > levels[1:-1])  # too wide a forecast: more inside than stated
    bold = calibration_curve(jnp.asarray(RNG.beta(0.5, 0.5, N), jnp.float32), levels)
    assert np.all(bold[1:-1] < levels[1:-1])
    for curve in (timid, bold):
        assert np.all(np.diff(curve) >= 0)
        assert curve[-1] == 1.0
    few = calibration_curve(jnp.array([0.05, 0.4, 0.5, 0.96]), jnp.array([0.5, 0.9, 0.95]))
    np.testing.assert_allclose(few, [0.5, 0.75, 1.0])


def test_regression_calibration_error_by_hand_and_by_rate() -> None:
    pit = jnp.array([0.1, 0.2, 0.6])
    # Levels 1/4, 1/2, 3/4; fractions at or below 2/3, 2/3, 1.
    by_hand = math.sqrt(((2 / 3 - 1 / 4) ** 2 + (2 / 3 - 1 / 2) ** 2 + (1 / 4) ** 2) / 3)
    np.testing.assert_allclose(regression_calibration_error(pit, 3), by_hand, rtol=1e-6)
    even = (jnp.arange(N, dtype=jnp.float32) + 0.5) / N
    assert float(regression_calibration_error(even)) < 2e-5
    assert float(regression_calibration_error(jnp.zeros(10))) == pytest.approx(math.sqrt(1 / 3), rel=0.02)
    # Calibrated: E error^2 is the mean of p (1 - p) / n, about 1 / (6 n).
    for n in (1_000, 20_000):
        draws = jnp.asarray(RNG.uniform(size=(20, n)), jnp.float32)
        error = jax.jit(jax.vmap(regression_calibration_error))(draws)
        ratio = float(jnp.sqrt(jnp.square(error).mean())) * math.sqrt(6 * n)
        assert 0.5 < ratio < 1.7
    biased = regression_calibration_error(jnp.asarray(RNG.uniform(size=N) ** 1.2, jnp.float32))
    assert float(biased) > 0.03


def brute_force_ece(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Guo et al. eq. 3, bin by bin."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    total = 0.0
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


@pytest.mark.parametrize(("classes", "bins"), [(2, 15), (5, 10), (3, 1)])
def test_expected_calibration_error_is_the_brute_force_one(classes: int, bins: int) -> None:
    probabilities = RNG.dirichlet(np.full(classes, 0.4), 500).astype(np.float32)
    labels = RNG.integers(classes, size=500).astype(np.int32)
    ours = expected_calibration_error(jnp.asarray(probabilities), jnp.asarray(labels), bins)
    np.testing.assert_allclose(ours, brute_force_ece(probabilities, labels, bins), rtol=1e-4)


def test_expected_calibration_error_at_the_edges() -> None:
    sure, labels = np.eye(3, dtype=np.float32), np.arange(3, dtype=np.int32)
    assert float(expected_calibration_error(sure, labels)) == 0.0
    assert float(expected_calibration_error(sure, (labels + 1) % 3)) == 1.0
    # Two predictions of confidence 0.6 (the end of a fifth's bin, inside it) and 0.61 (in the next), each half right:
    # were they in one bin the gaps would cancel.
    probabilities = jnp.array([[0.5, 0.5], [0.51, 0.49]])
    found = expected_calibration_error(probabilities, jnp.array([0, 1], jnp.int32), 2)
    np.testing.assert_allclose(found, 0.5 * (0.5 + 0.51), rtol=1e-6)
    together = expected_calibration_error(probabilities, jnp.array([0, 1], jnp.int32), 1)
    np.testing.assert_allclose(together, abs(0.5 - 0.505), rtol=1e-4)


def test_expected_calibration_error_of_the_calibrated_falls_with_the_root_of_n() -> None:
    def error(n: int) -> float:
        probabilities = RNG.dirichlet(np.ones(3), (10, n)).astype(np.float32)
        labels = (RNG.uniform(size=(10, n, 1)) > np.cumsum(probabilities, -1)).sum(-1).clip(0, 2).astype(np.int32)
        return float(jax.jit(jax.vmap(expected_calibration_error))(probabilities, labels).mean())

    few, many = error(400), error(40_000)
    assert 6.0 < few / many < 16.0  # ten, for a hundred times the data
    # The gaps are Gaussian: at most sqrt(2 / pi) * sqrt(bins * 1/4 / n) on average.
    assert many < math.sqrt(2 / math.pi * 15 * 0.25 / 40_000)


def test_measures_do_not_mix_shapes_up() -> None:
    with pytest.raises(Exception, match="(?i)type-check|shape|dimension"):
        u.crps_gaussian(jnp.zeros(3), jnp.ones(2), jnp.zeros(3))
    with pytest.raises(Exception, match="(?i)type-check|shape|dimension"):
        coverage(jnp.zeros(3), jnp.ones(3), jnp.zeros((3, 1)))
    with pytest.raises(Exception, match="(?i)type-check|shape|dimension"):
        expected_calibration_error(jnp.ones((4, 2)) / 2, jnp.zeros(3, jnp.int32))
