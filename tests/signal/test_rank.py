"""Ranks of matrices whose singular values are known, at any scale."""

import jax.numpy as jnp
import numpy as np
import pytest

from actlab.signal import effective_rank, stable_rank

TURN, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 3)))
TWO = TURN * [2.0, 1.0, 0.0]


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_ranks_of_known_singular_values(scale):
    shares = np.array([2 / 3, 1 / 3])
    batch = jnp.asarray(np.stack([TWO, 0 * TWO, TURN, np.outer(TURN[:, 0], [1.0, -2.0, 3.0])]) * scale, jnp.float32)
    effective = [np.exp(-(shares * np.log(shares)).sum()), 0, 3, 1]
    np.testing.assert_allclose(effective_rank(batch), effective, rtol=1e-4)
    np.testing.assert_allclose(stable_rank(batch), [5 / 4, 0, 3, 1], rtol=1e-4)


def test_what_is_not_a_number_has_no_rank():
    broken = jnp.asarray(TWO, jnp.float32).at[0, 0].set(jnp.nan)
    assert np.isnan(effective_rank(broken))
    assert np.isnan(stable_rank(broken))
