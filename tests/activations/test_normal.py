"""The normal distribution function in float32, times a weight that lifts it out of the tail, and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as sc
import scipy.stats as st

from actlab.activations.normal import weighted_cdf

X = np.unique(np.concatenate([np.linspace(-a, a, 20_001) for a in (0.01, 1.0, 14.0, 30.0)]).astype(np.float32))


@pytest.mark.parametrize(("weight", "bound"), [(1.0, 4), (3e-20, 4), (1e30, 5)])
def test_a_weighted_tail_keeps_its_digits_until_the_product_underflows(weight, bound):
    found = np.asarray(jax.jit(weighted_cdf)(jnp.full(X.shape, weight, jnp.float32), X), np.float64)
    truth = float(np.float32(weight)) * sc.ndtr(X.astype(np.float64))
    normal = truth > 2.4e-38
    unit = np.spacing(truth.astype(np.float32)).astype(np.float64)
    assert np.max(np.abs(found - truth)[normal] / unit[normal]) <= bound
    assert np.all(found[~normal] <= 2.4e-38)


def test_its_derivatives_are_those_of_the_normal_distribution():
    def phi(x):
        return weighted_cdf(jnp.ones_like(x), x)

    def thrice(x):
        return phi(x), jax.grad(phi)(x), jax.grad(jax.grad(phi))(x), jax.grad(jax.grad(jax.grad(phi)))(x)

    wide = X.astype(np.float64)
    pdf = st.norm.pdf(wide)
    truth = (st.norm.cdf(wide), pdf, -wide * pdf, (wide * wide - 1) * pdf)
    for found, expected in zip(jax.jit(jax.vmap(thrice))(X), truth, strict=True):
        size = np.maximum(np.abs(expected), pdf)
        near = pdf > 1e-37
        assert np.max((np.abs(found - expected) / size)[near]) < 1e-6


def test_far_out_everything_is_finite():
    x = jnp.asarray([-3e38, -1e5, -46.0, 46.0, 1e5, 3e38], jnp.float32)
    value, slope = jax.vmap(jax.value_and_grad(lambda x: weighted_cdf(x, x)))(x)
    np.testing.assert_array_equal(value, [0, 0, 0, *x[3:]])
    np.testing.assert_array_equal(slope, [0, 0, 0, 1, 1, 1])
    assert np.isfinite(jax.vmap(jax.grad(jax.grad(lambda x: weighted_cdf(x, x))))(x)).all()
