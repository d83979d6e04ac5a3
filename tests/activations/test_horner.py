"""Polynomials against numpy's, of numbers and of arrays of coefficients, one and none included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations.horner import polynomial

X = np.linspace(-2, 2, 9)


@pytest.mark.parametrize("coefficients", [(), (3.0,), (1.0, -2.0, 0.5, 4.0)])
def test_agrees_with_numpy(coefficients):
    wanted = np.polynomial.polynomial.polyval(X, coefficients or (0.0,)) * np.ones_like(X)
    x = jnp.asarray(X, jnp.float32)
    np.testing.assert_allclose(polynomial(coefficients, x), wanted, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(polynomial)(jnp.asarray(coefficients), x), wanted, rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_numbers_do_not_change_the_dtype(dtype):
    assert polynomial((1.0, 2.0), jnp.ones(3, dtype)).dtype == dtype
