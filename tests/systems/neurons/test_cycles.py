"""Cycles of Morris-Lecar: folds and periods of an independent integrator, circles and loops, the phase response."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.dynamics import CycleError, flow
from actlab.systems.neurons import (
    bifurcations,
    cycle_at,
    cycle_branch,
    morris_lecar,
    on_invariant_circle,
    phase_response,
)
from actlab.systems.neurons.evaluation import SNIC_SET

STEPS = 2048


@pytest.fixture(scope="module")
def branches():
    """Down to the canard, and up through the other fold."""
    neuron = morris_lecar()
    low = cycle_branch(neuron, 100.0, direction=-1.0, steps=STEPS, points=40)
    return low, cycle_branch(neuron, 200.0, direction=1.0, steps=STEPS, points=40)


@pytest.mark.exhaustive
def test_folds_of_cycles(branches):
    low, high = (branch.folds[0] for branch in branches)
    assert low.parameter == pytest.approx(88.2932505, rel=1e-9)
    assert low.period == pytest.approx(135.386, rel=1e-5)
    assert high.parameter == pytest.approx(216.8998014, rel=1e-9)
    assert high.period == pytest.approx(77.9290518, rel=1e-7)
    for fold in (low, high):
        np.testing.assert_allclose(fold.multipliers, 1.0, atol=1e-4)


def test_stability_changes_at_the_fold(branches):
    for branch in branches:
        turn = int(np.argmin(branch.currents) if branch is branches[0] else np.argmax(branch.currents))
        assert all(c.stable for c in branch.cycles[: turn - 1])
        assert not any(c.stable for c in branch.cycles[turn + 2 :])


def test_periods_of_an_independent_integrator():
    for current, period in ((120.0, 73.488398022), (180.0, 64.027198437)):
        assert cycle_at(morris_lecar(), current, steps=STEPS).period == pytest.approx(period, rel=2e-10)


def test_saddle_node_on_a_circle_or_not():
    for phi, circle in ((0.067, True), (0.23, False)):
        neuron = morris_lecar(**{**SNIC_SET, "phi": phi})
        snic = min(bifurcations(neuron), key=lambda b: b.voltage)
        assert on_invariant_circle(neuron, snic) is circle


def test_phase_response():
    neuron = morris_lecar(**SNIC_SET)
    cycle = cycle_at(neuron, 45.0, steps=STEPS)
    found = phase_response(neuron, cycle, steps=STEPS)
    assert found.drift < 1e-8
    assert found.delaying < 0.05  # class I: every kick brings the next spike forward
    with jax.enable_x64(True):
        field, kick = neuron.field(45.0), 1e-4
        for k in (300, 1000, 1500):
            left = (STEPS - k) * cycle.period / STEPS + 3 * cycle.period
            kicked = jnp.asarray(found.states[k]).at[0].add(kick)
            moved = flow(field, kicked, left, 4 * STEPS - k) - jnp.asarray(cycle.state)
            speed = field(0.0, jnp.asarray(cycle.state))
            direct = float(jnp.vdot(speed, moved) / jnp.vdot(speed, speed)) / kick
            assert direct == pytest.approx(found.advance[k, 0], rel=1e-4, abs=1e-5)
    second = morris_lecar()
    assert phase_response(second, cycle_at(second, 95.0, steps=STEPS), steps=STEPS).delaying > 0.1


def test_refusals():
    with pytest.raises(CycleError, match="does not fire at 20 uA"):
        cycle_at(morris_lecar(), 20.0)
    hopf = bifurcations(morris_lecar())[0]
    with pytest.raises(CycleError, match="needs a saddle-node"):
        on_invariant_circle(morris_lecar(), hopf)
