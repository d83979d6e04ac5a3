"""Orthogonal layers: singular values of one, by LAPACK; the same map as ordinary layers; derivatives; 1-Lipschitz."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from actlab.nets import OrthogonalLinear, OrthogonalPatches, bjorck, cayley
from actlab.nets.orthogonal import patches

SHAPES = [(5, 5), (9, 4), (4, 9), (1, 6), (64, 32)]


@pytest.mark.parametrize("kernel", [cayley, bjorck])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_singular_value_is_one(kernel, shape) -> None:
    for scale in (0.1, 1.0, 3.0):
        raw = scale * jax.random.normal(jax.random.key(1), shape)
        values = np.linalg.svd(np.asarray(kernel(raw), np.float64), compute_uv=False)
        if kernel is bjorck and shape[0] == shape[1]:  # a square Gaussian matrix may be nearly singular: never above 1
            assert values.max() < 1 + 1e-5
        else:
            np.testing.assert_allclose(values, 1.0, atol=2e-5)


def test_cayley_in_float64_is_orthogonal_to_rounding_and_covers_the_rotations(float64) -> None:
    raw = jax.random.normal(jax.random.key(0), (7, 4), jnp.float64)
    Q = cayley(raw)
    np.testing.assert_allclose(Q.T @ Q, np.eye(4), atol=1e-14)
    # A square kernel is the Cayley transform of the skew part alone, so a known rotation comes back exactly.
    angle = 0.7
    skew = jnp.array([[0.0, 1.0], [-1.0, 0.0]]) * jnp.tan(angle / 2)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(cayley(skew / 2), turned, atol=1e-15)


def test_bjorck_is_the_polar_factor(float64) -> None:
    raw = jax.random.normal(jax.random.key(2), (9, 4), jnp.float64)
    U, _, V = np.linalg.svd(np.asarray(raw), full_matrices=False)
    np.testing.assert_allclose(bjorck(raw), U @ V, atol=1e-10)


@pytest.mark.exhaustive
def test_derivatives_of_cayley_are_those_of_finite_differences(float64) -> None:
    raw, way = jax.random.normal(jax.random.key(3), (2, 6, 4), jnp.float64)
    slope = jax.jvp(cayley, (raw,), (way,))[1]
    differences = (cayley(raw + 1e-6 * way) - cayley(raw - 1e-6 * way)) / 2e-6
    np.testing.assert_allclose(slope, differences, atol=1e-8)
    weights = jax.random.normal(jax.random.key(4), (6, 4), jnp.float64)
    grad = jax.grad(lambda r: jnp.sum(weights * cayley(r)))(raw)
    np.testing.assert_allclose(jnp.sum(grad * way), jnp.sum(weights * slope), rtol=1e-10)


@pytest.mark.parametrize("parametrization", ["cayley", "bjorck"])
def test_layers_are_one_lipschitz_and_equal_their_plain_forms(parametrization) -> None:
    dense = OrthogonalLinear(12, 20, rngs=nnx.Rngs(0), parametrization=parametrization)
    patch = OrthogonalPatches(3, 20, 2, rngs=nnx.Rngs(1), parametrization=parametrization)
    x, z = (jax.random.normal(jax.random.key(i), (5, 6, 4, 3)) for i in (0, 1))
    for layer, a, b in ((dense, x.reshape(5, -1, 12), z.reshape(5, -1, 12)), (patch, x, z)):
        np.testing.assert_allclose(layer(a), layer.plain()(a), atol=3e-6)
        np.testing.assert_allclose(jnp.linalg.norm(layer(a) - layer(b)), jnp.linalg.norm(a - b), rtol=1e-5)
    narrow = OrthogonalLinear(20, 7, rngs=nnx.Rngs(2), parametrization=parametrization)
    u, v = jax.random.normal(jax.random.key(5), (2, 50, 20))
    assert jnp.all(jnp.linalg.norm(narrow(u) - narrow(v), axis=1) <= jnp.linalg.norm(u - v, axis=1) * (1 + 1e-5))


def test_patches_permute_the_entries() -> None:
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    cut = patches(x, 2)
    assert cut.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(jnp.sort(cut.ravel()), x.ravel())
    np.testing.assert_array_equal(cut[1, 0, 2], x[1, 0:2, 4:6].ravel())


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="5 x 4 pixels do not divide into patches of side 2"):
        patches(jnp.zeros((1, 5, 4, 1)), 2)
