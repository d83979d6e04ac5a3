"""Mixtures, beta-NLL, convexity and certified gradients, against closed forms, sampling and adversarial grids."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import actlab.activations as al
import actlab.systems.uncertainty as u

RNG = np.random.default_rng(4)
ROWS, MEMBERS = 60, 5
MEANS = RNG.normal(0.0, 2.0, (ROWS, MEMBERS))
LOG_VARIANCES = RNG.normal(-0.5, 1.5, (ROWS, MEMBERS))
Y = RNG.normal(0.0, 3.0, ROWS)
DEVIATIONS = np.exp(0.5 * LOG_VARIANCES)


@pytest.mark.usefixtures("float64")
def test_mixture_is_the_sum_of_its_members() -> None:
    @jax.jit
    def ours(means, log_variances, y):
        return (
            u.mixture_nll(means, log_variances, y),
            u.mixture_cdf(means, log_variances, y),
            *u.mixture_moments(means, log_variances),
            u.moment_matched_nll(means, log_variances, y),
            u.mixture_nll(means[:, :1], log_variances[:, :1], y),
            u.mixture_nll(means, log_variances, y + 1e4),
        )

    nll, cdf, mean, log_variance, matched, single, far = map(np.asarray, ours(MEANS, LOG_VARIANCES, Y))
    logs = scipy.stats.norm.logpdf(Y[:, None], MEANS, DEVIATIONS)
    np.testing.assert_allclose(nll, -scipy.special.logsumexp(logs, axis=1) + math.log(MEMBERS), rtol=1e-10)
    assert np.all(nll <= -logs.mean(1) + 1e-12)  # Jensen
    np.testing.assert_allclose(single, -logs[:, 0], rtol=1e-10)
    np.testing.assert_allclose(cdf, scipy.stats.norm.cdf(Y[:, None], MEANS, DEVIATIONS).mean(1), rtol=1e-10)
    second = (MEANS**2 + DEVIATIONS**2).mean(1)
    np.testing.assert_allclose(mean, MEANS.mean(1), rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_variance), second - MEANS.mean(1) ** 2, rtol=1e-10)
    np.testing.assert_allclose(matched, -scipy.stats.norm.logpdf(Y, mean, np.exp(0.5 * log_variance)), rtol=1e-10)
    tails = scipy.stats.norm.logpdf(Y[:, None] + 1e4, MEANS, DEVIATIONS)
    np.testing.assert_allclose(far, -scipy.special.logsumexp(tails, axis=1) + math.log(MEMBERS), rtol=1e-10)


def test_moments_are_those_of_samples() -> None:
    n = 400_000
    chosen = RNG.integers(MEMBERS, size=n)
    draws = MEANS[0, chosen] + DEVIATIONS[0, chosen] * RNG.normal(size=n)
    mean, log_variance = u.mixture_moments(
        jnp.asarray(MEANS[0], jnp.float32), jnp.asarray(LOG_VARIANCES[0], jnp.float32)
    )
    assert abs(float(mean) - draws.mean()) < 4 * draws.std() / math.sqrt(n)
    fourth = ((draws - draws.mean()) ** 4).mean() - draws.var() ** 2
    assert abs(math.exp(float(log_variance)) - draws.var()) < 4 * math.sqrt(fourth / n)


@pytest.mark.usefixtures("float64")
def test_quantiles_invert_the_distribution() -> None:
    invert = jax.jit(u.mixture_quantile, static_argnums=2)
    before = np.full(ROWS, -np.inf)
    for level in (1e-3, 0.05, 0.5, 0.95, 0.999):
        q = np.asarray(invert(MEANS, LOG_VARIANCES, level))
        np.testing.assert_allclose(scipy.stats.norm.cdf(q[:, None], MEANS, DEVIATIONS).mean(1), level, rtol=1e-7)
        assert np.all(q > before)
        before = q
    alike = np.asarray(invert(np.full((2, 3), 1.5), np.full((2, 3), math.log(4.0)), 0.95))
    np.testing.assert_allclose(alike, 1.5 + 2.0 * 1.6448536269514722, rtol=1e-9)


HEADS = {
    "bounded": u.bounded_gaussian(),
    "bounded far": u.bounded_gaussian(1e-3, 1e3),
    "natural": u.NaturalGaussian(),
    "softplus": u.usual_softplus(),
    "exponential": u.usual_exponential(),
}
RAW = RNG.normal(0.0, 2.0, (50, 2))
TARGETS = RNG.normal(0.0, 2.0, 50)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.usefixtures("float64")
def test_beta_nll_joins_the_likelihood_and_the_squared_error(name: str) -> None:
    head = HEADS[name]

    @jax.jit
    def ours(raw, y):
        def weighted(beta):
            return jax.vmap(jax.value_and_grad(lambda r, t: u.beta_nll(head, r, t, beta)))(raw, y)

        def likelihood(r, t):
            return head.nll(r, t)

        by_moments = jax.vmap(jax.grad(lambda m, v, t: u.gaussian_nll(t - m, v), argnums=0))
        return (
            weighted(0.0),
            weighted(0.5),
            weighted(1.0),
            jax.vmap(jax.value_and_grad(likelihood))(raw, y),
            (
                head.moments(raw),
                by_moments(*head.moments(raw), y),
            ),
        )

    zero, half, one, likelihood, ((mean, log_variance), mean_slope) = ours(RAW, TARGETS)
    variance = np.exp(log_variance)
    np.testing.assert_allclose(likelihood[0], -scipy.stats.norm.logpdf(TARGETS, mean, np.sqrt(variance)), rtol=1e-8)
    np.testing.assert_allclose(zero[0], likelihood[0], rtol=1e-12)
    np.testing.assert_allclose(zero[1], likelihood[1], rtol=1e-12)
    # The weight gets no gradient: every slope is the likelihood's, times the variance to the power beta.
    for beta, (value, slope) in ((0.5, half), (1.0, one)):
        np.testing.assert_allclose(value, variance**beta * likelihood[0], rtol=1e-9)
        np.testing.assert_allclose(slope, (variance**beta)[:, None] * likelihood[1], rtol=1e-9)
    # At beta 1 the mean's slope is that of half the squared error.
    np.testing.assert_allclose(variance * mean_slope, mean - TARGETS, rtol=1e-9, atol=1e-12)
    if name != "natural":  # its first raw output is not the mean
        np.testing.assert_allclose(one[1][:, 0], mean - TARGETS, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_natural_head_is_convex_in_its_natural_parameters_and_the_gaussian_is_not() -> None:
    precision = u.Positive(al.identity, "value")  # raw outputs are then eta_1 and -2 eta_2 themselves
    eta, precisions, y = RNG.normal(0.0, 5.0, 400), RNG.gamma(1.0, 2.0, 400) + 1e-3, RNG.normal(0.0, 5.0, 400)
    raw = np.stack([eta, precisions], -1)

    @jax.jit
    def hessians(raw, y):
        natural = jax.vmap(jax.hessian(lambda r, t: u.NaturalGaussian(precision).nll(r, t)))(raw, y)
        moments = jax.vmap(jax.hessian(lambda r, t: u.Gaussian(precision).nll(r, t)))(raw, y)
        return natural, moments

    natural, moments = map(np.asarray, hessians(raw, y))
    # The log-partition's own: it does not know y.
    p, e = precisions, eta
    closed = np.array([[1 / p, -e / p**2], [-e / p**2, e**2 / p**3 + 0.5 / p**2]]).transpose(2, 0, 1)
    np.testing.assert_allclose(natural, closed, rtol=1e-7, atol=1e-9 * np.abs(closed).max())
    scale = np.abs(natural).max((1, 2))
    assert np.all(np.linalg.eigvalsh(natural)[:, 0] >= -1e-9 * scale)
    assert np.linalg.eigvalsh(moments)[:, 0].min() < -1e-3


RESIDUALS = np.concatenate([[0.0], np.logspace(-6, 6, 49), -np.logspace(-6, 6, 49)])
EVERY = np.unique(
    np.concatenate([np.linspace(-40.0, 40.0, 321), np.logspace(0, 38, 20), -np.logspace(0, 38, 20), [0.0, -1e-30]])
)
BOUNDED = {
    "default": u.bounded_gaussian(),
    "narrow": u.bounded_gaussian(0.5, 2.0),
    "wide": u.bounded_gaussian(1e-8, 1e8),
    "softplus with floor": u.usual_softplus(1e-2),
    "sigmoid with floor": u.gaussian_of(al.as_activation("sigmoid"), 0.1),
    "tanh lifted": u.gaussian_of(al.as_activation("tanh"), 1.25),
    "softplus lifted from below": u.gaussian_of(al.affine(al.softplus, shift=-0.5), 0.75),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_gradient_bounds_from_facts_are_never_exceeded(name: str) -> None:
    head = BOUNDED[name]
    residual, raw_scale = (a.ravel().astype(np.float32) for a in np.meshgrid(RESIDUALS, EVERY))

    slopes = jax.jit(jax.vmap(jax.grad(lambda raw: head.nll(raw, jnp.zeros(())))))(np.stack([-residual, raw_scale], -1))
    mean_slope, scale_slope = np.abs(np.asarray(slopes, np.float64)).T
    assert np.isfinite(mean_slope).all()
    assert np.isfinite(scale_slope).all()
    for size in np.unique(np.abs(residual)):
        at = np.abs(residual) == size
        mean_bound, scale_bound = head.gradient_bound(float(size))
        assert mean_slope[at].max() <= mean_bound * (1 + 2e-5)
        assert scale_slope[at].max() <= scale_bound * (1 + 2e-5)
    # A bound that is never approached would say nothing: the mean's is met where the variance is least.
    mean_bound, _ = head.gradient_bound(1e6)
    assert mean_slope.max() > 0.99 * mean_bound


def test_heads_without_facts_have_no_bound_and_the_scale_bound_is_sharp_at_large_residuals() -> None:
    for head in (
        u.usual_exponential(),
        u.usual_softplus(0.0),
        u.Gaussian(u.Positive(al.as_activation(jnp.exp), "value")),
    ):
        assert head.gradient_bound(1.0) == (math.inf, math.inf)
    unknown = u.Gaussian(u.Positive(al.as_activation(lambda x: x * x), "value", 0.5))
    assert all(math.isinf(b) for b in unknown.gradient_bound(1.0))
    head = u.gaussian_of(al.as_activation("sigmoid"), 10.0)  # nearly constant variance: slope 1/4 at 0 is felt
    found = abs(float(jax.grad(lambda s: head.nll(jnp.stack([jnp.asarray(1e3), s]), jnp.zeros(())))(jnp.zeros(()))))
    assert 0.9 * head.gradient_bound(1e3)[1] < found <= head.gradient_bound(1e3)[1]


def test_likelihood_does_not_overflow_before_its_result_does() -> None:
    # Residual squared is infinite in float32, the standardized one is not; and the reverse.
    large = u.gaussian_nll(jnp.asarray([1e25, 1e-25]), jnp.asarray([2 * math.log(1e24), 2 * math.log(1e-26)]))
    wanted = -scipy.stats.norm.logpdf([1e25, 1e-25], 0.0, [1e24, 1e-26])
    np.testing.assert_allclose(large, wanted, rtol=1e-4)
