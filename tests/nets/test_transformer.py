"""The transformer sees no later token, and its parts are their formulas."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from actlab.nets.transformer import SelfAttention, ShortConvolution, Transformer, decayed, rotate, slopes


def first(q, k, v):
    """Every query takes the first value: blind to all else."""
    del k
    return jnp.broadcast_to(jnp.repeat(v[:, :1], q.shape[2] // v.shape[2], axis=2), q.shape)


def mean(q, k, v):
    """The mean of the values so far."""
    del k
    v = jnp.repeat(v, q.shape[2] // v.shape[2], axis=2)
    return jnp.cumsum(v, axis=1) / jnp.arange(1.0, v.shape[1] + 1)[None, :, None, None]


@pytest.mark.parametrize(("convolution", "position"), [(0, "rotary"), (3, "linear")])
def test_logits_depend_on_no_later_token(convolution, position):
    net = Transformer(
        11, 16, 2, 2, lambda: mean, groups=1, convolution=convolution, position=position, rngs=nnx.Rngs(0)
    )
    tokens = jax.random.randint(jax.random.key(1), (2, 9), 0, 11)
    changed = tokens.at[:, 6].add(1) % 11
    graphdef, state = nnx.split(net)
    run = jax.jit(lambda tokens: nnx.merge(graphdef, state)(tokens))
    before, after = np.asarray(run(tokens)), np.asarray(run(changed))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert np.abs(before[:, 6:] - after[:, 6:]).max() > 1e-3


def test_short_convolution_is_numpys():
    layer = ShortConvolution(3, 4, rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
    kernel = np.asarray(layer.kernel[...])
    expected = np.stack([[np.convolve(row[:, c], kernel[:, c])[:7] for c in range(3)] for row in x]).transpose(0, 2, 1)
    np.testing.assert_allclose(layer(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6)


def test_rotated_scores_depend_on_the_distance_alone():
    x = jnp.broadcast_to(jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 8)), (2, 1, 12, 1, 8))
    q, k = rotate(x[0])[0, :, 0], rotate(x[1])[0, :, 0]
    scores = np.asarray(q @ k.T)
    for distance in (-3, 0, 5):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, np.full_like(diagonal, diagonal[0]), rtol=1e-4, atol=1e-4)


def test_decayed_scores_fall_by_the_slope_with_each_token_of_distance():
    q, k = (
        jax.random.normal(key, (2, 9, heads, 6))
        for key, heads in zip(jax.random.split(jax.random.key(0)), (4, 2), strict=True)
    )
    longer_q, longer_k = decayed(q, k)

    def score(q, k):
        return np.einsum("bihd,bjhd->bhij", q, np.repeat(k, 2, axis=2))

    distance = np.arange(9)[:, None] - np.arange(9)[None, :]
    expected = score(q, k) / np.sqrt(8) - slopes(4)[None, :, None, None] * distance[None, None]
    np.testing.assert_allclose(score(longer_q, longer_k) / np.sqrt(8), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(slopes(4), [2**-2, 2**-4, 2**-6, 2**-8])


def test_queries_and_keys_are_of_mean_square_one():
    layer = SelfAttention(16, 2, 1, first, rngs=nnx.Rngs(0))
    q, k, v = layer.project(100 * jax.random.normal(jax.random.key(1), (1, 5, 16)))
    assert (q.shape, k.shape, v.shape) == ((1, 5, 2, 8), (1, 5, 1, 8), (1, 5, 1, 8))
    for x in (q, k):
        np.testing.assert_allclose(jnp.mean(jnp.square(x), axis=-1), jnp.ones(x.shape[:3]), rtol=1e-4)


def test_an_unknown_position_is_refused_where_nothing_checks_annotations():
    import jaxtyping

    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        unknown: Any = "sinusoidal"
        with pytest.raises(ValueError, match="position = 'sinusoidal'; known: rotary, linear"):
            Transformer(11, 16, 2, 1, lambda: mean, position=unknown, rngs=nnx.Rngs(0))
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiple of 2"):
        SelfAttention(18, 2, 1, first, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="groups = 3"):
        SelfAttention(16, 4, 3, first, rngs=nnx.Rngs(0))
