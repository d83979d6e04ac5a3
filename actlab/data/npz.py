"""Arrays from npz files of a user's, without pickles."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class DataError(ValueError):
    """A data file is missing or does not hold what it should; the message names the file and the remedy."""


def read_arrays(path: Path, keys: Sequence[str], contents: str, remedy: str) -> list[np.ndarray]:
    """The arrays of these names.

    Args:
        path: an existing file.
        keys: the names.
        contents: what the file must hold, in words.
        remedy: what to do about a file of another format.

    Raises:
        DataError: not a readable npz without pickles, or an array that is not there.
    """
    if not zipfile.is_zipfile(path):  # numpy would take an npy file, and leave a broken one open
        raise DataError(f"{path} is not a readable npz file without pickles: no zip archive; {remedy}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [np.asarray(arrays[key]) for key in keys]
    except KeyError as error:
        raise DataError(f"{path} has no array {error.args[0].split()[0]!r}; it must hold {contents}") from error
    except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a readable npz file without pickles: {error}") from error
