"""The learners against loops in numpy over examples and all twenty weights; the target against its definition."""

import jax
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.continual import Learner, Problem, examples, online_learning
from actlab.systems.continual.online_learning import initial_weights
from actlab.systems.continual.slowly_changing_regression import target
from actlab.training import seed_keys

SMALL = Problem(slow_bits=4, fast_bits=2, target_units=9, block=30, blocks=5)
LEARNER = Learner(units=3, step_sizes=(0.05, 0.01))
KEYS = seed_keys((3, 4))


def by_loops(slope, f, x, y, hidden, out, step):
    """Errors by block of plain gradient steps on (out . f(hidden x + bias) + out_bias - y)^2, in float64."""
    bias, out_bias, errors = np.zeros(hidden.shape[1]), 0.0, []
    hidden, out = hidden.astype(float), out.astype(float)
    for row, value in zip(x.astype(float), y.astype(float), strict=True):
        before = row @ hidden + bias
        miss = out @ f(before) + out_bias - value
        errors.append(miss**2)
        back = 2 * miss * out * slope(before)
        out, out_bias = out - step * 2 * miss * f(before), out_bias - step * 2 * miss
        hidden, bias = hidden - step * np.outer(row, back), bias - step * back
    return np.mean(np.reshape(errors, (SMALL.blocks, -1)), 1), np.abs(hidden).mean()


def test_a_block_along_its_line_is_every_example_with_every_weight():
    course = online_learning("tanh", SMALL, LEARNER)(KEYS)
    assert course.error.shape == (2, 2, SMALL.blocks)
    for seed, key in enumerate(KEYS):
        of_stream, of_weights = jax.random.split(key)
        x, y = (np.asarray(v) for v in examples(of_stream, SMALL))
        start = initial_weights(of_weights[None], al.tanh, SMALL, LEARNER)
        hidden = np.concatenate([start.slow, start.fast])[..., 0]
        for which, step in enumerate(LEARNER.step_sizes):
            errors, size = by_loops(
                lambda z: 1 - np.tanh(z) ** 2, np.tanh, x, y, hidden, np.asarray(start.out)[:, 0], step
            )
            np.testing.assert_allclose(course.error[which, seed], errors, rtol=2e-4)
            np.testing.assert_allclose(course.magnitude[which, seed, -1], size, rtol=1e-4)


def test_vector_activations_have_their_number_of_outputs_and_a_crelu_unit_is_never_flat():
    course = online_learning(al.crelu, SMALL, LEARNER)(KEYS)
    assert np.all(np.isfinite(course.error))
    np.testing.assert_array_equal(course.flat, 0)


def test_the_target_counts_the_bits_that_match_and_the_slow_bits_stand_still():
    problem = Problem(slow_bits=5, fast_bits=3, target_units=7, block=40, blocks=30, one_bit=True)
    key = jax.random.key(1)
    x, y = (np.asarray(v) for v in examples(key, problem))
    net = jax.tree.map(np.asarray, target(key, problem))
    value = np.full(len(x), float(net.out_bias))
    for w, b, v in zip(net.weights, net.bias, net.out, strict=True):
        negative = np.sum(w < 0)  # Sutton & Whitehead 1993; the published threshold moves it by half the bias
        value += v * (x @ w + b > 0.7 * 9 - negative - b / 2)
    np.testing.assert_array_equal(y, value)
    slow = x[:, :5].reshape(30, 40, 5)
    assert np.all(slow == slow[:, :1])
    np.testing.assert_array_equal(np.abs(np.diff(slow[:, 0], axis=0)).sum(1), 1)
    assert 0.4 < x[:, 5:].mean() < 0.6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Problem(block=0), "block = 0"),
        (lambda: Problem(fast_bits=13), "fast_bits = 13"),
        (lambda: Learner(units=0), "units = 0"),
        (lambda: Learner(step_sizes=()), "step_sizes"),
        (lambda: Learner(gain=0.0), "gain"),
    ],
)
def test_sizes_that_cannot_be(make, said):
    with pytest.raises(ValueError, match=said):
        make()
