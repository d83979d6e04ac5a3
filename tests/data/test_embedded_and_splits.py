"""The embedded data sets against scikit-learn's own statements, and standardized splits against a scaler not ours."""

import jax
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from actlab.data.embedded import Regression, diabetes, digits
from actlab.data.splits import Split, random_split, stacked, standardized

RNG = np.random.default_rng(3)
DATA = Regression("made", RNG.normal(5.0, [1.0, 30.0, 1e-3, 1e4], (41, 4)), RNG.gamma(2.0, 3.0, 41))


def test_diabetes_is_as_described() -> None:
    data = diabetes()
    assert (data.X.shape, data.y.shape, data.X.dtype, data.y.dtype) == ((442, 10), (442,), np.float64, np.float64)
    assert (data.y.min(), data.y.max()) == (25.0, 346.0)
    np.testing.assert_allclose(data.X.mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.square(data.X).sum(0), 1.0, rtol=1e-9)


def test_digits_are_as_described() -> None:
    data = digits()
    assert (data.X.shape, data.y.shape, data.X.dtype, data.y.dtype) == ((1797, 64), (1797,), np.float64, np.int32)
    assert (data.X.min(), data.X.max()) == (0.0, 1.0)
    assert sorted(set(data.y.tolist())) == list(range(10))


def test_standardized_as_scikit_learns_scaler_does() -> None:
    order = np.random.default_rng(0).permutation(41)
    train, test = order[:30], order[30:]
    split = standardized(DATA, train, test)
    rows, targets = StandardScaler().fit(DATA.X[train]), StandardScaler().fit(DATA.y[train, None])
    np.testing.assert_allclose(split.x, rows.transform(DATA.X[train]), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(split.x_test, rows.transform(DATA.X[test]), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(split.y, targets.transform(DATA.y[train, None])[:, 0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(split.y_test, targets.transform(DATA.y[test, None])[:, 0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(split.y_scale, targets.scale_[0], rtol=1e-6)
    assert {np.dtype(leaf.dtype) for leaf in jax.tree.leaves(split)} == {np.dtype(np.float32)}


def test_test_rows_tell_the_scaling_nothing() -> None:
    wild = Regression("wild", np.where(np.arange(41)[:, None] < 30, DATA.X, 1e6), DATA.y)
    train = np.arange(30)
    tame, changed = (standardized(d, train, np.arange(30, 41)) for d in (DATA, wild))
    np.testing.assert_array_equal(tame.x, changed.x)
    assert not np.array_equal(tame.x_test, changed.x_test)


def test_constant_columns_and_targets_stay_finite() -> None:
    data = Regression("constant", np.column_stack([DATA.X, np.full(41, 3.0)]), np.full(41, -2.0))
    split = standardized(data, np.arange(30), np.arange(30, 41))
    np.testing.assert_array_equal(split.x[:, -1], 0.0)
    np.testing.assert_array_equal(split.x_test[:, -1], 0.0)
    np.testing.assert_array_equal(np.concatenate([split.y, split.y_test]), 0.0)
    assert split.y_scale == 1.0
    surprise = Regression("surprise", np.where(np.arange(41)[:, None] < 30, 3.0, 5.0), np.zeros(41))
    np.testing.assert_array_equal(standardized(surprise, np.arange(30), np.arange(30, 41)).x_test, 2.0)  # scale 1


@pytest.mark.parametrize(("fraction", "held_out"), [(0.1, 4), (0.5, 20), (0.0, 0)])
def test_random_splits_partition_the_rows(fraction: float, held_out: int) -> None:
    split = random_split(Regression("rows", DATA.X, np.arange(41.0)), 0, fraction)
    assert (split.x.shape, split.x_test.shape) == ((41 - held_out, 4), (held_out, 4))
    # Differences of the standardized row numbers times their scale are whole numbers: every row appears once.
    rows = np.concatenate([split.y, split.y_test]) * split.y_scale
    np.testing.assert_allclose(np.sort(rows) - rows.min(), np.arange(41.0), atol=1e-4)


def test_random_splits_follow_the_seed() -> None:
    first, again, other = (random_split(DATA, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.y, other.y)


def test_stacked_splits_are_a_pytree_to_map_over() -> None:
    splits = [random_split(DATA, seed) for seed in range(3)]
    together = stacked(splits)
    assert isinstance(together, Split)
    assert together.x.shape == (3, 37, 4)
    assert together.y_scale.shape == (3,)
    means = jax.jit(jax.vmap(lambda s: s.y_test.mean() * s.y_scale))(together)
    np.testing.assert_allclose(means, [s.y_test.mean() * s.y_scale for s in splits], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="same shape"):
        stacked([splits[0], random_split(DATA, 0, 0.5)])
