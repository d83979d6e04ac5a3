"""Tomographic scans from files that the user has: counted frames (.npz, Data Exchange), slices (DICOM), LoDoPaB.

HDF5 needs h5py and DICOM needs pydicom; both are imported only here and only when asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from actlab.data.npz import DataError, read_arrays


@dataclass(frozen=True, eq=False)
class ScanFrames:
    """A parallel-beam scan as the detector counted it.

    Attributes:
        frames: counts, shape (views, rows, bins), float32; one row is one slice of the object.
        flats: counts without an object, shape (flats, rows, bins).
        darks: counts with the beam off, shape (darks, rows, bins).
        angles: of the views, radians, shape (views,).
    """

    frames: Float[np.ndarray, "views rows bins"]
    flats: Float[np.ndarray, "flats rows bins"]
    darks: Float[np.ndarray, "darks rows bins"]
    angles: Float[np.ndarray, " views"]


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice of a patient in Hounsfield units.

    Attributes:
        hounsfield: shape (rows, columns), float64; row 0 at the top.
        pixel: edge of a pixel, mm.
    """

    hounsfield: Float[np.ndarray, "rows columns"]
    pixel: float


@dataclass(frozen=True, eq=False)
class LodopabPairs:
    """Observations and truths of one LoDoPaB file, in the units and the orientation of this package.

    Attributes:
        integrals: line integrals, shape (pairs, 1000 views, 513 bins); view i has the angle (i + 1/2) pi / 1000.
        images: attenuation, 1/mm, shape (pairs, 362, 362); x along columns, y up against rows.
        pixel: mm.
        bin_width: mm.
        photons: of a bin without an object, 4096.
    """

    integrals: Float[np.ndarray, "pairs views bins"]
    images: Float[np.ndarray, "pairs rows columns"]
    pixel: float = 260.0 / 362
    bin_width: float = 260.0 * 2**0.5 / 513
    photons: float = 4096.0


def load_scan(path: str | Path) -> ScanFrames:
    """Reads a scan from .npz or from HDF5 in the Data Exchange layout, by what the file is.

    .npz: `proj`, `white`, `dark` and `theta_deg` (degrees). Data Exchange: `/exchange/data`, `data_white`, `data_dark`,
    `theta` in degrees, or in radians where its attribute `units` says so.

    Raises:
        DataError: no file, neither format, an array that is missing, of a wrong shape, or not finite.
    """
    path = _existing(path)
    if zipfile.is_zipfile(path):
        keys = ("proj", "white", "dark", "theta_deg")
        return _scan(path, keys, *read_arrays(path, keys, ", ".join(keys), "give an npz or a Data Exchange file"))
    with open_hdf5(path) as file:
        keys = ("exchange/data", "exchange/data_white", "exchange/data_dark", "exchange/theta")
        found = [read_member(path, file, key) for key in keys]
        units = file[keys[-1]].attrs.get("units", "degrees")
    units = units.decode() if isinstance(units, bytes) else str(units)
    if units.startswith("rad"):
        found[-1] = np.rad2deg(found[-1])
    return _scan(path, keys, *found)


