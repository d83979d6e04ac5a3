"""Heads beyond the Gaussian: the likelihood is that of the distrax distribution, finite for every raw output."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import actlab.activations as al
from actlab.systems.uncertainty import (
    Beta,
    Dirichlet,
    Gamma,
    LogNormal,
    NegativeBinomial,
    Poisson,
    Simplex,
    StudentT,
    bounded_gaussian,
)
from actlab.systems.uncertainty.distributions import normal_mixture

HEADS = {
    "student_t": (StudentT(), (-1e6, -1.0, 0.0, 3.0, 1e6)),
    "log_normal": (LogNormal(), (1e-3, 0.5, 40.0)),
    "gamma": (Gamma(), (1e-3, 0.5, 40.0)),
    "poisson": (Poisson(), (0.0, 1.0, 17.0)),
    "negative_binomial": (NegativeBinomial(), (0.0, 1.0, 17.0)),
    "beta": (Beta(), (1e-3, 0.5, 0.9)),
}


@pytest.mark.parametrize("name", HEADS)
def test_nll_is_that_of_the_distribution(name):
    head, targets = HEADS[name]
    raw = jax.random.normal(jax.random.key(0), (20, head.outputs))
    for y in targets:
        if abs(y) > 100:
            continue
        with jax.numpy_rank_promotion("allow"):
            expected = -head.distribution(raw).log_prob(jnp.full(20, y))
        np.testing.assert_allclose(head.nll(raw, jnp.full(20, y)), expected, rtol=2e-4, atol=2e-4)
    assert isinstance(head.distribution(raw), distrax.Distribution)


@pytest.mark.parametrize("name", HEADS)
def test_finite_with_gradient_for_every_bfloat16_raw(name):
    head, targets = HEADS[name]
    raws = np.arange(2**16, dtype=np.uint16).view(jnp.bfloat16).astype(np.float32)
    raws = raws[np.isfinite(raws)]
    grid = np.array([-3e38, -120.0, -1.0, 0.0, 1.0, 120.0, 3e38], np.float32)

    @jax.jit
    def slopes(raw, y):
        return jax.vmap(jax.value_and_grad(lambda r, y: head.nll(r, y)), (0, None))(raw, y)

    located = name in ("student_t", "log_normal")  # the first raw output is a location: |residual| <= 1e6 there
    for i in range(head.outputs):
        every = np.stack([np.full((raws.size, head.outputs), g) for g in grid])
        if located:
            every[..., 0] = 0.5
        every[..., i] = np.clip(raws, -1e6, 1e6) if located and i == 0 else raws
        for y in targets:
            value, grad = slopes(every.reshape(-1, head.outputs).astype(np.float32), jnp.float32(y))
            assert np.isfinite(value).all(), (i, y)
            assert np.isfinite(grad).all(), (i, y)


def test_student_t_location_gradient_is_bounded_for_every_residual():
    head = StudentT()
    residual = jnp.concatenate([jnp.logspace(-6.0, 6.0, 400), jnp.zeros(1)])
    raw = jnp.stack([jnp.zeros(401), jnp.full(401, -1e4), jnp.full(401, 1e4)], axis=-1)
    slope = jax.vmap(jax.grad(lambda r, y: head.nll(r, y)))(raw, residual)[:, 0]
    assert np.abs(slope).max() <= head.location_gradient_bound() * 1.001
    assert np.abs(slope).max() >= head.location_gradient_bound() * 0.9


def test_negative_binomial_variance_exceeds_its_mean():
    raw = jnp.array([[0.7, 0.3]])
    d = NegativeBinomial().distribution(raw)
    mean, size = NegativeBinomial().mean.value(raw[:, 0]), NegativeBinomial().size.value(raw[:, 1])
    np.testing.assert_allclose(d.mean(), mean, rtol=1e-4)
    np.testing.assert_allclose(d.variance(), mean + mean**2 / size, rtol=1e-4)


def test_dirichlet_against_scipy():
    head = Dirichlet(3)
    raw = jax.random.normal(jax.random.key(0), (5, 3))
    y = jax.nn.softmax(jax.random.normal(jax.random.key(1), (5, 3)))
    y = np.asarray(y, np.float64)
    y /= y.sum(-1, keepdims=True)
    expected = [
        -scipy.stats.dirichlet(np.asarray(head.concentration.value(r))).logpdf(v) for r, v in zip(raw, y, strict=True)
    ]
    np.testing.assert_allclose(head.nll(raw, jnp.asarray(y, jnp.float32)), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        head.distribution(raw).log_prob(jnp.asarray(y, jnp.float32)), -np.array(expected), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("onto", [al.softmax, al.entmax(1.5), al.sparsemax], ids=["softmax", "entmax", "sparsemax"])
def test_simplex_loss_has_the_gradient_probabilities_minus_one_hot(onto):
    head = Simplex(4, onto)
    raw = jax.random.normal(jax.random.key(0), (40, 4)) * 3.0
    y = jax.random.randint(jax.random.key(1), (40,), 0, 4)
    p = head.probabilities(raw)
    np.testing.assert_allclose(p.sum(-1), 1.0, atol=1e-5)
    grad = jax.grad(lambda r: head.loss(r, y).sum())(raw)
    np.testing.assert_allclose(grad, p - jax.nn.one_hot(y, 4), atol=2e-5)
    assert (head.loss(raw, y) >= -1e-5).all()
    assert isinstance(head.distribution(raw), distrax.Categorical)
    np.testing.assert_allclose(head.nll(raw, y), -jnp.log(p[jnp.arange(40), y]), rtol=1e-4, atol=1e-5)


def test_sparse_maps_give_exact_zeros_and_a_finite_loss_there():
    head = Simplex(3, al.sparsemax)
    raw, y = jnp.array([[5.0, 0.0, 0.0]]), jnp.array([1])
    assert head.probabilities(raw)[0, 1] == 0.0
    assert np.isposinf(head.nll(raw, y)[0])
    assert float(head.loss(raw, y)[0]) == pytest.approx(5.0)  # <p, z> - |p|^2 / 2 + 1/2 - z_y


def test_mixture_distribution_is_the_members_average():
    d = normal_mixture(jnp.array([[0.0, 2.0]]), jnp.array([[1.0, 0.5]]))
    expected = 0.5 * scipy.stats.norm(0, 1).pdf(0.7) + 0.5 * scipy.stats.norm(2, 0.5).pdf(0.7)
    with jax.numpy_rank_promotion("allow"):
        np.testing.assert_allclose(d.prob(jnp.array([0.7])), [expected], rtol=1e-5)


def test_log_normal_counts_the_jacobian():
    head = LogNormal(bounded_gaussian())
    raw = jnp.array([[0.3, -0.2]])
    sd = float(jnp.exp(0.5 * head.logarithm.variance.log(raw[:, 1]))[0])
    expected = -scipy.stats.lognorm(sd, scale=np.exp(0.3)).logpdf(1.7)
    np.testing.assert_allclose(head.nll(raw, jnp.array([1.7])), [expected], rtol=1e-5)
