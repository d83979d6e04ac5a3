"""Morris-Lecar against reference values of forty digits, onset laws, derivatives of its bifurcations, other curves."""

from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.neurons import (
    bifurcations,
    characteristic,
    classify,
    current_at,
    equilibria,
    firing_rate,
    morris_lecar,
    persistent_sodium_potassium,
)

SNIC: dict[str, Any] = {"gCa": 4.0, "phi": 0.067, "V3": 12.0, "V4": 17.4}
COEFFICIENT = 5.66195031
"""Hz per sqrt(uA/cm^2): 1000 sqrt(a b)/pi of the normal form at the saddle-node."""


@pytest.fixture(scope="module")
def onset():
    return bifurcations(morris_lecar(**SNIC))


def test_hopf_set():
    low, high = bifurcations(morris_lecar())
    assert {low.kind, high.kind} == {"Hopf"}
    assert low.current == pytest.approx(93.857618373725453, rel=1e-12)
    assert low.voltage == pytest.approx(-25.270104879582682, rel=1e-12)
    assert low.frequency == pytest.approx(12.6973470006, rel=1e-10)
    assert low.cubic == pytest.approx(1.3050547e-4, rel=1e-7)
    assert high.current == pytest.approx(212.01881610037437, rel=1e-12)
    assert high.voltage == pytest.approx(7.8006638669712015, rel=1e-12)
    assert high.frequency == pytest.approx(23.6507700282, rel=1e-10)
    assert high.cubic == pytest.approx(1.3628144e-4, rel=1e-7)
    assert low.subcritical
    assert high.subcritical


def test_snic_set(onset):
    fold, snic, hopf = onset
    assert [b.kind for b in onset] == ["saddle-node", "saddle-node", "Hopf"]
    assert fold.current == pytest.approx(-9.9490393226230648, rel=1e-12)
    assert snic.current == pytest.approx(39.963153092745353, rel=1e-12)
    assert snic.voltage == pytest.approx(-29.389777405484343, rel=1e-10)
    assert snic.cubic == pytest.approx(0.00521248170326, rel=1e-9)
    assert hopf.current == pytest.approx(97.646163921525908, rel=1e-12)
    assert hopf.frequency == pytest.approx(40.2261063898, rel=1e-10)
    assert hopf.subcritical


def test_equilibria_between_the_folds(onset):
    neuron = morris_lecar(**SNIC)
    fold, snic, _ = onset
    for current, count in ((fold.current - 1, 1), (20.0, 3), (snic.current + 1, 1)):
        found = equilibria(neuron, current)
        assert len(found) == count
        np.testing.assert_allclose([float(neuron.current(v)) for v in found], current, rtol=1e-4)


def test_characteristic_polynomial_is_that_of_the_jacobian(float64):
    neuron = persistent_sodium_potassium()
    for voltage in (-60.0, -35.0, 0.0):
        current = neuron.current(voltage)
        jacobian = jax.jacfwd(lambda y, c=current: neuron.field(c)(0.0, y))(neuron.state(voltage))
        expected = np.poly(np.asarray(jacobian))[1:]
        np.testing.assert_allclose(jnp.stack(characteristic(neuron)(voltage)), expected, rtol=1e-10)


def _mp_current(kind: str, near: float, g: Any, phi: Any) -> Any:
    """The current of a bifurcation in high precision, from the equations written out once more."""
    m, w = (lambda v, h=h, k=k: (1 + mpmath.tanh((v - h) / k)) / 2 for h, k in ((mpmath.mpf("-1.2"), 18), (12, 17.4)))

    def current(v: Any, open_share: Any) -> Any:
        return g * m(v) * (v - 120) + 8 * open_share * (v + 84) + 2 * (v + 60)

    def condition(v: Any) -> Any:
        if kind == "saddle-node":
            return mpmath.diff(lambda x: current(x, w(x)), v)
        held = w(v)
        own = mpmath.diff(lambda x: current(x, held), v)
        return -own / 20 - phi * mpmath.cosh((v - 12) / mpmath.mpf("34.8"))

    root = mpmath.findroot(condition, near)
    return current(root, w(root))


def test_derivatives_of_bifurcation_points_are_those_of_differences(onset, float64):
    with mpmath.workdps(40):
        g, phi, step = mpmath.mpf(4), mpmath.mpf(SNIC["phi"]), mpmath.mpf(10) ** -8
        differences = [
            [
                float(
                    (_mp_current(b.kind, b.voltage, g + a, phi + c) - _mp_current(b.kind, b.voltage, g - a, phi - c))
                    / (2 * step)
                )
                for a, c in ((step, 0), (0, step))
            ]
            for b in onset
        ]

    def currents(g: Any, phi: Any) -> Any:
        return jnp.stack([current_at(morris_lecar(**{**SNIC, "gCa": g, "phi": phi}), b) for b in onset])

    exact = jnp.stack(jax.jit(jax.jacfwd(currents, (0, 1)))(4.0, SNIC["phi"]), axis=1)
    np.testing.assert_allclose(exact, differences, rtol=1e-8, atol=1e-8)


def test_onset_law_and_periods(onset, float64):
    # Periods of an independent integrator (DOP853, 1e-12).
    neuron, snic = morris_lecar(**SNIC), onset[1]
    above = jnp.asarray([1.0, 10.0])
    start = neuron.state(-20.0).at[0].set(0.0)

    @jax.jit
    def rates(above):
        return jax.vmap(lambda d: firing_rate(neuron, snic.current + d, start, duration=1000.0, settle=400.0))(above)

    np.testing.assert_allclose(1e3 / rates(above), [199.008569198, 75.524086421], rtol=1e-6)
    law = rates(above) / (COEFFICIENT * jnp.sqrt(above))
    np.testing.assert_allclose(law, [0.887487, 0.739518], rtol=1e-5)
    second, begun = morris_lecar(), jnp.asarray([0.0, 0.2])
    found = jax.jit(lambda: firing_rate(second, 120.0, begun, duration=1500.0, settle=900.0))()
    assert 1e3 / float(found) == pytest.approx(73.488398022, rel=1e-6)


def test_classes(onset):
    first, second = classify(morris_lecar(**SNIC), duration=4000.0), classify(morris_lecar(), duration=4000.0)
    assert (first.kind, first.rate_below) == ("I", 0.0)
    assert first.rate_above == pytest.approx(0.986270 * COEFFICIENT * 0.1, rel=1e-3)
    assert second.kind == "II"
    assert second.rate_above > 7.0
    assert second.rate_below > 7.0  # firing and rest coexist: the cycle is older than the Hopf point


def test_the_class_follows_the_curve():
    # A steeper potassium gate, nothing else: rest ends in a saddle-node instead of a Hopf point.
    steep = morris_lecar(slow=al.boltzmann.bind(V_half=12.0, k=8.7), gCa=4.0, phi=0.067)
    first = min(bifurcations(steep), key=lambda b: b.voltage)
    assert first.kind == "saddle-node"
