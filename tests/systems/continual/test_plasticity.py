"""Plasticity measures and the slopes that foretell them, in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

import actlab.activations as al
from actlab.systems.continual import (
    constant_share,
    dormant_share,
    flat_share,
    weight_norm,
)
from actlab.systems.continual.predictor import BUILT_ON, DEVIATION, FLOOR, TESTED_ON, Slopes, foretold_error, slopes

X = jnp.linspace(-1.0, 1.0, 50)[:, None]


def test_a_unit_stuck_at_one_is_constant_and_flat_but_not_dormant_and_a_sine_is_neither():
    features = jnp.concatenate([jnp.tanh(X + 20), jnp.sin(3 * X), jnp.sin(3 * X + 50), 0 * X], 1)
    slopes = jnp.concatenate([1 - jnp.tanh(X + 20) ** 2, jnp.cos(3 * X), jnp.cos(3 * X + 50), 0 * X], 1)
    assert dormant_share(features) == 0.25
    assert constant_share(features) == 0.5
    assert flat_share(slopes) == 0.5
    assert dormant_share(0 * features) == constant_share(0 * features) == 1


def test_weight_norm_is_that_of_all_leaves():
    assert weight_norm({"a": jnp.array([[3.0]]), "b": (jnp.array([0.0, 4.0]), jnp.array(7))}) == 5


def test_slopes_in_closed_form_and_of_no_scale():
    assert slopes("absolute") == slopes("identity") == Slopes(0.0, 0.0, False)
    np.testing.assert_allclose(slopes("relu").flatness, -np.log(FLOOR), rtol=1e-6)
    slow = al.leaky_relu(negative_slope=0.5)
    np.testing.assert_allclose(slopes(slow).flatness, np.log(np.sqrt(1.25 / 2) / 0.5), rtol=1e-4)
    np.testing.assert_allclose(slopes(al.affine(slow, scale=7.0)).flatness, slopes(slow).flatness, atol=1e-6)
    median = float(DEVIATION * norm.ppf(0.75))  # of |z|: beyond it the tent falls as steeply as it rose
    tent = slopes(lambda x: jnp.abs(x) - 2 * jax.nn.relu(jnp.abs(x) - median))
    np.testing.assert_allclose((tent.flatness, tent.turning), (0, 1), atol=1e-2)
    assert foretold_error("gcu") == np.inf
    together = sorted({*BUILT_ON, *TESTED_ON})
    assert list(BUILT_ON) == together[0::2]
    assert list(TESTED_ON) == together[1::2]
    with pytest.raises(al.FactError, match="root mean square of its slope is 0"):
        slopes("heaviside")
