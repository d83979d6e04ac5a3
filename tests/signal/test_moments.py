"""Gaussian moments against closed forms and mpmath, float64 not enabled."""

import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import QuadratureError, gain, layer_gains, moments
from actlab.signal.quadrature import trapezoid

TWO_PI = math.sqrt(2 * math.pi)
SIGMA = 1.7

# name: (activation, mean, deviation, E f, E f^2, E f'^2)
CLOSED = {
    "identity": (al.identity, 0.3, SIGMA, 0.3, 0.09 + SIGMA**2, 1.0),
    "relu": (al.relu, 0.0, SIGMA, SIGMA / TWO_PI, SIGMA**2 / 2, 0.5),
    "leaky relu": (
        al.leaky_relu.bind(negative_slope=0.2),
        0.0,
        1.0,
        0.8 / TWO_PI,
        (1 + 0.04) / 2,
        (1 + 0.04) / 2,
    ),
    # arcsine laws
    "erf": (
        jax.scipy.special.erf,
        0.0,
        1.0,
        0.0,
        2 / math.pi * math.asin(2 / 3),
        4 / math.pi / math.sqrt(1 + 4),
    ),
    "heaviside": (lambda x: jnp.where(x > 0, 1.0, 0.0) + 0 * x, 0.0, 1.0, 0.5, 0.5, 0.0),
    "square": (jnp.square, 0.0, SIGMA, SIGMA**2, 3 * SIGMA**4, 4 * SIGMA**2),
    "exp": (jnp.exp, 0.1, 0.5, math.exp(0.1 + 0.125), math.exp(0.2 + 0.5), math.exp(0.2 + 0.5)),
    "sin": (jnp.sin, 0.0, 1.0, 0.0, (1 - math.exp(-2)) / 2, (1 + math.exp(-2)) / 2),
    "fast sin": (lambda x: jnp.sin(40 * x), 0.0, 1.0, 0.0, 0.5, 800.0),
    # kinks that no facts tell of
    "unknown jump": (
        lambda x: jnp.where(x > 1 / 3, 1.0, 0.0) + 0 * x,
        0.0,
        1.0,
        *[0.5 * math.erfc(math.sqrt(1 / 18))] * 2,
        0.0,
    ),
    "unknown kink": (
        lambda x: jnp.maximum(x, 1 / 3),
        1 / 3,
        1.0,
        1 / 3 + 1 / TWO_PI,
        1 / 9 + 2 / 3 / TWO_PI + 0.5,
        0.5,
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name) -> None:
    f, mean, deviation, *expected = CLOSED[name]
    m = moments(al.activation(f), mean, deviation)
    np.testing.assert_allclose([m.first, m.second, m.slope_second], expected, rtol=1e-10, atol=1e-12)


def high_precision(f):
    density = lambda z: mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)  # noqa: E731
    points = [-30, -12, -6, -3, -1, 0, 1, 3, 6, 12, 30]
    slope = lambda z: mp.diff(f, z)  # noqa: E731
    return [
        float(mp.quad(lambda z, g=g: g(z) * density(z), points))
        for g in (f, lambda z: f(z) ** 2, lambda z: slope(z) ** 2)
    ]


@pytest.mark.parametrize(
    ("act", "f"),
    [
        (al.gelu, lambda z: z * mp.ncdf(z)),
        (al.swish.bind(beta=1.5), lambda z: z / (1 + mp.exp(-1.5 * z))),
        (al.tanh, mp.tanh),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_mpmath(act, f) -> None:
    with mp.workdps(20):
        expected = high_precision(f)
    m = moments(act)
    np.testing.assert_allclose([m.first, m.second, m.slope_second], expected, rtol=1e-10, atol=1e-11)


def test_float32_arithmetic_inside_is_reported_and_the_gain_still_serves() -> None:
    low = al.activation(lambda x: jnp.sin(3 * x.astype(jnp.float32)).astype(x.dtype))
    with pytest.raises(QuadratureError, match="relative error"):
        moments(low)
    np.testing.assert_allclose(gain(low), 1 / math.sqrt((1 - math.exp(-18)) / 2), rtol=1e-5)


def test_gain_preserves_variance() -> None:
    assert gain(al.relu) == pytest.approx(math.sqrt(2), rel=1e-13)
    assert gain(al.identity) == pytest.approx(1.0, rel=1e-13)


def test_inside_jit_concrete_parameters_still_give_float64() -> None:
    seen = []
    jax.jit(lambda x: (seen.append(gain(al.relu)), x)[1])(1.0)
    assert isinstance(seen[0], float)
    assert seen[0] == pytest.approx(math.sqrt(2), rel=1e-13)


def test_traced_parameters_agree_with_concrete_ones() -> None:
    slopes = jnp.array([0.05, 0.7])
    traced = jax.vmap(lambda s: moments(al.leaky_relu.bind(negative_slope=s), 0.2, 1.5))(slopes)
    for i, slope in enumerate((0.05, 0.7)):
        one = moments(al.leaky_relu.bind(negative_slope=slope), 0.2, 1.5)
        got = [traced.first[i], traced.second[i], traced.slope_second[i]]
        np.testing.assert_allclose(got, [one.first, one.second, one.slope_second], rtol=3e-6)


def test_a_parameter_for_each_channel_gives_moments_of_its_shape() -> None:
    slopes = np.array([0.0, 0.5, 1.0])
    m = moments(al.leaky_relu.bind(negative_slope=slopes))
    np.testing.assert_allclose(m.second, (1 + slopes**2) / 2, rtol=1e-12)
    assert gain(al.leaky_relu.bind(negative_slope=slopes)) == pytest.approx(1 / math.sqrt(np.mean((1 + slopes**2) / 2)))


@pytest.mark.parametrize("f", [lambda x: jnp.exp(x**2), lambda x: jnp.log(x)])
def test_no_finite_moments(f) -> None:
    with pytest.raises(QuadratureError, match="not finite"):
        moments(al.activation(f))


def test_nothing_to_preserve() -> None:
    with pytest.raises(ValueError, match="zero almost everywhere"):
        gain(al.activation(lambda x: 0 * x))


@pytest.mark.parametrize("deviation", [0.0, -1.0, math.inf, math.nan])
def test_bad_deviation(deviation) -> None:
    with pytest.raises(ValueError, match="deviation"):
        moments(al.relu, 0.0, deviation)


def test_gains_of_layers_are_the_activations_in_hidden_ones_alone() -> None:
    hidden = gain(al.tanh)
    assert layer_gains(al.tanh, 4, last=0.1) == [1, hidden, hidden, 0.1]
    assert layer_gains(al.tanh, 2) == [1, 1]
    assert layer_gains(al.tanh, 1, last=0.1) == [0.1]
    assert layer_gains(al.activation(lambda x: 0 * x), 2) == [1, 1]  # no hidden layer, no gain to be asked for


def test_the_trapezoid_has_the_gaussian_moments() -> None:
    t, w = trapezoid(721, 9.0)
    for power, moment in ((0, 1), (2, 1), (4, 3), (6, 15)):
        assert float(jnp.dot(w, t**power)) == pytest.approx(moment, rel=3e-6)
    assert float(jnp.dot(w, jnp.abs(t))) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-4)
