"""Plasticity measures in closed form."""

import jax.numpy as jnp
import numpy as np

from actlab.systems.continual import (
    constant_share,
    dormant_share,
    effective_rank,
    flat_share,
    stable_rank,
    weight_norm,
)

X = jnp.linspace(-1.0, 1.0, 50)[:, None]


def test_a_unit_stuck_at_one_is_constant_and_flat_but_not_dormant_and_a_sine_is_neither():
    features = jnp.concatenate([jnp.tanh(X + 20), jnp.sin(3 * X), jnp.sin(3 * X + 50), 0 * X], 1)
    slopes = jnp.concatenate([1 - jnp.tanh(X + 20) ** 2, jnp.cos(3 * X), jnp.cos(3 * X + 50), 0 * X], 1)
    assert dormant_share(features) == 0.25
    assert constant_share(features) == 0.5
    assert flat_share(slopes) == 0.5
    assert dormant_share(0 * features) == constant_share(0 * features) == 1


def test_ranks_of_known_singular_values():
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 3)))
    two = jnp.asarray(turn * [2.0, 1.0, 0.0], jnp.float32)
    shares = np.array([2 / 3, 1 / 3])
    np.testing.assert_allclose(effective_rank(two), np.exp(-(shares * np.log(shares)).sum()), rtol=1e-4)
    np.testing.assert_allclose(stable_rank(two), 5 / 4, rtol=1e-5)
    batch = jnp.stack([two, jnp.zeros((6, 3)), jnp.asarray(turn, jnp.float32)])
    np.testing.assert_allclose(effective_rank(batch)[1:], [0, 3], rtol=1e-4)
    np.testing.assert_allclose(stable_rank(batch)[1:], [0, 3], rtol=1e-4)


def test_weight_norm_is_that_of_all_leaves():
    assert weight_norm({"a": jnp.array([[3.0]]), "b": (jnp.array([0.0, 4.0]), jnp.array(7))}) == 5
