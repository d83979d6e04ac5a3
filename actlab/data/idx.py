"""The idx format of MNIST and its successors: a header of sizes, then unsigned bytes; plain or gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from actlab.data.npz import DataError

UNSIGNED_BYTE = 8
"""The code of the only element type that images and labels use."""
LARGEST = 2**31
"""Bytes that a file may unpack to: a damaged or hostile header shall not exhaust the memory."""


def read_idx(path: str | Path, axes: int) -> UInt8[np.ndarray, "*shape"]:
    """The array of unsigned bytes in an idx file; gzipped where its first bytes say so, whatever its name.

    Args:
        path: the file.
        axes: how many the array must have: 3 for images, 1 for labels.

    Raises:
        DataError: missing, unreadable, damaged, of another type or number of axes, or longer or shorter than its header
            says.

    Source: Y. LeCun, C. Cortes & C. Burges, "The MNIST database of handwritten digits", file formats.
    """
    path = Path(path)
    content = _content(path)
    header = 4 + 4 * axes
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path} is not an idx file: it does not begin with two zero bytes; download it again")
    kind, found = content[2], content[3]
    if (kind, found) != (UNSIGNED_BYTE, axes):
        raise DataError(
            f"{path} holds elements of type {kind:#x} along {found} axes; "
            f"needs unsigned bytes ({UNSIGNED_BYTE:#x}) along {axes}: are images and labels interchanged?"
        )
    shape = tuple(int(n) for n in np.frombuffer(content[4:header].ljust(header - 4, b"\0"), ">u4"))
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise DataError(f"{path} has {len(content)} bytes where its header {shape} needs {expected}; download it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            content = stream.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; put it there, as it is or gzipped") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; download it again") from error
    if len(content) > LARGEST:
        raise DataError(f"{path} unpacks to more than {LARGEST} bytes; it is no MNIST-like file")
    return content
