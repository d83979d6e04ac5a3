"""Labelled images read from a folder that the user names: MNIST, Fashion-MNIST, CIFAR-10. No pickle is ever loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from actlab.data.idx import read_idx
from actlab.data.npz import DataError, read_arrays

CLASSES = 10
"""Of every set here."""
CIFAR_RECORD = 1 + 3 * 32 * 32
"""Bytes of a label and its image: all red, then all green, then all blue pixels, row by row."""


@dataclass(frozen=True)
class Images:
    """Images with their classes, divided as published.

    Attributes:
        name: for tables.
        x_train: pixels from 0 to 255, (n, height, width, channels).
        y_train: classes from 0 to 9, int32, (n,).
        x_test: pixels of the test images, (m, height, width, channels).
        y_test: their classes, (m,).
    """

    name: str
    x_train: UInt8[np.ndarray, "n height width channels"]
    y_train: Int[np.ndarray, " n"]
    x_test: UInt8[np.ndarray, "m height width channels"]
    y_test: Int[np.ndarray, " m"]


def load_images(folder: str | Path, name: str) -> Images:
    """Reads a set by its name: "mnist", "fashion-mnist" or "cifar-10"; see the loader of each for its files.

    Raises:
        DataError: no such set, or what its loader raises.
    """
    if name not in LOADERS:
        raise DataError(f"no set of images {name!r}; known: {', '.join(LOADERS)}")
    return LOADERS[name](folder)


def load_mnist(folder: str | Path) -> Images:
    """MNIST, 60,000 + 10,000 digits of 28 x 28: `mnist.npz`, else the four idx files, plain or gzipped.

    `mnist.npz` has uint8 arrays x_train (n, 28, 28), y_train (n,), x_test and y_test, as Keras distributes them.

    Raises:
        DataError: neither is there, or what is there is damaged or does not fit together.
    """
    path = Path(folder) / "mnist.npz"
    return _from_npz(path, "mnist") if path.is_file() else _from_idx(Path(folder), "mnist")


def load_fashion_mnist(folder: str | Path) -> Images:
    """Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): the four idx files, named as MNIST's.

    Raises:
        DataError: as `load_mnist`.
    """
    return _from_idx(Path(folder), "fashion-mnist")


def load_cifar10(folder: str | Path) -> Images:
    """CIFAR-10, 50,000 + 10,000 colour images of 32 x 32: its *binary* version, `data_batch_1.bin` to `_5.bin`.

    The files may lie in the folder or in its `cifar-10-batches-bin`, as the archive unpacks. The "python version" is
    pickled; it is refused, since to unpickle a file is to run it.

    Raises:
        DataError: a file is missing, damaged or only there as a pickle.
    """
    folder = Path(folder)
    inside = folder / "cifar-10-batches-bin"
    folder = inside if inside.is_dir() else folder
    batches = [_cifar_batch(folder, f"data_batch_{i}") for i in range(1, 6)]
    x, y = (np.concatenate([batch[part] for batch in batches]) for part in (0, 1))
    return Images("cifar-10", x, y, *_cifar_batch(folder, "test_batch"))


def _from_npz(path: Path, name: str) -> Images:
    keys = ("x_train", "y_train", "x_test", "y_test")
    x, y, x_test, y_test = read_arrays(path, keys, ", ".join(keys), "download it again")
    return _checked(path, name, (x, y), (x_test, y_test))


def _from_idx(folder: Path, name: str) -> Images:
    def array(stem: str, axes: int) -> np.ndarray:
        names = [f"{stem}{end}" for end in ("", ".gz")] + [
            f"{stem.replace('-idx', '.idx')}{end}" for end in ("", ".gz")
        ]
        path = next((folder / n for n in names if (folder / n).is_file()), None)
        if path is None:
            also = f" (and no {folder / 'mnist.npz'})" if name == "mnist" else ""
            raise DataError(
                f"{folder / stem} is missing, plain and as .gz{also}; put the four idx files of {name} there"
            )
        return read_idx(path, axes)

    parts = [(array(f"{p}-images-idx3-ubyte", 3), array(f"{p}-labels-idx1-ubyte", 1)) for p in ("train", "t10k")]
    return _checked(folder, name, *parts)


def _checked(
    path: Path, name: str, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> Images:
    """Grey images with a channel axis, their shapes, types and classes checked."""
    arrays = []
    for part, (x, y) in (("train", train), ("test", test)):
        if x.dtype != np.uint8 or not np.issubdtype(y.dtype, np.integer):
            raise DataError(f"{path}: {part} images must be uint8 and labels integers, got {x.dtype} and {y.dtype}")
        if x.ndim != 3 or y.shape != x.shape[:1] or x.size == 0:
            raise DataError(
                f"{path}: need {part} images (n, height, width) and labels (n,), got {x.shape} and {y.shape}"
            )
        if y.min() < 0 or y.max() >= CLASSES:
            raise DataError(f"{path}: {part} labels from {y.min()} to {y.max()}; they must be in 0..{CLASSES - 1}")
        arrays += [x[..., None], y.astype(np.int32)]
    if arrays[0].shape[1:] != arrays[2].shape[1:]:
        raise DataError(f"{path}: train images are {arrays[0].shape[1:3]} pixels, test images {arrays[2].shape[1:3]}")
    return Images(name, *arrays)


def _cifar_batch(folder: Path, stem: str) -> tuple[np.ndarray, np.ndarray]:
    path = folder / f"{stem}.bin"
    if not path.is_file():
        pickled = [p for p in (folder / stem, folder / "cifar-10-batches-py" / stem) if p.is_file()]
        because = f"; {pickled[0]} is the python version, a pickle, which is never loaded" if pickled else ""
        raise DataError(f"{path} is missing{because}; put the binary version of CIFAR-10 there")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}; download it again") from error
    if not content or len(content) % CIFAR_RECORD:
        raise DataError(
            f"{path} has {len(content)} bytes, not a multiple of the {CIFAR_RECORD} of a label and its image; "
            "download the binary version again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, CIFAR_RECORD)
    labels = records[:, 0].astype(np.int32)
    if labels.max() >= CLASSES:
        raise DataError(f"{path}: record {labels.argmax()} has the label {labels.max()}; it is not CIFAR-10's")
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


LOADERS: dict[str, Callable[[str | Path], Images]] = {
    "mnist": load_mnist,
    "fashion-mnist": load_fashion_mnist,
    "cifar-10": load_cifar10,
}
