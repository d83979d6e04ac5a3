"""The standard test in small, its references, its refusal and its registration."""

import numpy as np
import pytest

import actlab.activations as al
from actlab import systems
from actlab.systems.continual import Learner, Problem, error_at_end, error_at_start
from actlab.systems.continual.evaluation import Settings, evaluate, references

SMALL = Settings(Problem(block=100, blocks=10), Learner(step_sizes=(0.01, 0.003)))


def test_the_card_reads_its_courses_and_a_surrogate_is_refused():
    found, beside = evaluate("tanh", (0, 1), SMALL), references((0, 1), SMALL)
    by_name = {m.name: m for m in found.measurements}
    courses = [c.values for c in found.curves]
    assert courses[0].shape == (2, 10)
    np.testing.assert_allclose(by_name["squared error, last fifth, step 0.01"].values, courses[0][:, -2:].mean(1))
    rise = courses[0][:, -2:].mean(1) - courses[0][:, :6].mean(1)
    np.testing.assert_allclose(by_name["rise of the error since the start, step 0.01"].values, rise)
    assert found.measurements[0].name == beside.measurements[0].name
    assert beside.measurements[0].activation == "linear net"
    assert systems.load("continual").name == "continual"
    with pytest.raises(al.FactError, match="surrogate"):
        evaluate(al.heaviside.with_surrogate(al.surrogates.fast_sigmoid), (0, 1), SMALL)


def test_a_learner_that_diverged_has_an_infinite_error():
    error = np.array([[1.0] * 8 + [np.nan, 1.0], [2.0] * 10])
    np.testing.assert_array_equal(error_at_end(error), [np.inf, 2])
    np.testing.assert_array_equal(error_at_start(error), [1, 2])


def test_of_fewer_than_five_blocks_the_last_fifth_is_the_last_one():
    np.testing.assert_array_equal(error_at_end(np.array([[4.0, 3.0, 2.0, 1.0]])), [1])
