"""Grad-CAM by its definition; imputation against a dense solution of the published system; what removal tells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

from actlab.nets import MLP, ConvNet
from actlab.systems.saliency import (
    SaliencyError,
    class_score,
    effective_complexity,
    grad_cam,
    infidelity,
    infidelity_at,
    noisy_linear_imputation,
    road,
    sensitivity_at,
)

HEIGHT, WIDTH = 5, 6


def images(count=3, channels=2, dtype=jnp.float32):
    return jax.random.normal(jax.random.key(0), (count, HEIGHT, WIDTH, channels), dtype)


def test_grad_cam_weighs_channels_by_their_mean_slopes():
    weights = jnp.array([[2.0, -1.0, 0.5]])

    def features(x):
        return jnp.concatenate([x, x[..., :1] * x[..., 1:]], -1)

    @jax.jit
    def score(x):  # named inside a call
        pooled = jnp.mean(checkpoint_name(features(x), "features"), (1, 2))
        return jnp.sum(jnp.sin(pooled) * weights, -1)

    x = images()
    places = HEIGHT * WIDTH
    slopes = weights * jnp.cos(jnp.mean(features(x), (1, 2))) / places  # of every place of a channel
    expected = np.maximum(np.einsum("bhwc,bc->bhw", features(x), slopes), 0)
    found = jax.jit(lambda x: grad_cam(score, x, "features"))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert 0.1 < np.mean(np.asarray(found) == 0) < 0.9


def test_grad_cam_finds_the_values_that_a_net_names():
    net = ConvNet((2, 4, 5), 3, "gelu", rngs=nnx.Rngs(0))
    score, x = class_score(net, jnp.array([0, 1, 2])), images()

    @jax.jit
    def both(x):
        last = net.nonlinearity(net.convolutions[1](net.nonlinearity(net.convolutions[0](x))))
        return last, [grad_cam(score, x, f"convolution_{i}") for i in (1, 2)]

    last, (first, second) = both(x)
    assert first.shape == (3, 3, 3)
    alpha = np.asarray(net.last.kernel[...]).T / 4  # of the mean over 2 x 2 places
    np.testing.assert_allclose(second, np.maximum(np.einsum("bhwc,bc->bhw", last, alpha), 0), rtol=1e-5, atol=1e-6)
    with pytest.raises(SaliencyError, match="'convolution_3' names 0 values.*'convolution_1', 'convolution_2'"):
        grad_cam(score, x, "convolution_3")
    with pytest.raises(SaliencyError, match="none; name one with"):
        grad_cam(class_score(MLP((3, 2), "relu", rngs=nnx.Rngs(0)), jnp.zeros(1, jnp.int32)), jnp.ones((1, 3)), "h")
    with pytest.raises(SaliencyError, match=r"\(3, 2\).*before its places are averaged"):
        grad_cam(lambda x: jnp.sum(checkpoint_name(jnp.mean(x, (1, 2)), "pooled"), -1), x, "pooled")


def dense_imputation(image, removed):
    """The published system, row by row: Rong et al. 2022, section 4, weights over their sum at borders."""
    places = [(i, j) for i in range(HEIGHT) for j in range(WIDTH) if removed[i, j]]
    matrix, known = np.zeros((len(places),) * 2), np.zeros(len(places))
    for row, (i, j) in enumerate(places):
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                other = i + down, j + right
                if (down, right) == (0, 0) or not (0 <= other[0] < HEIGHT and 0 <= other[1] < WIDTH):
                    continue
                weight = 1 / 12 if down and right else 1 / 6
                matrix[row, row] += weight
                if removed[other]:
                    matrix[row, places.index(other)] -= weight
                else:
                    known[row] += weight * image[other]
    filled = image.copy()
    filled[tuple(np.transpose(places))] = np.linalg.solve(matrix, known)
    return filled


def test_imputation_solves_the_published_system(float64):
    x = images(4, 2, jnp.float64)
    removed = jax.random.uniform(jax.random.key(1), x.shape[:3]) < jnp.array([0.1, 0.5, 0.9, 0.97])[:, None, None]
    impute = jax.jit(lambda x, noise: noisy_linear_imputation(x, removed, jax.random.key(2), noise=noise))
    found = np.asarray(impute(x, 0.0))
    for image, mask, mine in zip(np.asarray(x), np.asarray(removed), found, strict=True):
        for channel in range(2):
            np.testing.assert_allclose(mine[..., channel], dense_imputation(image[..., channel], mask), atol=1e-10)
    noise = (np.asarray(impute(x, 0.3)) - found)[np.asarray(removed)]
    np.testing.assert_array_equal((np.asarray(impute(x, 0.3)) - found)[~np.asarray(removed)], 0)
    np.testing.assert_allclose(noise.std(), 0.3, rtol=0.2)


def test_the_right_order_is_found_out_sooner_than_its_reverse():
    """Class 1 is a bright pixel at a random place: once it is gone, the class is not told."""
    count = 16
    place = jax.random.randint(jax.random.key(0), (count,), 0, HEIGHT * WIDTH)
    x = jax.nn.one_hot(place, HEIGHT * WIDTH).reshape(count, HEIGHT, WIDTH, 1)

    def model(x):
        brightest = jnp.max(x, (1, 2, 3))
        return jnp.stack([jnp.full_like(brightest, 0.5), brightest], -1)

    labels, key = jnp.ones(count, jnp.int32), jax.random.key(1)
    found, reverse = jax.jit(lambda x: [road(model, x, labels, m, key, shares=(0.0, 0.1, 0.5)) for m in (x, -x)])(x)
    np.testing.assert_array_equal(found, np.array([[True], [False], [False]]) & np.ones(count, bool))
    assert np.all(reverse)
    with pytest.raises(SaliencyError, match="some pixel has to stay"):
        road(model, x, labels, x, key, shares=(1.0,))


def test_given_disturbances_are_used():
    score = lambda x: jnp.sum(x**2, 1)  # noqa: E731
    x, maps = jnp.array([[1.0, 2.0]]), jnp.array([[1.0, -1.0]])
    moved = jnp.array([[[1.0, 0.0]], [[0.0, 2.0]]])
    # I . map - (F(x) - F(x - I)): 1 - (5 - 4) and -2 - (5 - 1)
    np.testing.assert_allclose(infidelity_at(score, x, maps, moved), [(0 + 36) / 2])
    drawn = 0.3 * jnp.stack([jax.random.normal(k, x.shape) for k in jax.random.split(jax.random.key(4), 5)])
    expected = infidelity(score, x, maps, jax.random.key(4), deviation=0.3, samples=5)
    np.testing.assert_allclose(infidelity_at(score, x, maps, drawn), expected, rtol=1e-5)
    points = x[None] + jnp.array([[[0.3, 0.0]], [[0.0, -0.4]]])
    np.testing.assert_allclose(sensitivity_at(lambda x: 2 * x, x, points), [0.4 / 5**0.5], rtol=1e-6)
    np.testing.assert_array_equal(effective_complexity(jnp.array([[1e-6, -2e-5], [0.0, 0.0]])), [1, 0])
