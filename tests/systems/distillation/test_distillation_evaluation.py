"""The standard test in small, its references, and its registration."""

import numpy as np
import pytest

from actlab import systems
from actlab.systems.distillation import Recipe
from actlab.systems.distillation.evaluation import Settings, evaluate
from actlab.systems.distillation.peers import gaussian_process_errors

SMALL = Recipe(teacher=(8, 8), student=(8,), points=40, test_points=100, steps=60, weight_scale=1.0)


def test_relu_is_told_that_it_has_no_curvature_and_shows_it():
    found = evaluate("relu", (0, 1), Settings(SMALL))
    first = found.measurements[0]
    assert first.name == "relative curvature error, values, slopes and curvature matched"
    np.testing.assert_array_equal(first.values, 1.0)
    assert "exactly 1 for every teacher" in found.notes[0]
    assert len(found.measurements) == 9
    assert len(found.curves) == 3
    assert systems.load("distillation").name == "distillation"


@pytest.mark.exhaustive
def test_the_gaussian_process_is_a_good_student_of_an_easy_teacher():
    errors = gaussian_process_errors((0, 1), SMALL)
    assert errors.value.shape == (2,)
    assert np.all(errors.value < 0.02)
    assert np.all(errors.value < errors.jacobian)
    assert np.all(errors.jacobian < errors.hessian)