def load_dicom_slice(path: str | Path, frame: int = 0) -> Slice:
    """Reads a CT slice: stored values x rescale slope + intercept, in Hounsfield units.

    Raises:
        DataError: no file, pydicom missing, not a CT image with square pixels, or no such frame.
    """
    path = _existing(path)
    pydicom = _imported("pydicom", path)
    try:
        data = pydicom.dcmread(path)
        values = np.asarray(data.pixel_array, np.float64)
    except (
        pydicom.errors.InvalidDicomError,
        AttributeError,
        LookupError,
        NotImplementedError,
        OSError,
        EOFError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise DataError(f"{path}: not a DICOM image that pydicom reads: {error}") from error
    frames = values if values.ndim == 3 else values[None]
    if not 0 <= frame < len(frames):
        raise DataError(f"{path}: frame = {frame}, but it has {len(frames)} frames, counted from 0")
    slope, intercept = (getattr(data, k, None) for k in ("RescaleSlope", "RescaleIntercept"))
    spacing = getattr(data, "PixelSpacing", None)
    if slope is None or intercept is None or spacing is None:
        raise DataError(f"{path}: no RescaleSlope, RescaleIntercept or PixelSpacing; is it a CT image?")
    if abs(float(spacing[0]) - float(spacing[1])) > 1e-6:
        raise DataError(f"{path}: pixels of {spacing[0]} x {spacing[1]} mm; they must be square")
    return Slice(float(slope) * frames[frame] + float(intercept), float(spacing[0]))


def slice_of_pydicom() -> Slice | None:
    """The CT slice inside pydicom's wheel, 128 x 128 pixels of 0.66 mm; None where pydicom is not installed."""
    if importlib.util.find_spec("pydicom") is None:
        return None
    data = importlib.import_module("pydicom.data")
    return load_dicom_slice(str(data.get_testdata_file("CT_small.dcm", download=False)))


def load_lodopab(folder: str | Path, part: str = "train", number: int = 0) -> LodopabPairs:
    """Reads `observation_PART_NNN.hdf5` and `ground_truth_PART_NNN.hdf5` of LoDoPaB-CT.

    Both are stored over the largest attenuation, 81.35858 per m, with x down the rows and y along the columns.

    Raises:
        DataError: a file is missing or has no `data` of the layout's shape, or h5py is missing.

    Source: Leuschner, Schmidt, Otero Baguer & Maass 2021, Scientific Data 8:109.
    """
    found = []
    for kind, shape in (("observation", (1000, 513)), ("ground_truth", (362, 362))):
        path = _existing(Path(folder) / f"{kind}_{part}_{number:03d}.hdf5")
        with open_hdf5(path) as file:
            values = np.asarray(read_member(path, file, "data"), np.float32)
        if values.ndim != 3 or values.shape[1:] != shape:
            raise DataError(f"{path}: data has the shape {values.shape}; LoDoPaB's is (pairs, {shape[0]}, {shape[1]})")
        found.append(values)
    observations, truths = found
    if len(observations) != len(truths):
        raise DataError(f"{folder}: {len(observations)} observations but {len(truths)} truths in part {number:03d}")
    largest = 81.35858
    images = np.ascontiguousarray(truths.transpose(0, 2, 1)[:, ::-1]) * np.float32(1e-3 * largest)
    return LodopabPairs(observations * np.float32(largest), images)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing")
    return path


def _imported(module: str, path: Path) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(f"{path} needs {module}: install it beside actlab (pip install {module})") from error


def open_hdf5(path: Path) -> Any:
    """An HDF5 file to read from.

    Raises:
        DataError: h5py is missing, or the file is of another format.
    """
    h5py = _imported("h5py", path)
    if not h5py.is_hdf5(path):
        raise DataError(f"{path} is neither an npz nor an HDF5 file")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is a damaged HDF5 file: {error}") from error


def read_member(path: Path, file: Any, key: str) -> np.ndarray:
    """An array of an open HDF5 file.

    Raises:
        DataError: no such array, or one that is damaged.
    """
    if key not in file or not hasattr(file[key], "shape"):  # a group has none
        raise DataError(f"{path} has no array {key!r}")
    try:
        return np.asarray(file[key][()])
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {key!r} cannot be read: {error}") from error


def _scan(
    path: Path,
    keys: tuple[str, ...],
    frames: np.ndarray,
    flats: np.ndarray,
    darks: np.ndarray,
    degrees: np.ndarray,
) -> ScanFrames:
    for name, values in zip(keys, (frames, flats, darks, degrees), strict=True):
        if not np.issubdtype(values.dtype, np.number) or not np.all(np.isfinite(values)):
            raise DataError(f"{path}: {name} must hold finite numbers")
    if frames.ndim != 3 or any(v.ndim != 3 or v.shape[1:] != frames.shape[1:] for v in (flats, darks)):
        raise DataError(
            f"{path}: need (views, rows, bins) and frames of the same rows and bins, got {keys[0]} {frames.shape}, "
            f"{keys[1]} {flats.shape}, {keys[2]} {darks.shape}"
        )
    if degrees.shape != frames.shape[:1]:
        raise DataError(f"{path}: {len(frames)} views but angles of shape {degrees.shape}")
    frames, flats, darks = (np.asarray(v, np.float32) for v in (frames, flats, darks))
    return ScanFrames(frames, flats, darks, np.deg2rad(degrees.astype(np.float64)))
