"""The standard test in small: tanh is the sigmoid's surrogate, what makes none is refused with what is missing."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import actlab.activations as al
from actlab import systems
from actlab.systems.spiking import Recipe, surrogate, surrogate_of
from actlab.systems.spiking.contest import Task
from actlab.systems.spiking.evaluation import HEADLINE, Settings, evaluate, references

TINY = Settings(Task(classes=2, units=40, samples=100, times=30, recipe=Recipe((32,), 100, 16, 2e-2)), (1.0, 10.0), 30)


def test_what_is_measured_of_tanh():
    found = evaluate("tanh", (0, 1), TINY)
    by_name = {m.name: m for m in found.measurements}
    assert found.measurements[0].name == HEADLINE
    assert found.measurements[0].mean > 65  # of two classes that counts cannot tell apart
    assert all(np.all(np.isfinite(m.values)) and m.seeds == (0, 1) for m in found.measurements)
    assert by_name["beta at which an attached reset can amplify"].mean == pytest.approx(4 * (1 + 0.95), rel=1e-5)
    growth = by_name["growth of the gradient over 30 steps, attached, steepest, log10"]
    assert growth.mean <= 30 * by_name["bound of a step's growth, attached, steepest, log10"].mean
    assert [c.name.split(",")[-1] for c in found.curves[:2]] == [" detached reset", " attached reset"]
    assert systems.load("spiking").name == "spiking"
    assert abs(references((0, 1), TINY).measurements[0].mean - 50) < 20


@pytest.mark.exhaustive
def test_an_activation_s_slope_as_a_surrogate():
    x = jnp.linspace(-1.0, 1.0, 9)
    for name in ("tanh", "sigmoid"):
        np.testing.assert_allclose(surrogate_of(name, 8.0)(x), surrogate("sigmoid", 8.0)(x), rtol=1e-4, atol=1e-5)
        facts, known = surrogate_of(name, 8.0).shape_facts, surrogate("sigmoid", 8.0).shape_facts
        np.testing.assert_allclose(
            [facts.area, facts.peak, facts.square, facts.reach],
            [known.area, known.peak, known.square, known.reach],
            rtol=1e-3,
        )
    falling = surrogate_of(al.negate(al.tanh), 8.0)
    np.testing.assert_allclose(falling(x), surrogate("sigmoid", 8.0)(x), rtol=1e-4, atol=1e-5)
    heavy = surrogate_of("softsign", 4.0)  # its slope is the SuperSpike's, of unit area
    np.testing.assert_allclose(heavy(x), surrogate("superspike", 2.0).unit_area()(x), rtol=1e-4)
    assert heavy.shape_facts.tail == pytest.approx(2.0, rel=1e-3)
    np.testing.assert_allclose(
        2 * quad(lambda v: float(heavy(jnp.float32(v))), 0, np.inf, limit=200)[0], 1.0, rtol=1e-3
    )
    assert surrogate_of(al.surrogates.arctan, 3.0).name == "arctan"


@pytest.mark.parametrize(
    ("what", "missing"),
    [("relu", "bounded range"), ("sine", "nondecreasing"), ("heaviside", "bounded slope and no jump")],
)
def test_refusals_say_what_is_missing(what, missing):
    with pytest.raises(al.FactError, match=rf"a spike's probability.*{missing}.*What would do"):
        evaluate(getattr(al, what), (0,), TINY)
