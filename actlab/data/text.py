"""Text as characters, from a folder of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from actlab.data.npz import DataError, read_arrays


@dataclass(frozen=True)
class Text:
    """A text in three parts, its characters numbered in the order of their bytes.

    Attributes:
        name: for tables.
        alphabet: the byte of each number.
        train: int32 (characters,), the first nine tenths.
        val: int32 (characters,), the next twentieth.
        test: int32 (characters,), the last twentieth.
    """

    name: str
    alphabet: tuple[int, ...]
    train: Int[np.ndarray, " train"]
    val: Int[np.ndarray, " val"]
    test: Int[np.ndarray, " test"]


def load_text(folder: str | Path, name: str = "tinyshakespeare") -> Text:
    """Reads `<name>.npz`, whose array `text` holds bytes, and cuts it at 90 and 95 %.

    Raises:
        DataError: no such file, not a readable npz without pickles, or no such array of at least 100 bytes.
    """
    path = Path(folder) / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path} is missing; it must hold the array text, bytes of shape (characters,)")
    (text,) = read_arrays(path, ("text",), "text, bytes of shape (characters,)", "save it with np.savez")
    if text.dtype != np.uint8 or text.ndim != 1 or text.size < 100:
        raise DataError(
            f"{path}: text must be uint8 of shape (characters,), at least 100, got {text.dtype}{text.shape}"
        )
    alphabet, codes = np.unique(text, return_inverse=True)
    train, val, test = np.split(codes.astype(np.int32), [text.size * 90 // 100, text.size * 95 // 100])
    return Text(name, tuple(int(byte) for byte in alphabet), train, val, test)
