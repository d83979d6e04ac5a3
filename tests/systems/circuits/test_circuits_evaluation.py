"""The standard test in small: sigmoid is a Hill function, what makes no regulation is refused."""

import numpy as np
import pytest

import actlab.activations as al
from actlab import systems
from actlab.systems.circuits.evaluation import FANO, Settings, evaluate, references

TINY = Settings(sets=8, steps=120, runs=300, molecules=30.0, cells=5)


@pytest.fixture(scope="module")
def sigmoid():
    return evaluate("sigmoid", (0, 1), TINY)


def test_what_is_measured_of_a_sigmoid(sigmoid):
    by_name = {m.name: m for m in sigmoid.measurements}
    assert all(np.all(np.isfinite(m.values)) and m.seeds == (0, 1) for m in sigmoid.measurements)
    assert sigmoid.measurements[0].name == "level at rest over the pulse's height, median"
    assert 0 < sigmoid.measurements[0].mean < 1  # it falls back, and not to basal
    assert by_name["effective Hill coefficient at K"].mean == pytest.approx(2, rel=1e-4)
    assert by_name[FANO].mean < 0.9  # negative autoregulation is quieter than Poisson
    assert by_name[FANO].mean == pytest.approx(by_name[f"{FANO}, linear noise"].mean, rel=0.25)
    assert by_name["swing of a ring of three over its mean"].mean < 1e-2  # n = 2 never oscillates
    (gain,) = sigmoid.heatmaps
    assert np.nanmax(gain.values) < 2
    assert np.nanmin(gain.values) > -4
    assert sigmoid.curves[0].values.shape == (1, 121)


def test_refusals_and_references():
    with pytest.raises(al.FactError, match=r"needs a bounded range.*What would do"):
        evaluate("relu", (0,), TINY)
    assert {m.mean for m in references((0, 1)).measurements} == {1.0}
    assert systems.load("circuits").name == "circuits"
