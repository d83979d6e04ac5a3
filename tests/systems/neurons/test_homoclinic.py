"""The homoclinic current against another integrator's and against the law of periods beside it."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from actlab.dynamics import CycleError
from actlab.systems.neurons import equilibria, homoclinic, morris_lecar

HOMOCLINIC = morris_lecar(gCa=4.0, phi=0.23, V3=12.0, V4=17.4)


@pytest.fixture(scope="module")
def found():
    return homoclinic(HOMOCLINIC, 30.0, 39.0)


def spikes(current: float, until: float = 800.0) -> np.ndarray:
    """When the orbit leaving the saddle spikes, in numpy, by DOP853."""

    def field(t, y):
        v, w = y
        half_open, rest = 0.5 * (1 + np.tanh((v + 1.2) / 18)), 0.5 * (1 + np.tanh((v - 12) / 17.4))
        ionic = 4 * half_open * (v - 120) + 8 * w * (v + 84) + 2 * (v + 60)
        return [(current - ionic) / 20, 0.23 * np.cosh((v - 12) / 34.8) * (rest - w)]

    saddle = equilibria(HOMOCLINIC, current)[1]
    start = np.array([saddle, 0.5 * (1 + np.tanh((saddle - 12) / 17.4))])
    steps = 1e-5 * np.eye(2)
    jacobian = np.stack([(np.array(field(0, start + h)) - field(0, start - h)) / 2e-5 for h in steps], axis=1)
    values, vectors = np.linalg.eig(jacobian)
    out = vectors[:, np.argmax(values)]

    def rises(t, y):
        return y[0] - saddle - 20

    rises.direction = 1
    run = solve_ivp(
        field, (0, until), start + 1e-5 * out / out[0], method="DOP853", rtol=1e-12, atol=1e-13, events=rises
    )
    return run.t_events[0]


def test_another_integrator_turns_within_1e_7(found) -> None:
    assert found.error < 1e-8
    assert len(spikes(found.current + 1e-7)) > 1
    assert len(spikes(found.current - 1e-7)) == 1


def test_longer_steps_err_as_said(found) -> None:
    rough = homoclinic(HOMOCLINIC, 30.0, 39.0, step=0.05)
    assert abs(rough.current - found.current) < 1.2 * rough.error


def test_the_order_of_the_two_currents_does_not_matter(found) -> None:
    assert homoclinic(HOMOCLINIC, 39.0, 30.0, tolerance=1e-3).current == pytest.approx(found.current, abs=1e-3)


def test_periods_grow_with_the_logarithm_of_the_distance(found) -> None:
    far, near = (np.diff(spikes(found.current + d, 2000.0))[-1] for d in (1e-3, 1e-4))
    assert near - far == pytest.approx(np.log(10) / found.unstable, rel=5e-3)
    assert found.saddle_quantity < 0  # and so the cycles are stable


def test_it_is_refused_where_there_is_none() -> None:
    with pytest.raises(CycleError, match="comes to rest at 30 uA/cm.2 and at 34"):
        homoclinic(HOMOCLINIC, 30.0, 34.0)
    with pytest.raises(CycleError, match="has 1 equilibria at 100"):
        homoclinic(HOMOCLINIC, 30.0, 100.0)
    nameless = dataclasses.replace(HOMOCLINIC, name="mine")
    with pytest.raises(CycleError, match="mine has 1 equilibria at -50"):
        homoclinic(nameless, -50.0, 39.0)
