"""The UCI reader and the regenerated splits."""

from pathlib import Path

import jax
import numpy as np
import pytest

from actlab.data.embedded import Regression, diabetes
from actlab.data.splits import random_split, stacked, standardized
from actlab.data.uci import DataError, load_uci, uci_splits

SHAPES = {
    "boston": (506, 13, 455),
    "concrete": (1030, 8, 927),
    "energy": (768, 8, 691),
    "power": (9568, 4, 8611),
    "protein": (45730, 9, 41157),
    "wine": (1599, 11, 1439),
    "yacht": (308, 6, 277),
}


@pytest.mark.parametrize("name", SHAPES)
def test_sets_have_the_published_sizes(name: str, shared_data: Path) -> None:
    rows, features, train = SHAPES[name]
    data = load_uci(shared_data / "uci", name)
    assert data.X.shape == (rows, features)
    assert len(uci_splits(rows, 1)[0][0]) == train


def test_splits_are_one_stream_of_permutations() -> None:
    splits = uci_splits(30, 3)
    stream = np.random.RandomState(1)
    for train, test in splits:
        np.testing.assert_array_equal(np.concatenate([train, test]), stream.choice(range(30), 30, replace=False))
        assert len(train) == 27


def save(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "yacht.npz", **arrays)
    return folder


X, Y = np.ones((4, 2)), np.arange(4.0)


@pytest.mark.parametrize(
    ("arrays", "because"),
    [
        ({"X": X}, "no array 'y'"),
        ({"X": X, "y": np.ones(3)}, r"got \(4, 2\) and \(3,\)"),
        ({"X": X[:, 0], "y": Y}, "shape"),
        ({"X": X, "y": np.array([0.0, np.nan, 1.0, 2.0])}, "row 1"),
        ({"X": X.astype(int), "y": Y}, "floating"),
        ({"X": X, "y": np.array([None] * 4)}, "without pickles"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, arrays: dict, because: str) -> None:
    with pytest.raises(DataError, match=because):
        load_uci(save(tmp_path, **arrays), "yacht")


def test_missing_and_unknown_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        load_uci(tmp_path, "yacht")
    with pytest.raises(DataError, match="no UCI set 'iris'"):
        load_uci(tmp_path, "iris")
    (tmp_path / "wine.npz").write_bytes(b"not a zip file")
    with pytest.raises(DataError, match="not a readable npz"):
        load_uci(tmp_path, "wine")


def test_standardized_by_the_training_rows_alone() -> None:
    data = diabetes()
    constant = Regression("c", np.column_stack([data.X, np.full(len(data.y), 7.0)]), data.y)
    split = standardized(constant, np.arange(300), np.arange(300, 442))
    np.testing.assert_allclose(split.x[:, :-1].std(0), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(split.x[:, -1], 0.0)
    np.testing.assert_allclose(split.y_test * split.y_scale + data.y[:300].mean(), data.y[300:], rtol=1e-4)
    both = stacked([random_split(data, seed) for seed in (0, 1)])
    assert both.x.shape == (2, 398, 10)
    assert not np.array_equal(both.y[0], both.y[1])
    assert jax.tree.leaves(random_split(data, 0))[0].shape == (398, 10)
