"""The checks pass every surrogate of ours, and find each planted fault."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.spiking import SHAPES, surrogate
from actlab.systems.spiking.conformance import conformance


def test_ours_conform():
    for name in SHAPES:
        s = surrogate(name, 8.0)
        run = jax.jit(s.evaluate)
        found = conformance(name, lambda u, run=run: np.asarray(run(jnp.asarray(u))))
        assert found.faults == ()
        assert found.peak == pytest.approx(s.shape_facts.peak, rel=1e-5)
        if name != "straight_through":
            assert found.area == pytest.approx(s.shape_facts.area, rel=2e-2)


@pytest.mark.parametrize(
    ("slopes", "fault"),
    [
        # 25 e^(-25u)/(1 + e^(-25u))^2 in float32, the formula that overflows.
        (lambda u: 25 * np.exp(-25 * u) / (1 + np.exp(-25 * u)) ** 2, "not finite"),
        (lambda u: np.where(u > 0, -1.0, 1.0), "negative: -1"),
        (lambda u: 25 * np.exp(-np.abs(u - 1)), "where h(0) is 9.2"),
        (lambda u: (u > 1) / (1 + 25 * np.abs(u)) ** 2, "not even"),
        (lambda u: 1 / 0, "raises ZeroDivisionError"),
        (lambda u: 1 + np.abs(u) * (np.abs(u) < 1), "does not fall"),
    ],
)
def test_planted_faults_are_found(slopes, fault):
    with np.errstate(all="ignore"):
        assert any(fault in f for f in conformance("planted", slopes).faults)
