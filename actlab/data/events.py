"""Spike and event recordings from files that the user has: SHD and SSC (HDF5), N-MNIST (.bin). HDF5 needs h5py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from actlab.data.npz import DataError
from actlab.data.scans import open_hdf5, read_member

COCHLEA_CHANNELS = 700
"""Of SHD and SSC."""
NMNIST_PIXELS = 34
"""Along each side."""
EVENT_BYTES = 5


@dataclass(frozen=True, eq=False)
class SpokenSpikes:
    """Recordings of spikes along the channels of an artificial cochlea.

    Attributes:
        times: of the spikes of each recording, seconds, float64.
        units: their channels, from 0 to 699.
        labels: classes, shape (recordings,).
        names: of the classes, where the file has them.
    """

    times: tuple[np.ndarray, ...]
    units: tuple[np.ndarray, ...]
    labels: Int[np.ndarray, " recordings"]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CameraEvents:
    """Events of one recording with an event camera.

    Attributes:
        x: column, from 0 to 33.
        y: row, from 0 to 33.
        on: whether the pixel grew brighter.
        microseconds: when.
    """

    x: Int[np.ndarray, " events"]
    y: Int[np.ndarray, " events"]
    on: np.ndarray
    microseconds: Int[np.ndarray, " events"]


def load_spoken_spikes(path: str | Path) -> SpokenSpikes:
    """Reads SHD or SSC: `spikes/times`, `spikes/units` (one array a recording), `labels`, `extra/keys`.

    Raises:
        DataError: no file, h5py missing, no HDF5, or an array that is missing or does not fit the others.

    Source: Cramer et al. 2020, arXiv:1910.07407.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing; unpack shd_train.h5 or its like there")
    with open_hdf5(path) as file:
        found: dict[str, Any] = {
            key: read_member(path, file, key) if key in file else None
            for key in ("spikes/times", "spikes/units", "labels")
        }
        keys = read_member(path, file, "extra/keys") if "extra/keys" in file else ()
    missing = [key for key, value in found.items() if value is None]
    if missing:
        raise DataError(f"{path} has no {missing[0]!r}; SHD and SSC have {', '.join(found)}")
    times, units, labels = (np.atleast_1d(found[key]) for key in found)
    if not len(times) == len(units) == len(labels):
        raise DataError(f"{path}: {len(times)} arrays of times, {len(units)} of units and {len(labels)} labels")
    for number, (t, u) in enumerate(zip(times, units, strict=True)):
        if not (np.ndim(t) == np.ndim(u) == 1):
            raise DataError(f"{path}: recording {number} is no array of times and one of units")
        if len(t) != len(u):
            raise DataError(f"{path}: recording {number} has {len(t)} times and {len(u)} units")
        if len(t) and not (
            np.all(np.isfinite(t)) and np.min(t) >= 0 and 0 <= np.min(u) <= np.max(u) < COCHLEA_CHANNELS
        ):
            raise DataError(f"{path}: recording {number} has times below 0 or not finite, or units outside 0 to 699")
    names = tuple(k.decode() if isinstance(k, bytes) else str(k) for k in keys)
    return SpokenSpikes(
        tuple(np.asarray(t, np.float64) for t in times),
        tuple(np.asarray(u, np.int32) for u in units),
        np.asarray(labels, np.int32),
        names,
    )


def spoken_raster(
    spikes: SpokenSpikes, steps: int, seconds: float = 1.4
) -> Float[np.ndarray, "recordings steps units"]:
    """Spikes counted in `steps` bins of equal width over `seconds`; later ones are left out.

    Raises:
        DataError: steps below 1, or seconds not positive.
    """
    if steps < 1 or not seconds > 0:
        raise DataError(f"spoken_raster: steps = {steps} must be at least 1 and seconds = {seconds} positive")
    counts = np.zeros((len(spikes.times), steps, COCHLEA_CHANNELS), np.float32)
    for number, (t, u) in enumerate(zip(spikes.times, spikes.units, strict=True)):
        step = np.floor(t * (steps / seconds)).astype(int)
        inside = step < steps
        np.add.at(counts[number], (step[inside], u[inside]), 1.0)
    return counts


def load_nmnist(path: str | Path) -> CameraEvents:
    """Reads one `.bin` of N-MNIST: events of 40 bits, x, y, then one bit of polarity and 23 of microseconds.

    Raises:
        DataError: no file, a length that is not a multiple of 5 bytes, or a pixel outside 34 x 34.

    Source: Orchard et al. 2015, Frontiers in Neuroscience 9:437.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing; N-MNIST has one .bin a digit, in folders named after its class")
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if content.size % EVENT_BYTES:
        raise DataError(f"{path} has {content.size} bytes, not a multiple of the {EVENT_BYTES} of an event")
    x, y, high, middle, low = content.reshape(-1, EVENT_BYTES).astype(np.int32).T
    if x.size and max(x.max(), y.max()) >= NMNIST_PIXELS:
        raise DataError(f"{path}: an event at pixel ({x.max()}, {y.max()}); N-MNIST has 34 x 34")
    return CameraEvents(x, y, high >= 128, ((high & 127) << 16) | (middle << 8) | low)


def load_nmnist_folder(folder: str | Path, steps: int, largest: int | None = None) -> tuple[Any, Any]:
    """Reads `folder/CLASS/*.bin` as rasters, shape (recordings, steps, 2 * 34 * 34) of counts, and their classes.

    Args:
        folder: "Train" or "Test" as unpacked: ten folders named 0 to 9.
        steps: bins of equal width over each recording.
        largest: at most so many of each class, in the order of their names; None: all.

    Raises:
        DataError: no such files, or one that `load_nmnist` refuses.
    """
    rasters, labels = [], []
    for label in range(10):
        for path in sorted((Path(folder) / str(label)).glob("*.bin"))[:largest]:
            rasters.append(camera_raster(load_nmnist(path), steps))
            labels.append(label)
    if not rasters:
        raise DataError(f"{folder} has no 0/*.bin to 9/*.bin; give the unpacked folder Train or Test of N-MNIST")
    return np.stack(rasters), np.asarray(labels, np.int32)


def camera_raster(events: CameraEvents, steps: int) -> Float[np.ndarray, "steps pixels"]:
    """Events counted in `steps` bins of equal width from the first to the last, pixels of either polarity apart.

    Raises:
        DataError: steps below 1.
    """
    if steps < 1:
        raise DataError(f"camera_raster: steps = {steps} must be at least 1")
    counts = np.zeros((steps, 2, NMNIST_PIXELS, NMNIST_PIXELS), np.float32)
    if events.microseconds.size:
        time = events.microseconds.astype(np.int64) - events.microseconds.min()  # its product overflows 32 bits
        step = np.minimum(time * steps // max(int(time.max()), 1), steps - 1)
        np.add.at(counts, (step, events.on.astype(int), events.y, events.x), 1.0)
    return counts.reshape(steps, -1)
