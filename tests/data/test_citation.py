"""The reader of citation graphs: published counts, damaged files."""

from pathlib import Path

import numpy as np
import pytest

from actlab.data import DataError
from actlab.data.citation import load_citation

# nodes, features, entries of the features, links, train, isolated nodes
COUNTS = {"cora": (2708, 1433, 49216, 5278, 140, 0), "citeseer": (3327, 3703, 105165, 4552, 120, 48)}

GOOD = {
    "indptr": np.array([0, 1, 3]),
    "indices": np.array([0, 1, 2]),
    "n_features": np.array(3),
    "edges": np.array([[0, 1]]),
    "labels": np.array([0, 1]),
    "train": np.array([0]),
    "val": np.array([1]),
    "test": np.zeros(0, int),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts(name: str, shared_data: Path) -> None:
    data = load_citation(shared_data, name)
    isolated = data.nodes - len(np.unique(data.links))
    found = (data.nodes, data.feature_count, len(data.features[0]), len(data.links), len(data.train), isolated)
    assert found == COUNTS[name]
    assert (len(data.val), len(data.test)) == (500, 1000)


def test_a_good_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "cora.npz", **GOOD)
    data = load_citation(tmp_path, "cora")
    assert [part.tolist() for part in data.features] == [[0, 1, 1], [0, 1, 2], [1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "no array 'labels'"),
        ({"edges": np.array([[0, 2]])}, "edges reach"),
        ({"edges": np.array([[1, 1]])}, "self-loops"),
        ({"indptr": np.array([0, 3])}, "indptr"),
        ({"indices": np.array([0, 1, 9])}, "indices reach"),
        ({"train": np.array([1])}, "share nodes"),
        ({"labels": np.array([-1, 1])}, "labels"),
        ({"labels": np.array([0.5, 1.0])}, "integers"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    np.savez(tmp_path / "cora.npz", **{k: v for k, v in (GOOD | change).items() if v is not None})
    with pytest.raises(DataError, match=message):
        load_citation(tmp_path, "cora")


def test_missing_and_unknown_sets(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        load_citation(tmp_path, "cora")
    with pytest.raises(DataError, match="known: cora"):
        load_citation(tmp_path, "ogbn")
