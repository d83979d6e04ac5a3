"""The reference network against two independent tools: intervals to 1e-6, linear bounds no wider."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_net import box, model, traced, weights

from actlab.bounds import interval_bounds, linear_bounds, lipschitz_bound, optimized_linear_bounds, spectral_norm

pytestmark = pytest.mark.usefixtures("float64")
INTERVALS = {
    "relu": ([-0.465780, -0.295937, -0.540850], [0.350085, 0.672603, 0.145105]),
    "tanh": ([-1.207047, -1.172828, -1.021596], [0.712400, 0.543708, 0.503099]),
}
LINEAR = {"relu": 0.085408, "tanh": 0.145161}
OPTIMIZED = {"relu": 0.083097, "tanh": 0.128206}


@pytest.mark.parametrize("name", INTERVALS)
def test_intervals(name):
    found = interval_bounds(traced(name), box())
    np.testing.assert_allclose(found.lower, INTERVALS[name][0], atol=1e-6)
    np.testing.assert_allclose(found.upper, INTERVALS[name][1], atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_bounds(name):
    assert linear_bounds(traced(name), box()).width.mean() <= 1.02 * LINEAR[name]


def test_one_backward_pass_over_intervals():
    found = linear_bounds(traced("relu"), box(), intermediate="interval")
    np.testing.assert_allclose(found.lower, [-0.150393, 0.098723, -0.266614], atol=1e-6)
    np.testing.assert_allclose(found.upper, [0.061987, 0.278890, -0.118523], atol=1e-6)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.exhaustive) if n == "tanh" else n for n in OPTIMIZED]
)
def test_optimized_slopes(name):
    found = jax.jit(lambda b: optimized_linear_bounds(traced(name), b))(box())
    assert found.width.mean() <= 1.01 * OPTIMIZED[name]


@pytest.mark.parametrize("name", ["gelu", "elu", "mish", "softplus", "hard_tanh", "softsign"])
def test_width_beside_the_sampled_one(name):
    points = weights()[1] + np.random.default_rng(1).uniform(-0.1, 0.1, (20_000, 4))
    y = model(name)(jnp.asarray(points))
    found = linear_bounds(traced(name), box())
    assert np.all((found.lower <= y.min(0)) & (y.max(0) <= found.upper))
    assert found.width.mean() <= 1.6 * (y.max(0) - y.min(0)).mean()


def test_global_constants():
    norms = [float(spectral_norm(w)) for w, _ in weights()[0]]
    np.testing.assert_allclose(norms, [2.42324147, 1.79078558, 0.95551280], atol=1e-8)
    np.testing.assert_allclose(lipschitz_bound(traced("relu")), 4.14645339, atol=1e-8)
    np.testing.assert_allclose(lipschitz_bound(traced("sigmoid")), 0.25915334, atol=1e-8)
