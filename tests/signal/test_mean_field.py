"""Mean-field maps, critical points and their stability, self-normalization: published and closed-form values."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import (
    NoCriticalPointError,
    NoFixedPointError,
    NotNormalizingError,
    critical_point,
    critical_points,
    fixed_point,
    jacobian_spread,
    moments,
    normalizing_point,
    self_normalizing,
    susceptibility,
    variance_map,
    variance_slope,
)

# bias variance: q, weight variance, slope of the variance map (solved independently, with numpy)
TABLE = {
    "tanh": {
        0.01: (0.273300913, 1.42420529, 0.678),
        0.05: (0.570047882, 1.76095464, 0.518),
        0.1: (0.805799182, 1.98607264, 0.439),
        0.2: (1.16449629, 2.28515247, 0.359),
    },
    "gelu": {
        0.01: (0.183483193, 2.98279937, 1.098),
        0.05: (0.722035767, 2.30251951, 1.085),
        0.1: (1.63242611, 2.07667619, 1.037),
        0.2: (4.47095031, 1.97067181, 0.993),
    },
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_critical_points(name: str) -> None:
    for bias_variance, (q, weights, slope) in TABLE[name].items():
        point = critical_point(al.as_activation(name), bias_variance)
        np.testing.assert_allclose([point.q, point.weight_variance], [q, weights], rtol=5e-9)
        assert point.slope == pytest.approx(slope, abs=6e-4)
        assert point.stable == (slope < 1)
        assert point.chi == pytest.approx(1.0, abs=1e-13)
        assert variance_map(al.as_activation(name), point.q, point.weight_variance, bias_variance) == pytest.approx(
            point.q, rel=1e-11
        )


@pytest.mark.parametrize("f", [al.gelu, al.swish, al.mish], ids=repr)
def test_the_smooth_rectifiers_are_critical_only_where_the_variance_runs_away(f) -> None:
    for bias_variance in (0.0, 0.01, 0.05):
        point = critical_point(f, bias_variance)
        assert point.stability == "unstable"
        assert "leaves it" in str(point)
    point = critical_point(f, 0.05)
    below = fixed_point(f, point.weight_variance, 0.05, start=0.99 * point.q)
    assert below.q < 0.7 * point.q  # a start one per cent below ends somewhere else, where gradients vanish
    assert below.chi < 0.95


def test_small_signal_limits() -> None:
    for f, weights in (
        (al.tanh, 1.0),
        (al.erf, math.pi / 4),
        (al.selu, 2 / (1.0507009873554805**2 * (1 + 1.6732632423543772**2))),
    ):
        point = critical_points(f, 0.0)[0]
        assert (point.q, point.stability) == (0.0, "marginal")
        assert point.weight_variance == pytest.approx(weights, rel=1e-6)
    assert critical_points(al.square) == ()


def test_rectifiers_are_critical_at_any_variance() -> None:
    for f, weights in ((al.relu, 2.0), (al.leaky_relu.bind(negative_slope=0.3), 2 / 1.09)):
        (point,) = critical_points(f)
        assert point.any_scale
        assert point.stability == "marginal"
        assert point.weight_variance == pytest.approx(weights, rel=1e-13)
        assert fixed_point(f, weights, start=3.7).q == 3.7
    assert critical_points(al.relu, 0.1) == ()


def test_what_has_no_use_or_no_critical_point_says_so() -> None:
    point = critical_point(al.sigmoid, 0.05)
    assert point.weight_variance == pytest.approx(103.1, abs=0.1)
    assert "useless in practice" in str(point)
    for bias_variance in (0.0, 0.1, 0.3):
        with pytest.raises(NoCriticalPointError, match="softplus"):
            critical_point(al.softplus, bias_variance)
    with pytest.raises(ValueError, match="jumps"):
        critical_point(al.heaviside, 0.1)
    with pytest.raises(ValueError, match="not negative"):
        critical_point(al.tanh, -0.1)


def test_the_mass_of_a_jump_of_the_slope_counts() -> None:
    """relu + 1: E[f f''] is the density at 0, as f'' is a unit mass there; and V' is the derivative of V."""
    for variance in (0.3, 1.0, 4.0):
        m = moments(al.affine(al.relu, shift=1.0), 0.0, math.sqrt(variance))
        assert m.value_curvature == pytest.approx(1 / math.sqrt(2 * math.pi * variance), rel=1e-12)
    for f in (al.gelu, al.hard_tanh, al.elu, al.affine(al.leaky_relu, input_shift=0.4)):
        h = 1e-4
        rise = (variance_map(f, 0.7 + h, 1.3) - variance_map(f, 0.7 - h, 1.3)) / (2 * h)
        assert variance_slope(f, 0.7, 1.3) == pytest.approx(rise, rel=1e-6)


