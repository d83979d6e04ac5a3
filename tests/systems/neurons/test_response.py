"""Impedance against a measured one, doublets, rebound, and design by gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.neurons import (
    bifurcations,
    class_boundary,
    doublet_response,
    equilibria,
    fit_spikes,
    impedance,
    morris_lecar,
    rebound_response,
    spike_times,
    zap,
)
from actlab.systems.neurons.evaluation import SNIC_SET


@pytest.fixture(scope="module")
def cells():
    """An integrator and a resonator at rest, with the voltage of rest."""
    return [(n, float(equilibria(n, i)[0])) for n, i in ((morris_lecar(**SNIC_SET), 35.0), (morris_lecar(), 85.0))]


def test_the_impedance_that_is_measured(cells, float64):
    neuron, rest = cells[1]
    found = jax.jit(lambda v: zap(neuron, v, amplitude=0.02, duration=3000.0, step=0.1))(rest)
    exact = impedance(neuron, rest, found.frequencies)
    # The wings of a chirp's spectrum: 1 % of the largest impedance.
    np.testing.assert_allclose(found.impedance, exact, atol=0.01 * float(jnp.abs(exact).max()))


def test_integrator_and_resonator(cells, float64):
    frequencies = jnp.linspace(0.0, 60.0, 241)
    moduli = [np.asarray(jnp.abs(impedance(neuron, rest, frequencies))) for neuron, rest in cells]
    assert np.argmax(moduli[0]) == 0
    assert frequencies[int(np.argmax(moduli[1]))] == pytest.approx(12.0, abs=2.0)  # its Hopf point has 12.7 Hz
    resistance = 1 / jax.grad(cells[1][0].current)(cells[1][1])
    assert moduli[1][0] == pytest.approx(float(resistance), rel=1e-10)


def test_class_boundary(float64):
    def model(V3, V4):
        return morris_lecar(gCa=4.0, phi=0.067, V3=V3, V4=V4)

    def boundary(V4):
        found = class_boundary(lambda x: model(x, V4), 8.0, -25.0)
        return found.parameter, found.residual

    edge = jax.jit(jax.value_and_grad(boundary, has_aux=True))
    (parameter, residual), slope = edge(17.4)
    assert residual < 1e-10
    kinds = [min(bifurcations(model(float(parameter) + d, 17.4)), key=lambda b: b.voltage).kind for d in (-0.1, 0.1)]
    assert kinds == ["Hopf", "saddle-node"]
    step = 1e-4
    differences = (edge(17.4 + step)[0][0] - edge(17.4 - step)[0][0]) / (2 * step)
    assert slope == pytest.approx(float(differences), rel=1e-7)


@pytest.mark.exhaustive
def test_conductances_from_spike_times(float64):
    truth, start = jnp.asarray([4.4, 8.0]), jnp.asarray([-30.0, 0.05])

    def model(g):
        return morris_lecar(gCa=g[0], gK=g[1])

    times = spike_times(model(truth), 120.0, start, 4, duration=400.0, step=0.1)
    assert bool(jnp.all(jnp.diff(times) > 50.0))
    fit = jax.jit(lambda g: fit_spikes(model, times, 120.0, start, g, duration=420.0, step=0.1, iterations=15))(
        truth * jnp.asarray([1.05, 0.95])
    )
    assert fit.error < 1e-6
    np.testing.assert_allclose(fit.parameters, truth, rtol=1e-6)


@pytest.mark.exhaustive
def test_two_pulses_and_a_release(cells, float64):
    intervals = jnp.asarray([5.0, 20.0, 40.0, 80.0])
    integrator, resonator = (
        np.asarray(doublet_response(neuron, rest, intervals, height=4.0, width=2.0, after=50.0))
        for neuron, rest in cells
    )
    assert np.all(np.diff(integrator) < 0)
    assert resonator[3] > resonator[2]  # its period at rest is about 80 ms: half of it is the worst interval
    assert np.argmin(resonator) == 2
    weak = jnp.asarray([-1.0, -5.0])
    released = [np.asarray(rebound_response(neuron, rest, weak)) - rest for neuron, rest in cells]
    assert np.all(released[0] < 1e-3)  # back to rest from below
    assert np.all(released[1] > 0.05)  # beyond it
