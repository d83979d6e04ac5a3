"""Operator norms: above the singular values, and close; convolutions against their matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.bounds import convolution_norm, spectral_norm


@pytest.mark.parametrize("shape", [(16, 4), (3, 40), (60, 60), (5, 8, 9)])
def test_above_the_largest_singular_value_and_near(shape):
    w = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    truth = np.linalg.svd(w.astype(float), compute_uv=False)[..., 0]
    concrete, traced = np.asarray(spectral_norm(w), float), np.asarray(jax.jit(spectral_norm)(w), float)
    assert np.all((truth * (1 - 1e-12) <= concrete) & (concrete <= truth * (1 + 2e-7)))
    assert np.all((truth <= traced) & (traced <= truth * 1.002))


def test_ties_zeros_and_the_derivative():
    assert 1.0 <= spectral_norm(np.eye(7)) <= 1 + 1e-6
    assert spectral_norm(np.zeros((3, 4))) == 0
    w = jnp.asarray(np.random.default_rng(1).standard_normal((6, 4)), jnp.float32)
    u, _, v = np.linalg.svd(w)
    np.testing.assert_allclose(jax.grad(spectral_norm)(w), np.outer(u[:, 0], v[0]), atol=1e-5)


@pytest.mark.parametrize(("stride", "size", "side"), [(1, (8, 8), 3), (2, (9, 8), 3), (2, (8, 8), 4), (3, (7, 7), 2)])
def test_convolutions(stride, size, side):
    kernel = np.random.default_rng(side).standard_normal((side, side, 2, 3)).astype(np.float32)

    def layer(x):
        image = x.reshape(1, *size, 2)
        dims = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(image, kernel, (stride, stride), "SAME", dimension_numbers=dims).ravel()

    truth = np.linalg.norm(np.asarray(jax.jacobian(layer)(jnp.zeros(size[0] * size[1] * 2)), float), 2)
    assert truth <= convolution_norm(kernel, size, stride) <= 1.25 * truth
    assert truth <= jax.jit(lambda k: convolution_norm(k, size, stride))(kernel) <= 1.25 * truth
