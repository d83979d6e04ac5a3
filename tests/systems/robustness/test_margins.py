"""Margins over balls and boxes against the exact answer for one linear layer; the worst cross-entropy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from actlab.systems.robustness import ball_margins, least, worst_cross_entropy
from actlab.systems.robustness.margins import box_margins

R = np.random.default_rng(1)
KERNEL, BIAS = jnp.asarray(R.normal(size=(5, 4)), jnp.float32), jnp.asarray(R.normal(size=4), jnp.float32)
Z, Y = jnp.asarray(R.normal(size=(6, 5)), jnp.float32), jnp.asarray(R.integers(0, 4, 6))


def differences(z) -> np.ndarray:
    logits = np.asarray(z, float) @ np.asarray(KERNEL, float) + np.asarray(BIAS, float)
    return logits[np.arange(6), np.asarray(Y)][:, None] - logits


def test_box_margins_are_those_of_the_worst_corner() -> None:
    radius = jnp.asarray(R.uniform(0, 0.3, (6, 5)), jnp.float32)
    corners = [differences(Z + radius * jnp.array(c)[None]) for c in itertools.product((-1.0, 1.0), repeat=5)]
    np.testing.assert_allclose(box_margins(KERNEL, BIAS, Z, radius, Y), np.min(corners, axis=0), atol=1e-5)


def test_ball_margins_are_attained_along_the_difference_of_weights() -> None:
    logits = Z @ KERNEL + BIAS[None]
    found = np.asarray(ball_margins(KERNEL, logits, Y, 0.2))
    for i, j in itertools.product(range(6), range(4)):
        way = np.asarray(KERNEL[:, Y[i]] - KERNEL[:, j], float)
        worst = Z[i] - 0.2 * way / max(np.linalg.norm(way), 1e-9)
        np.testing.assert_allclose(found[i, j], differences(jnp.broadcast_to(worst, (6, 5)))[i, j], atol=1e-5)
    grad = jax.grad(lambda k: jnp.sum(ball_margins(k, logits, Y, 0.2)))(KERNEL)
    assert jnp.all(jnp.isfinite(grad))


def test_equal_columns_have_no_distance_and_finite_gradients() -> None:
    kernel = jnp.ones((5, 4))
    value, grad = jax.value_and_grad(lambda k: jnp.sum(ball_margins(k, Z @ k, Y, 1.0)))(kernel)
    assert abs(float(value)) < 1e-4
    assert jnp.all(jnp.isfinite(grad))


def test_without_a_ball_it_is_the_cross_entropy() -> None:
    logits = Z @ KERNEL + BIAS[None]
    shares = np.exp(np.asarray(logits, float))
    shares /= shares.sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(6), np.asarray(Y)]).mean()
    margins = ball_margins(KERNEL, logits, Y, 0.0)
    np.testing.assert_allclose(worst_cross_entropy(margins, Y), expected, rtol=1e-5)
    runner_up = np.sort(np.delete(np.asarray(margins[0]), int(Y[0])))[0]
    np.testing.assert_allclose(least(margins, Y)[0], runner_up, rtol=1e-6)
    assert worst_cross_entropy(ball_margins(KERNEL, logits, Y, 0.5), Y) > expected
