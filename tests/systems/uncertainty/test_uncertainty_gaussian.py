"""The Gaussian heads: closed forms, the exhaustive sweep of the head that cannot explode, its bound from facts."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import actlab.activations as al
from actlab.systems.uncertainty import (
    Gaussian,
    NaturalGaussian,
    beta_nll,
    bounded,
    bounded_gaussian,
    gaussian_nll,
    gaussian_of,
    usual_exponential,
    usual_softplus,
)

CAPPED = gaussian_of(al.capped_positive(lower=1e-4, upper=20.0))
"""A second bounded head: the variance is the activation itself."""


def bfloat16s() -> np.ndarray:
    """Every finite bfloat16."""
    every = np.arange(2**16, dtype=np.uint16).view(jnp.bfloat16)
    return every[np.isfinite(every.astype(np.float32))]


RAWS = bfloat16s()
MEANS = RAWS[np.abs(RAWS.astype(np.float32)) <= 1e6]
"""Raw means against the target 0: |residual| <= 1e6."""


@jax.jit
def slopes(head, mean, raw):
    """Value and both derivatives for every pair of a mean and a raw scale, the target being 0."""

    def nll(m, r):
        return head.nll(jnp.stack([m, r]), jnp.zeros((), jnp.float32))

    every = jax.vmap(jax.vmap(jax.value_and_grad(nll, (0, 1)), (None, 0)), (0, None))
    return every(mean, raw)


def check_pairs(head, means, raws):
    value, (by_mean, by_raw) = (jax.tree.map(lambda a: np.asarray(a, np.float64), v) for v in slopes(head, means, raws))
    assert np.isfinite(value).all()
    residual = np.abs(means.astype(np.float64))
    bound = np.stack(head.gradient_bound(residual), axis=-1)
    assert (np.abs(by_mean) <= bound[:, :1] * (1 + 2e-2)).all()  # gradients of bfloat16 raws are rounded to bfloat16
    assert (np.abs(by_raw) <= bound[:, 1:] * (1 + 2e-2)).all()
    assert (np.hypot(by_mean, by_raw) <= np.hypot(*bound.T)[:, None] * (1 + 2e-2)).all()


@pytest.mark.parametrize("head", [bounded_gaussian(), CAPPED], ids=["bounded", "capped"])
def test_every_raw_scale_is_finite_and_under_the_bound(head):
    grid = np.concatenate([-(10.0 ** np.arange(-3.0, 7.0)), [0.0, 1e-30], 10.0 ** np.arange(-3.0, 7.0)])
    check_pairs(head, grid.astype(jnp.bfloat16)[np.abs(grid.astype(jnp.bfloat16).astype(np.float32)) <= 1e6], RAWS)


@pytest.mark.parametrize("head", [bounded_gaussian(), CAPPED], ids=["bounded", "capped"])
def test_every_mean_is_finite_and_under_the_bound(head):
    check_pairs(head, MEANS, RAWS[::2039])


@pytest.mark.slow
def test_a_prime_stride_of_all_pairs():
    head = bounded_gaussian()
    for part in np.array_split(MEANS[::17], 32):
        check_pairs(head, part, RAWS[::13])


@pytest.mark.parametrize(
    ("head", "raw"), [(usual_softplus(0.0), -105.0), (usual_exponential(), -90.0), (usual_exponential(), -100.0)]
)
def test_the_usual_heads_explode(head, raw):
    value, grads = slopes(head, jnp.ones(1), jnp.full(1, raw))
    assert not all(np.isfinite(v).all() for v in (value, *grads))


def test_bound_is_infinite_where_facts_give_none():
    assert np.isposinf(usual_exponential().gradient_bound(1.0)).all()
    assert np.isposinf(usual_softplus(0.0).gradient_bound(1.0)).all()
    assert np.isfinite(usual_softplus(1e-6).gradient_bound(1.0)).all()


def test_bound_is_tight_at_the_worst_variance():
    """Where slope and lowest variance meet the bound is attained: variance x + 1 with x >= 0 has slope 1 at 0."""
    head = gaussian_of(al.softplus, floor=1.0)
    _, (by_mean, by_raw) = slopes(head, jnp.full(1, 100.0), jnp.linspace(-30.0, 30.0, 601))
    by_mean_bound, by_raw_bound = head.gradient_bound(100.0)
    assert by_mean_bound * 0.99 < np.abs(by_mean).max() <= by_mean_bound
    assert by_raw_bound * 0.05 < np.abs(by_raw).max() <= by_raw_bound


def test_a_variance_must_be_positive():
    with pytest.raises(al.FactError, match="a variance must be positive"):
        gaussian_of(al.tanh)
    with pytest.raises(al.FactError, match="unknown"):
        gaussian_of(al.activation(lambda x: jnp.exp(x)))
    with pytest.raises(ValueError, match="lower=2"):
        bounded(2.0, 1.0)


@pytest.mark.parametrize("head", [bounded_gaussian(), usual_softplus(), usual_exponential(), NaturalGaussian(), CAPPED])
def test_nll_is_that_of_the_distribution(head):
    raw = jax.random.normal(jax.random.key(0), (64, 2)) * 2.0
    y = jax.random.normal(jax.random.key(1), (64,)) * 3.0
    d = head.distribution(raw)
    assert isinstance(d, distrax.Normal)
    np.testing.assert_allclose(head.nll(raw, y), -d.log_prob(y), rtol=2e-4, atol=2e-4)


def test_reference_values():
    assert float(gaussian_nll(jnp.zeros(()), jnp.zeros(()))) == pytest.approx(0.9189385332, abs=1e-7)
    assert float(gaussian_nll(jnp.full((), 1e6), jnp.log(jnp.full((), 1e-5)))) == pytest.approx(5e16, rel=1e-5)


def test_half_precision_raws_get_a_single_precision_loss():
    raw = jnp.array([[0.5, -1.0]], jnp.bfloat16)
    assert bounded_gaussian().nll(raw, jnp.ones(1)).dtype == jnp.float32


@pytest.mark.parametrize("head", [bounded_gaussian(), NaturalGaussian()])
def test_beta_nll_at_its_ends(head):
    raw = jax.random.normal(jax.random.key(0), (32, 2))
    y = jax.random.normal(jax.random.key(1), (32,))
    np.testing.assert_array_equal(beta_nll(head, raw, y, 0.0), head.nll(raw, y))
    if isinstance(head, Gaussian):
        by_mean = jax.grad(lambda r: beta_nll(head, r, y, 1.0).sum())(raw)[:, 0]
        np.testing.assert_allclose(by_mean, raw[:, 0] - y, rtol=1e-4, atol=1e-6)


@jax.jit
def natural_hessian(eta_1, log_precision, y):
    head = NaturalGaussian(bounded(1e-3, 1e3))

    def nll(natural):
        half = np.log(1e3)  # of the squash about 0: its inverse makes the natural parameters the variables
        raw = half * jnp.arctanh(jnp.log(-2.0 * natural[1]) / half)
        return head.nll(jnp.stack([natural[0], raw]), y)

    return jax.hessian(nll)(jnp.stack([eta_1, -0.5 * jnp.exp(log_precision)]))


@settings(max_examples=30, deadline=None)
@given(st.floats(-5, 5), st.floats(-1, 1), st.floats(-5, 5))
def test_natural_head_is_convex_in_its_natural_parameters(eta_1, log_precision, y):
    """-log p(y | eta_1, precision) through the head, eta_2 = -precision / 2, has a positive semidefinite Hessian."""
    hessian = np.asarray(natural_hessian(*map(jnp.float32, (eta_1, log_precision, y))), np.float64)
    assert np.linalg.eigvalsh(hessian).min() >= -1e-4 * np.abs(hessian).max()
