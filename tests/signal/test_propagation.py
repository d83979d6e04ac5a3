"""Gradients in random nets of width 400 against chi_1, layer by layer."""

import math

import jax
import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import critical_point, gradient_growth, predicted_gradient_growth

BIAS = {"relu": 0.0}


def misses(f, scale: float, key: int, nets: int = 6, depth: int = 30) -> tuple[float, float]:
    """Measured less predicted log factor per layer, and its standard error, at `scale` times the critical weights."""
    bias = BIAS.get(f.name, 0.05)
    point = critical_point(f, bias)
    weights = scale * point.weight_variance
    values = np.asarray(
        gradient_growth(jax.random.key(key), f, weights, bias, start=point.q, nets=nets, depth=depth).gradient
    )
    predicted = predicted_gradient_growth(f, weights, bias, start=point.q, depth=depth)
    return float(values.mean()) - predicted, float(values.std(ddof=1)) / math.sqrt(nets)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "erf", "elu", "selu", "gelu", "swish", "mish", "relu"])
def test_the_gradient_norm_grows_as_predicted(name: str) -> None:
    for scale in (1.0, 0.8):
        missed, error = misses(al.as_activation(name), scale, key=7)
        assert abs(missed) <= max(0.015, 3 * error), (name, scale, missed, error)


def test_the_variance_settles_at_the_predicted_fixed_point() -> None:
    point = critical_point(al.tanh, 0.05)
    grown = gradient_growth(
        jax.random.key(1), al.tanh, point.weight_variance, 0.05, start=2.0, width=200, depth=20, nets=8
    )
    assert np.mean(np.asarray(grown.variance)) == pytest.approx(point.q, rel=0.1)
