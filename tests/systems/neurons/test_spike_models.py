"""Hodgkin-Huxley against reference values, Wang-Buzsaki, FitzHugh-Nagumo in closed form, the linoid's derivatives."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from actlab.systems.neurons import bifurcations, fitzhugh_nagumo, hodgkin_huxley, linoid, wang_buzsaki


def test_fitzhugh_nagumo_in_closed_form():
    a, b, epsilon = 0.7, 0.8, 0.08
    low, high = bifurcations(fitzhugh_nagumo(a=a, b=b, epsilon=epsilon))
    for point, sign in ((low, -1), (high, 1)):
        v = sign * np.sqrt(1 - epsilon * b)
        omega = np.sqrt(epsilon - (epsilon * b) ** 2)
        # r' = a r^3 by the formula of Guckenheimer & Holmes for a cubic and a quadratic term in v alone.
        cubic = -1 / 8 + v * v * epsilon * b / (4 * omega * omega)
        assert point.kind == "Hopf"
        assert point.voltage == pytest.approx(v, rel=1e-13)
        assert point.current == pytest.approx(v**3 / 3 - v + (v + a) / b, rel=1e-12)
        assert point.frequency == pytest.approx(1e3 * omega / (2 * np.pi), rel=1e-10)
        assert point.cubic == pytest.approx(cubic, rel=1e-9)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_linoid_and_its_derivatives(order, float64):
    x = np.array([-30.0, -5.0, -0.7500001, -0.7499999, -0.3, 0.0, 1e-3, 0.7499999, 0.7500001, 3.0, 30.0])
    with mpmath.workdps(40):
        exact = lambda t: t / (1 - mpmath.exp(-t)) if t else mpmath.mpf(1)  # noqa: E731
        points = [mpmath.mpf(float(v)) + (mpmath.mpf(10) ** -12 if v == 0 and order else 0) for v in x]
        expected = np.array([float(mpmath.diff(exact, v, order)) for v in points])
    f = linoid
    for _ in range(order):
        f = jax.grad(f)
    np.testing.assert_allclose(jax.vmap(f)(jnp.asarray(x)), expected, rtol=1e-12, atol=2e-13)
    assert np.isfinite(f(jnp.float32(-1e4)))


@pytest.mark.exhaustive
def test_hodgkin_huxley():
    low, high = bifurcations(hodgkin_huxley())
    assert (low.kind, high.kind) == ("Hopf", "Hopf")
    assert low.current == pytest.approx(9.77543799539, rel=1e-11)
    assert low.voltage == pytest.approx(-59.654143603, rel=1e-11)
    assert low.frequency == pytest.approx(93.302009, rel=1e-8)
    assert high.current == pytest.approx(154.52243366581, rel=1e-12)
    assert high.voltage == pytest.approx(-43.058092012984, rel=1e-12)
    assert high.frequency == pytest.approx(169.1692597, rel=1e-8)
    assert low.subcritical
    assert not high.subcritical


@pytest.mark.exhaustive
def test_wang_buzsaki_starts_at_a_saddle_node():
    first = min(bifurcations(wang_buzsaki()), key=lambda b: b.voltage)
    assert first.kind == "saddle-node"
    assert first.current == pytest.approx(0.160086, abs=1e-6)


def test_equilibrium_of_hodgkin_huxley(float64):
    # The textbook's rates, by hand, at a voltage at which none is 0/0.
    neuron, v = hodgkin_huxley(), -60.0
    rates = {
        "m": (0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)), 4 * np.exp(-(v + 65) / 18)),
        "h": (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        "n": (0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)),
    }
    m, h, n = (opening / (opening + closing) for opening, closing in rates.values())
    np.testing.assert_allclose(jnp.stack(neuron.at_rest(v)), [m, h, n], rtol=1e-12)
    np.testing.assert_allclose([g.rate(v) for g in neuron.gates], [a + b for a, b in rates.values()], rtol=1e-12)
    expected = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
    assert neuron.current(v) == pytest.approx(expected, rel=1e-12)
    assert np.isfinite(neuron.current(-40.0))
    assert np.isfinite(neuron.current(-55.0))
