"""The heads beyond the Gaussian against scipy's distributions, and over every bfloat16 raw output."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import actlab.activations as al
import actlab.systems.uncertainty as u


def squashed(raw: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """What `bounded` says it is, written again."""
    middle, half = 0.5 * math.log(lower * upper), 0.5 * math.log(upper / lower)
    return np.exp(middle + half * np.tanh((raw - middle) / half))


def shape(raw: np.ndarray) -> np.ndarray:
    return squashed(raw, 1e-2, 1e4)


def mean(raw: np.ndarray) -> np.ndarray:
    return squashed(raw, 1e-6, 1e6)


# Head, scipy's distribution at these raw outputs, targets drawn for means near them.
HEADS = {
    "student t": (
        u.StudentT(),
        lambda r: scipy.stats.t(squashed(r[:, 2], 2.0, 200.0), r[:, 0], np.sqrt(squashed(r[:, 1], 1e-5, 20.0))),
        lambda rng, n: rng.normal(0.0, 3.0, n),
    ),
    "log normal": (
        u.LogNormal(),
        lambda r: scipy.stats.lognorm(np.sqrt(squashed(r[:, 1], 1e-5, 20.0)), scale=np.exp(r[:, 0])),
        lambda rng, n: rng.lognormal(0.0, 2.0, n),
    ),
    "gamma": (
        u.Gamma(),
        lambda r: scipy.stats.gamma(shape(r[:, 1]), scale=mean(r[:, 0]) / shape(r[:, 1])),
        lambda rng, n: rng.lognormal(0.0, 2.0, n),
    ),
    "poisson": (
        u.Poisson(),
        lambda r: scipy.stats.poisson(mean(r[:, 0])),
        lambda rng, n: rng.poisson(rng.lognormal(1.0, 2.0, n)).astype(float),
    ),
    "negative binomial": (
        u.NegativeBinomial(),
        lambda r: scipy.stats.nbinom(shape(r[:, 1]), shape(r[:, 1]) / (shape(r[:, 1]) + mean(r[:, 0]))),
        lambda rng, n: rng.poisson(rng.lognormal(1.0, 2.0, n)).astype(float),
    ),
    "beta": (
        u.Beta(),
        lambda r: scipy.stats.beta(shape(r[:, 0]), shape(r[:, 1])),
        lambda rng, n: rng.beta(0.5, 0.5, n).clip(1e-9, 1 - 1e-9),
    ),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.usefixtures("float64")
def test_likelihoods_and_moments_are_scipys(name: str) -> None:
    head, oracle, targets = HEADS[name]
    rng = np.random.default_rng(2)
    raw, y = rng.normal(0.0, 3.0, (400, head.outputs)), targets(rng, 400)
    expected = oracle(raw)

    @jax.jit
    def ours(raw, y):
        d = head.distribution(raw)
        return head.nll(raw, y), -d.log_prob(y), d.mean(), d.variance()

    nll, through_distrax, average, variance = map(np.asarray, ours(jnp.asarray(raw), jnp.asarray(y)))
    log_density = getattr(expected, "logpdf", None) or expected.logpmf
    # The likelihoods with two calls of betaln inherit its error, 6e-7 each.
    np.testing.assert_allclose(nll, -log_density(y), rtol=1e-8, atol=2e-6)
    np.testing.assert_allclose(through_distrax, -log_density(y), rtol=1e-6, atol=2e-6)
    np.testing.assert_allclose(average, expected.mean(), rtol=1e-8)
    np.testing.assert_allclose(variance, expected.var(), rtol=1e-6)
    assert nll.dtype == np.float64


@pytest.mark.usefixtures("float64")
def test_dirichlet_is_scipys_and_a_beta_for_two_parts() -> None:
    rng = np.random.default_rng(3)
    head, raw, y = u.Dirichlet(4), rng.normal(0.0, 2.0, (30, 4)), rng.dirichlet(np.ones(4), 30)

    @jax.jit
    def ours(raw, y):
        made = head.distribution(raw)
        two, proportion = raw[:, :2], y[:, 0]
        as_parts = u.Dirichlet(2).nll(two, jnp.stack([proportion, 1.0 - proportion], -1))
        return head.nll(raw, y), made.mean(), made.variance(), as_parts, u.Beta().nll(two, proportion)

    nll, average, variance, as_parts, as_beta = ours(raw, y)
    expected = [scipy.stats.dirichlet(shape(r)) for r in raw]
    np.testing.assert_allclose(nll, [-d.logpdf(x) for d, x in zip(expected, y, strict=True)], rtol=1e-9)
    np.testing.assert_allclose(average, [d.mean() for d in expected], rtol=1e-9)
    np.testing.assert_allclose(variance, [d.var() for d in expected], rtol=1e-9)
    np.testing.assert_allclose(as_parts, as_beta, rtol=1e-6, atol=1e-6)
    assert (head.outputs, u.Dirichlet(7).outputs) == (4, 7)


@pytest.mark.usefixtures("float64")
def test_stated_variances_and_masses_that_sum_to_one() -> None:
    raw, counts = np.array([[1.0, 0.5], [-2.0, 3.0], [2.5, -1.0]]), np.arange(6000.0)
    m, a = mean(raw[:, 0]), shape(raw[:, 1])
    np.testing.assert_allclose(u.Gamma().distribution(jnp.asarray(raw)).variance(), m**2 / a, rtol=1e-9)

    @jax.jit
    def masses(head, raw):
        every = jnp.broadcast_to(raw[:, None, :], (raw.shape[0], len(counts), raw.shape[-1]))
        return jnp.exp(-head.nll(every, jnp.broadcast_to(jnp.asarray(counts), every.shape[:-1])))

    for head, columns, variance in ((u.NegativeBinomial(), 2, m + m**2 / a), (u.Poisson(), 1, m)):
        p = np.asarray(masses(head, jnp.asarray(raw[:, :columns])))
        average = p @ counts
        np.testing.assert_allclose(p.sum(1), 1.0, rtol=2e-6)
        np.testing.assert_allclose(average, m, rtol=2e-6)
        np.testing.assert_allclose(p @ counts**2 - average**2, variance, rtol=1e-5)


EVERY_BFLOAT16 = np.arange(65536, dtype=np.uint16).view(jnp.bfloat16)
EVERY_BFLOAT16 = EVERY_BFLOAT16[np.isfinite(EVERY_BFLOAT16.astype(np.float32))]

# Head; raw outputs that stay where they are (a location has no bound, its residual decides); targets.
BOUNDED = {
    "student t": (u.StudentT(), {0: 0.0}, (0.0, -1e6, 1e-20)),
    "log normal": (u.LogNormal(), {0: 0.0}, (1e-30, 1.0, 1e30)),
    "gamma": (u.Gamma(), {}, (1e-6, 1.0, 1e6)),
    "poisson": (u.Poisson(), {}, (0.0, 3.0, 1e6)),
    "negative binomial": (u.NegativeBinomial(), {}, (0.0, 3.0, 1e6)),
    "beta": (u.Beta(), {}, (1e-6, 0.5, 1.0 - 1e-6)),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_bounded_heads_are_finite_at_every_bfloat16_raw_output(name: str) -> None:
    head, fixed, targets = BOUNDED[name]
    n = len(EVERY_BFLOAT16)
    # Each raw output runs through all values while the others take turns at extremes and the middle.
    turns = np.resize(np.array([-3e38, -1.0, 0.0, 1.0, 3e38], jnp.bfloat16), n)
    blocks = []
    for moving in range(head.outputs):
        columns = [np.full(n, fixed[k]) if k in fixed else turns for k in range(head.outputs)]
        columns[moving] = EVERY_BFLOAT16 if moving not in fixed else columns[moving]
        blocks.append(np.stack([c.astype(jnp.bfloat16) for c in columns], -1))
    raw = np.concatenate(blocks)

    y = np.resize(np.float32(targets), len(raw))
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(head.nll)))(raw, y)
    assert np.isfinite(value).all()
    assert np.isfinite(slope.astype(jnp.float32)).all()
    assert (value.dtype, slope.dtype) == (jnp.float32, jnp.bfloat16)  # the loss is not a half-precision one


def test_parameters_stay_inside_their_bounds_and_rise() -> None:
    ordered = np.sort(EVERY_BFLOAT16.astype(np.float32)).astype(jnp.bfloat16)
    for lower, upper in ((1e-6, 1e6), (1e-2, 1e4), (2.0, 200.0), (1e-5, 20.0)):
        parameter = u.bounded(lower, upper)
        value = np.asarray(jax.jit(parameter.value)(jnp.asarray(ordered)), np.float64)
        assert np.all((value >= lower * (1 - 1e-5)) & (value <= upper * (1 + 1e-5)))
        assert np.all(np.diff(value) >= -1e-6 * value[1:])
        np.testing.assert_allclose([value[0], value[-1]], [lower, upper], rtol=1e-5)
        facts = parameter.bounds
        np.testing.assert_allclose([float(facts.lower), float(facts.upper)], [lower, upper], rtol=1e-5)
        assert parameter.steepness <= 1.0 + 1e-6
        raw = jnp.linspace(-30.0, 30.0, 601)
        np.testing.assert_allclose(parameter.value(raw), squashed(np.asarray(raw, float), lower, upper), rtol=2e-4)
        np.testing.assert_allclose(jnp.exp(parameter.log(raw)), parameter.value(raw), rtol=1e-5)


def test_students_location_gradient_is_bounded_at_every_residual_and_the_bound_is_met() -> None:
    head = u.StudentT()
    bound = head.location_gradient_bound()
    assert bound == pytest.approx(201.0 / (2.0 * math.sqrt(200.0)) / math.sqrt(1e-5), rel=1e-4)
    residuals = np.concatenate([[0.0], np.logspace(-8, 15, 600), -np.logspace(-8, 15, 600)])
    scales, degrees = np.array([-1e3, -20.0, -8.0, -3.0, 0.0, 5.0, 1e3]), np.array([-1e3, 0.0, 3.0, 8.0, 1e3])
    grid = np.stack([a.ravel() for a in np.meshgrid(residuals, scales, degrees, indexing="ij")], -1)
    slopes = jax.jit(jax.vmap(jax.grad(lambda r: head.nll(r, jnp.zeros(())))))(jnp.asarray(grid, jnp.float32))
    steepest = float(np.abs(slopes[:, 0]).max())
    assert 0.98 * bound < steepest <= bound * (1 + 1e-4)
    far = np.abs(grid[:, 0]) > 1e6
    assert np.abs(slopes[far, 0]).max() < 1e-3 * bound  # redescending: a wild target pulls at nothing


def test_ends_of_the_support() -> None:
    raw = jnp.asarray([[0.3, -0.2]] * 3, jnp.float32)
    off = u.LogNormal().nll(raw, jnp.asarray([0.0, -1.0, 1.0]))
    assert np.isfinite(off).tolist() == [False, False, True]
    # alpha and beta below 1: infinite density at the ends; above: none; exactly 1: the uniform law, finite there.
    free = u.Beta(u.EXPONENTIAL)
    ends = jnp.asarray([0.0, 1.0])
    logs = {"below": -1.0, "above": 1.0, "one": 0.0}
    found = {k: np.asarray(free.nll(jnp.full((2, 2), v), ends)) for k, v in logs.items()}
    assert np.all(np.isneginf(found["below"]))
    assert np.all(np.isposinf(found["above"]))
    np.testing.assert_allclose(found["one"], 0.0, atol=2e-6)
    corner = u.Dirichlet(3, u.EXPONENTIAL).nll(jnp.zeros(3), jnp.asarray([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(corner, -math.log(2.0), atol=4e-6)  # uniform on the triangle: density 2
    none = u.NegativeBinomial().nll(jnp.asarray([1.0, 2.0]), jnp.asarray(0.0))
    m, r = mean(np.array(1.0)), shape(np.array(2.0))
    np.testing.assert_allclose(none, r * np.log1p(m / r), rtol=1e-5)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, math.inf), (math.nan, 1.0)])
def test_bounds_that_are_none_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 < lower < upper < inf"):
        u.bounded(*bounds)


def test_a_parameter_must_be_known_to_be_positive() -> None:
    for refused in ("tanh", "relu", "identity", "swish", lambda x: x * x + 1.0):  # unknown is not positive
        with pytest.raises(al.FactError, match="a rate must be positive"):
            u.positive(refused, because="a rate must be positive")
        with pytest.raises(al.FactError, match="range"):
            u.gaussian_of(al.as_activation(refused))
    with pytest.raises(al.FactError):
        u.positive("tanh", floor=1.0 - 1e-3)
    with pytest.raises(TypeError):
        u.positive(3.0)
    accepted = {"softplus": 0.0, "sigmoid": 0.0, "relu": 0.1, "tanh": 1.5}
    raw = jnp.linspace(-20.0, 20.0, 101)
    for name, floor in accepted.items():
        parameter = u.positive(name, floor=floor)
        assert np.all(parameter.value(raw) > 0), name
        assert np.all(parameter.value(raw) >= float(parameter.bounds.lower)), name
        np.testing.assert_allclose(parameter.log(raw), np.log(np.asarray(parameter.value(raw))), rtol=1e-5, atol=1e-6)


def test_heads_refuse_targets_of_another_shape_and_map_over_batches() -> None:
    rng = np.random.default_rng(5)
    raw = jnp.asarray(rng.normal(size=(3, 5, 2)), jnp.float32)
    y = jnp.asarray(rng.gamma(2.0, size=(3, 5)), jnp.float32)
    for head in (u.Gamma(), u.LogNormal(), u.NegativeBinomial()):
        nll = jax.jit(head.nll)
        assert nll(raw, y).shape == (3, 5)
        assert jax.eval_shape(lambda r, head=head: head.distribution(r).mean(), raw).shape == (3, 5)
        np.testing.assert_allclose(nll(raw, y)[1, 2], nll(raw[1, 2], y[1, 2]), rtol=1e-5)
        with pytest.raises(Exception, match="(?i)type-check"):
            head.nll(raw, y[..., None])
    with pytest.raises(Exception, match="(?i)type-check"):
        u.Dirichlet(2).nll(raw, y)
