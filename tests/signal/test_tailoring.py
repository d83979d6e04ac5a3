"""DKS and TAT against the constants published with the authors' implementation (dks, tests of the transformations)."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import TailoringError, dks, gain, moments, plain, residual, tat, tat_leaky_relu

RESNET = residual((3, 4, 23, 3), branch=3, shortcut_weight=0.6)

# input scale, input shift, output shift, output scale
DKS = {
    "softplus": (0.18761008168267976, 0.40688063442262007, -0.9213466151411376, 8.878672543665223),
    "tanh": (0.07461073057540868, 0.5566915199964182, -0.5034378768692127, 18.002635964442558),
    "gelu": (0.07043253126531114, 0.259489297927707, -0.15815378961903598, 20.21158902315857),
    "gelu_tanh": (0.07036271496383567, 0.2586837248593587, -0.15758328114374964, 20.249573305194307),
}
TAT = {
    "softplus": (0.15011489794748328, 0.5374599901127068, -0.996481014465811, 10.54880187880574),
    "tanh": (0.0580205218578313, 0.5218639804099805, -0.4796430704354356, 22.36066261763117),
}


def parameters(found):
    return found.input_scale, found.input_shift, found.output_shift, found.output_scale


@pytest.mark.parametrize("name", DKS)
def test_dks_reproduces_the_published_constants(name: str) -> None:
    found = dks(name, RESNET, slope=1.2)
    np.testing.assert_allclose(parameters(found), DKS[name], rtol=1e-6)
    m = moments(found.activation)  # the conditions themselves
    np.testing.assert_allclose([m.first, m.second], [0.0, 1.0], atol=1e-8)
    assert m.slope_second + m.value_curvature == pytest.approx(1.0, abs=1e-7)
    assert RESNET(1.0, lambda c: c * m.slope_second) == pytest.approx(1.2, abs=1e-6)


@pytest.mark.parametrize("name", TAT)
def test_tat_reproduces_the_published_constants(name: str) -> None:
    found = tat(name, RESNET, curvature=0.2)
    np.testing.assert_allclose(parameters(found), TAT[name], rtol=1e-6)
    m = moments(found.activation)
    np.testing.assert_allclose([m.second, m.slope_second, m.value_curvature], [1.0, 1.0, 0.0], atol=1e-7)


def test_tat_leaky_relu_reproduces_the_published_constants() -> None:
    found = tat_leaky_relu(RESNET, correlation=0.75)
    assert found.output_scale == pytest.approx(1.196996549778802, abs=1e-7)
    expected = al.affine(al.leaky_relu.bind(negative_slope=0.6291800290346146), scale=1.196996549778802)
    x = jnp.array([-2.0, -0.1, 0.3])
    np.testing.assert_allclose(found.activation(x), expected(x), rtol=1e-6)
    assert gain(found.activation) == pytest.approx(1.0, abs=1e-12)


def test_the_transformed_activation_computes_its_formula_and_keeps_its_facts() -> None:
    found = dks(al.softplus, plain(50), slope=1.5)
    x = np.linspace(-4, 4, 9)
    inner = np.logaddexp(0.0, found.input_scale * x + found.input_shift)
    with np.errstate(all="raise"):
        expected = found.output_scale * (inner + found.output_shift)
    np.testing.assert_allclose(found.activation(jnp.asarray(x, jnp.float32)), expected, atol=2e-5)
    assert found.activation.facts.slope.upper == pytest.approx(found.input_scale * found.output_scale)
    assert found.activation.facts.monotone == "strictly increasing"


def test_a_plain_chain_multiplies_slopes() -> None:
    assert plain(10)(1.0, lambda c: 1.1 * c) == pytest.approx(1.1**10)
    found = dks(al.tanh, plain(40), slope=1.5)
    assert moments(found.activation).slope_second ** 40 == pytest.approx(1.5, rel=1e-6)


def test_the_scale_returned_is_the_one_that_met_the_targets() -> None:
    """A Newton step far beyond the largest scale is cut to it, where this target happens to be met."""
    from actlab.signal.tailoring import _solved

    found = _solved(al.tanh, lambda scale, shift: ([scale - math.exp(5.0), shift], 0.0), "tested", math.inf)
    assert found.input_scale == math.exp(5.0)


def test_what_cannot_be_tailored_is_refused() -> None:
    with pytest.raises(ValueError, match="above 1"):
        dks(al.tanh, plain(10), slope=1.0)
    with pytest.raises(ValueError, match="positive"):
        tat(al.tanh, plain(10), curvature=0.0)
    with pytest.raises(ValueError, match="jumps"):
        tat(al.relu, plain(10))
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        tat_leaky_relu(plain(10), correlation=1.0)
    with pytest.raises(TailoringError, match="itself reaches"):
        tat_leaky_relu(plain(1), correlation=0.9)
    with pytest.raises(TailoringError, match="found no"):
        dks(al.identity, plain(10))
    assert math.isfinite(plain(0)(0.5, lambda c: c))
