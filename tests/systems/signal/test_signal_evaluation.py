"""The evaluation of signal propagation, its plain net, and what it refuses."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import FactError
from actlab.systems import load
from actlab.systems.signal import PlainNet, Recipe
from actlab.systems.signal.evaluation import Settings, evaluate, recommended

SMALL = Settings(width=60, layers=5, depth=3, recipe=Recipe(width=24, steps=60, learning_rate=3e-3))


def test_the_plain_net_is_its_formula_and_keeps_the_variance_at_criticality() -> None:
    net = PlainNet(6, 400, 4, 3, al.tanh, 1.76, 0.05, key=jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (5, 6))
    h = x @ net.first[...] + net.biases[...][:1]
    for kernel, bias in zip(net.hidden[...], net.biases[...][1:], strict=True):
        h = jnp.tanh(h) @ kernel + bias[None]
    np.testing.assert_allclose(net(x), jnp.tanh(h) @ net.last[...], rtol=2e-4, atol=1e-5)
    assert float(jnp.var(net.hidden[...])) == pytest.approx(1.76 / 400, rel=0.01)
    assert float(jnp.var(net.biases[...])) == pytest.approx(0.05, rel=0.15)
    assert float(jnp.mean(h**2)) == pytest.approx(0.57, rel=0.25)  # the fixed point of the variance
    with pytest.raises(ValueError, match="positive"):
        PlainNet(6, 8, 0, 3, al.tanh, 1.0, 0.0, key=jax.random.key(0))


def test_the_standard_test() -> None:
    """Of relu, whose gain is its critical point, so that one net is trained."""
    found = evaluate(al.relu, (0, 1, 2), SMALL)
    values = {m.name: m for m in found.measurements}
    assert values["critical weight variance"].mean == pytest.approx(2.0, abs=1e-12)
    assert values["gain"].mean == pytest.approx(math.sqrt(2), abs=1e-12)
    assert found.measurements[0].name == "training accuracy, 3 layers, gain initialization"
    assert found.measurements[0].mean > 50
    predicted = values["log factor of squared gradients per layer, predicted"].mean
    measured = values["log factor of squared gradients per layer, measured"]
    assert predicted == pytest.approx(0.0, abs=1e-12)
    assert abs(measured.mean) < max(0.1, 4 * measured.values.std(ddof=1) / math.sqrt(3))
    measured_curve, predicted_curve = found.curves
    np.testing.assert_allclose(predicted_curve.values, 1.0, rtol=1e-12)
    assert np.log(measured_curve.values[:, -1]).mean() / SMALL.layers == pytest.approx(measured.mean, rel=1e-5)


def test_an_unstable_critical_point_is_not_recommended() -> None:
    point, note = recommended(al.gelu)
    assert point is None
    assert "unstable" in note
    point, note = recommended(al.tanh)
    assert point is not None
    assert point.weight_variance == pytest.approx(1.76095464, rel=1e-8)
    assert "stable, V'(q) = 0.518" in note


def test_what_has_no_gradient_is_refused() -> None:
    with pytest.raises(FactError, match="jumps"):
        evaluate(al.heaviside, (0,), SMALL)
    with pytest.raises(FactError, match="no gradient"):
        evaluate(al.activation(lambda x: jnp.floor(x) + 0 * x, name="stairs"), (0,), SMALL)


def test_it_is_registered() -> None:
    assert load("signal").evaluate is evaluate
