"""Trainable depths: closed forms where the slope's moment is constant, and the fixed point's depth scales."""

import math

import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import (
    QuadratureError,
    correlation_bound,
    fixed_point,
    gradient_path,
    predicted_gradient_growth,
    susceptibility,
    trainable_depth,
    variance_map,
)


def test_relu_loses_log_of_half_the_weight_variance_in_each_layer() -> None:
    variances = np.array([1.2, 1.9, 2.0, 3.0])
    path = gradient_path(al.relu, variances, 0.0, start=1.0, depth=20)
    layers = np.arange(1, 21)
    np.testing.assert_allclose(path.growth, np.log(variances / 2)[:, None] * layers, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(path.variance, (variances / 2)[:, None] ** (layers - 1), rtol=1e-12)
    depths = trainable_depth(al.relu, variances)
    np.testing.assert_allclose(depths[[0, 1, 3]], 6 / np.abs(np.log(variances[[0, 1, 3]] / 2)), rtol=1e-9)
    assert depths[2] == math.inf


def test_the_path_is_that_of_the_maps() -> None:
    q, total = 0.9, 0.0
    path = gradient_path(al.gelu, 2.1, 0.05, start=0.9, depth=12)
    for layer in range(12):
        assert path.variance[layer] == pytest.approx(q, rel=1e-10)
        total += math.log(susceptibility(al.gelu, q, 2.1))
        assert path.growth[layer] == pytest.approx(total, rel=1e-9)
        q = variance_map(al.gelu, q, 2.1, 0.05)


def test_once_settled_the_bound_is_six_depth_scales() -> None:
    """Started at its fixed point an ordered net has one depth scale for gradient and correlation."""
    point = fixed_point(al.tanh, 1.2, 0.05)
    assert trainable_depth(al.tanh, 1.2, 0.05, start=point.q) == pytest.approx(6 * point.gradient_depth, rel=1e-9)
    assert correlation_bound(al.tanh, 1.2, 0.05) == pytest.approx(6 * point.correlation_depth, rel=1e-9)
    assert trainable_depth(al.tanh, 1.2, 0.05, start=point.q, folds=3.0) == pytest.approx(3 * point.gradient_depth)
    assert math.isnan(correlation_bound(al.relu, 1.5))  # the variance vanishes: no fixed point above 0


def test_what_leaves_float64_is_no_depth_to_train_at() -> None:
    path = gradient_path(al.square, 8.0, 0.0, start=1.0, depth=30)
    assert np.isnan(path.growth[-1])
    assert trainable_depth(al.square, 8.0) < 5
    with pytest.raises(QuadratureError, match="leaves float64"):
        predicted_gradient_growth(al.square, 8.0, 0.0, start=1.0, depth=30)
    with pytest.raises(ValueError, match="weight_variance = -1"):
        gradient_path(al.tanh, -1.0, 0.0, start=1.0, depth=3)
    with pytest.raises(ValueError, match="depth = 0"):
        gradient_path(al.tanh, 1.0, 0.0, start=1.0, depth=0)
