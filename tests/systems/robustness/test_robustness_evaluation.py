"""The standard evaluation at a small size: what it measures and refuses; equal seeds give equal numbers."""

import numpy as np
import pytest

import actlab.activations as al
from actlab import systems
from actlab.activations import FactError
from actlab.systems.robustness import Attack
from actlab.systems.robustness.arm import digit_images, outcome_of
from actlab.systems.robustness.evaluation import BALL, BOX, Settings, evaluate, references

SMALL = Settings(steps=120, hidden=(16,), attack=Attack(5, 0))


@pytest.fixture(scope="module")
def evaluation():
    return evaluate("tanh", (0, 1), SMALL)


def test_radius_and_accuracy_never_the_constant_alone(evaluation) -> None:
    by_name = {m.name: m for m in evaluation.measurements}
    assert evaluation.measurements[0].name == "certified accuracy, linf 0.06, interval training"
    for name in (BALL,):
        constant, margin = by_name[f"Lipschitz constant, {name}"], by_name[f"mean margin of the logits, {name}"]
        assert constant.better == margin.better == "neither"
        radius = by_name[f"mean certified radius, l2, {name}"].values
        assert np.all(radius > 0)
        # The mean radius is at least the mean margin over sqrt(2) L, the share of right images considered.
        clean = by_name[f"clean accuracy, {name}"].values / 100
        assert np.all(radius >= 0.999 * clean * margin.values / (np.sqrt(2) * constant.values))
    for sure in (m for m in evaluation.measurements if m.name.startswith("certified accuracy")):
        tried = by_name[sure.name.replace("certified accuracy", "accuracy under attack")]
        assert np.all(sure.values <= tried.values)
    assert by_name["certificates that an attack refutes"].mean == 0.0
    assert all(m.seeds == (0, 1) and np.all(np.isfinite(m.values)) for m in evaluation.measurements)
    assert len(evaluation.curves) == 4
    for curve in evaluation.curves:
        assert np.all(np.diff(curve.values, axis=1) <= 0)


def test_the_system_is_registered_and_maxmin_is_its_reference() -> None:
    assert systems.load("robustness").evaluate is evaluate
    measured = references((0,), SMALL).measurements
    assert {m.activation for m in measured} == {"maxmin"}
    assert all(BALL in m.name for m in measured)


def test_without_a_bounded_slope_there_is_one_clear_refusal() -> None:
    for f in (lambda z: z * z, al.square):
        with pytest.raises(FactError, match="a certificate bounds how far outputs move.*bounded slope") as caught:
            evaluate(f, (0,), SMALL)
        assert str(caught.value).count("needs") == 1


def test_seeds_draw_splits_and_outcomes_repeat(evaluation) -> None:
    first, again, other = digit_images(3), digit_images(3), digit_images(4)
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert np.any(first.y_test != other.y_test)
    assert len(first.y_train) + len(first.y_test) == 1797
    again = outcome_of("tanh", SMALL.arms()[BOX], (0, 1), SMALL.attack)
    np.testing.assert_array_equal(evaluation.curves[0].values, 100 * again.certified)
    assert again.radius[0] != again.radius[1]
