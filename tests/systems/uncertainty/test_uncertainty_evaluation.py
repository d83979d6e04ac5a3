"""The system's evaluation: complete, reproducible, honest about what it did not measure."""

import numpy as np
import pytest

import actlab.activations as al
from actlab.systems import load
from actlab.systems.uncertainty import evaluation

SEEDS = (0, 1, 2)


BRIEF = evaluation.Settings(steps=60)


@pytest.mark.exhaustive
def test_evaluates_an_activation_that_cannot_be_a_variance():
    result = evaluation.evaluate(al.get("tanh"), SEEDS, BRIEF)
    found = {m.name: m for m in result.measurements}
    assert result.refused is None
    assert result.measurements[0].name == "test NLL"
    assert all(np.isfinite(m.values).all() and m.seeds == SEEDS for m in found.values())
    assert found["test NLL"].mean < 5.7  # the training mean and deviation reach 5.80
    assert 0.6 < found["coverage of the 90 % interval"].mean < 1.0
    assert evaluation.AS_VARIANCE not in found
    assert any("a variance must be positive" in note and "tanh" in note for note in result.notes)
    usual = load("uncertainty").references(SEEDS).curves
    heads = {c.activation: c.values for c in usual if c.name == evaluation.GRADIENT}
    assert np.isfinite(heads["bounded head"]).all()
    assert not np.isfinite(heads["softplus head"]).all()
    assert not np.isfinite(heads["exponential head"]).all()


def test_a_positive_activation_is_also_measured_as_variance():
    result = evaluation.evaluate("sigmoid", SEEDS[:2], BRIEF)
    found = {m.name: m for m in result.measurements}
    assert np.isfinite(found[evaluation.AS_VARIANCE].values).all()
    again = evaluation.evaluate("sigmoid", SEEDS[:2], BRIEF)
    np.testing.assert_array_equal(again.measurements[0].values, result.measurements[0].values)


def test_references_know_the_splits_of_the_seeds():
    result = evaluation.references(list(SEEDS))
    found = {(m.activation, m.name): m.mean for m in result.measurements}
    assert found["Bayesian ridge", "test NLL"] < found["training mean and deviation", "test NLL"] < 6.0
    calibrated = {c.activation for c in result.curves if c.name == evaluation.CALIBRATION}
    assert calibrated == {"Bayesian ridge", "training mean and deviation"}