def test_the_maps_inside_jit_and_their_derivatives() -> None:
    q = jnp.array([0.3, 1.2])
    slope = jax.jit(jax.vmap(jax.grad(lambda q: variance_map(al.tanh, q, 1.5, 0.1))))(q)
    chi = jax.jit(jax.vmap(lambda q: susceptibility(al.tanh, q, 1.5)))(q)
    np.testing.assert_allclose(slope, [variance_slope(al.tanh, v, 1.5) for v in (0.3, 1.2)], rtol=1e-4)
    np.testing.assert_allclose(chi, [susceptibility(al.tanh, v, 1.5) for v in (0.3, 1.2)], rtol=1e-5)


def test_fixed_points_of_order_and_chaos() -> None:
    ordered = fixed_point(al.erf, 0.5, 0.05)
    assert ordered.correlation == 1.0
    assert ordered.correlation_depth == ordered.gradient_depth == pytest.approx(-1 / math.log(ordered.chi))
    chaotic = fixed_point(al.erf, 4.0, 0.05)
    q, c = chaotic.q, chaotic.correlation  # the arcsine law, solved for by hand
    arcsine = lambda s: 2 / math.pi * math.asin(2 * s / (1 + 2 * q))  # noqa: E731
    assert 4.0 * arcsine(q) + 0.05 == pytest.approx(q, rel=1e-12)
    assert 4.0 * arcsine(q * c) + 0.05 == pytest.approx(q * c, rel=1e-10)
    slope = 4.0 * 4 / math.pi / math.sqrt((1 + 2 * q) ** 2 - 4 * (q * c) ** 2)
    assert chaotic.correlation_slope == pytest.approx(slope, rel=1e-10)
    assert chaotic.stability == "stable"
    assert chaotic.variance_depth == pytest.approx(-1 / math.log(variance_slope(al.erf, q, 4.0)))
    assert chaotic.gradient_depth > 0
    assert fixed_point(al.relu, 2.0).gradient_depth == math.inf


def test_what_does_not_settle_says_so() -> None:
    with pytest.raises(NoFixedPointError, match="without bound"):
        fixed_point(al.relu, 2.5, 0.1)
    with pytest.raises(NoFixedPointError, match="above 0"):
        fixed_point(al.relu, 1.0)
    with pytest.raises(NoFixedPointError, match="has not settled after 2 layers"):
        fixed_point(al.tanh, 4.0, 0.1, layers=2)
    with pytest.raises(ValueError, match="weight_variance = -1"):
        fixed_point(al.tanh, -1.0)


def test_selu_is_self_normalizing_with_the_published_jacobian() -> None:
    point = normalizing_point(al.selu, start=(0.3, 1.4))
    np.testing.assert_allclose([point.mean, point.variance], [0.0, 1.0], atol=1e-8)
    np.testing.assert_allclose(point.jacobian, [[0.0, 0.088834], [0.0, 0.782648]], atol=2e-6)  # Klambauer et al., eq. 7
    assert point.attracting


def test_any_activation_is_made_self_normalizing_and_told_whether_it_attracts() -> None:
    for f, scale, attracting in ((al.tanh, 1.0, True), (al.elu, 1.0, True), (al.gelu, 1.0, False)):
        normal = self_normalizing(f, input_scale=scale)
        m = moments(normal)
        np.testing.assert_allclose([m.first, m.second], [0.0, 1.0], atol=1e-12)
        point = normalizing_point(normal)
        assert point.attracting == attracting
        assert point.jacobian[1, 1] == pytest.approx(m.slope_second + m.value_curvature, abs=1e-6)
    with pytest.raises(NotNormalizingError, match="do not settle"):
        normalizing_point(al.softplus, weight_sum=1.0, weight_square_sum=3.0)
    with pytest.raises(ValueError, match="constant"):
        self_normalizing(al.activation(lambda x: 0 * x + 2.0))


def test_dynamical_isometry() -> None:
    """Pennington et al. 2017: a line is an isometry under orthogonal weights; ReLU never; hard tanh for small q."""
    assert jacobian_spread(al.identity, 1.0, 20, orthogonal=True) == pytest.approx(0.0, abs=1e-10)
    assert jacobian_spread(al.identity, 1.0, 20, orthogonal=False) == pytest.approx(20.0)
    assert jacobian_spread(al.relu, 0.5, 20, orthogonal=True) == pytest.approx(20.0)
    p = math.erf(1 / math.sqrt(2 * 0.1))
    assert jacobian_spread(al.hard_tanh, 0.1, 20, orthogonal=True) == pytest.approx(20 * (1 / p - 1), rel=1e-9)
