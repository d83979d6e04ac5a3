"""Transfer and interference from matrices made by hand."""

import numpy as np
import pytest

from actlab.systems.continual import ContinualError, interference, transfer

ACCURACY = np.array([[0.1, 0.2, 0.3], [0.9, 0.4, 0.3], [0.6, 0.8, 0.5], [0.7, 0.6, 1.0]])
"""Rows: the untrained net, then after each of three tasks."""


def test_transfer_of_a_matrix_made_by_hand() -> None:
    found = transfer(ACCURACY)
    np.testing.assert_allclose(found.average, (0.7 + 0.6 + 1.0) / 3)
    np.testing.assert_allclose(found.forgetting, ((0.9 - 0.7) + (0.8 - 0.6)) / 2)
    np.testing.assert_allclose(found.backward, ((0.7 - 0.9) + (0.6 - 0.8)) / 2)
    np.testing.assert_allclose(found.forward, ((0.4 - 0.2) + (0.5 - 0.3)) / 2)


def test_forgetting_is_from_the_best_and_not_from_before_the_task() -> None:
    better_later = ACCURACY.copy()
    better_later[2, 0] = 0.95  # task 0 at its best after task 1: 0.95 counts, not 0.9
    better_later[1, 1] = 0.99  # task 1 before it was trained on: does not count
    found = transfer(np.stack([ACCURACY, better_later]))
    np.testing.assert_allclose(found.forgetting, [0.2, ((0.95 - 0.7) + (0.8 - 0.6)) / 2])
    np.testing.assert_allclose(found.backward, [-0.2, -0.2])


def test_interference_of_gradients_made_by_hand() -> None:
    """Two tasks, one observation in each: only the second has an earlier task."""
    gradients = np.zeros((2, 2, 2, 3))  # present task, part, task, parameter
    gradients[0] = [[1, 0, 0], [-1, 0, 0]]  # the first task has none before it: not counted
    gradients[1, 0] = [[1, 0, 0], [-1, 1, 0]]
    gradients[1, 1] = [[1, 1, 0], [2, 2, 0]]
    products = np.einsum("tpik,tpjk->tpij", gradients, gradients)
    found = interference(products)
    np.testing.assert_allclose(found.cosine, (1 - 1 / np.sqrt(2)) / 2)
    np.testing.assert_allclose(found.conflict, 0.5)
    seeds = interference(np.stack([products, 4 * products, 0 * products]))
    np.testing.assert_allclose(seeds.conflict, [0.5, 0.5, 0])
    np.testing.assert_allclose(seeds.cosine, [found.cosine, found.cosine, 0])


def test_other_shapes_are_refused() -> None:
    for wrong in (lambda: transfer(ACCURACY[1:]), lambda: transfer(np.ones((2, 1))), lambda: transfer(np.ones(3))):
        with pytest.raises(ContinualError, match="tasks \\+ 1 rows"):
            wrong()
    with pytest.raises(ContinualError, match="must end in"):
        interference(np.ones((2, 1, 3, 3)))
    with pytest.raises(ContinualError, match="two tasks"):
        interference(np.ones((1, 1, 1, 1)))
