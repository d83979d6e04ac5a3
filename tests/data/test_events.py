"""Readers of spikes and events, on small files made in each format."""

from pathlib import Path

import numpy as np
import pytest

from actlab.data import DataError
from actlab.data.events import (
    camera_raster,
    load_nmnist,
    load_nmnist_folder,
    load_spoken_spikes,
    spoken_raster,
)

EVENTS = [(3, 33, True, 0), (0, 1, False, 70_000), (5, 7, True, 300_001)]


def write_nmnist(path: Path, events=EVENTS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    words = [(x << 32) | (y << 24) | (on << 23) | t for x, y, on, t in events]
    path.write_bytes(b"".join(w.to_bytes(5, "big") for w in words))
    return path


def test_nmnist(tmp_path: Path) -> None:
    events = load_nmnist(write_nmnist(tmp_path / "0" / "00002.bin"))
    np.testing.assert_array_equal(events.x, [3, 0, 5])
    np.testing.assert_array_equal(events.y, [33, 1, 7])
    np.testing.assert_array_equal(events.on, [True, False, True])
    np.testing.assert_array_equal(events.microseconds, [0, 70_000, 300_001])
    raster = camera_raster(events, 3).reshape(3, 2, 34, 34)
    assert raster.sum() == 3
    assert raster[0, 1, 33, 3] == raster[0, 0, 1, 0] == raster[2, 1, 7, 5] == 1
    long = load_nmnist(write_nmnist(tmp_path / "long.bin", [(0, 0, True, 0), (1, 0, True, 8_000_000)]))
    assert camera_raster(long, 300).reshape(300, 2, 34, 34)[299, 1, 0, 1] == 1
    write_nmnist(tmp_path / "7" / "00001.bin", EVENTS[:1])
    rasters, labels = load_nmnist_folder(tmp_path, 4)
    assert rasters.shape == (2, 4, 2 * 34 * 34)
    np.testing.assert_array_equal(labels, [0, 7])


def test_nmnist_refuses(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        load_nmnist(tmp_path / "none.bin")
    short = tmp_path / "short.bin"
    short.write_bytes(b"1234567")
    with pytest.raises(DataError, match="7 bytes, not a multiple"):
        load_nmnist(short)
    with pytest.raises(DataError, match="34 x 34"):
        load_nmnist(write_nmnist(tmp_path / "wide.bin", [(34, 0, False, 0)]))
    with pytest.raises(DataError, match="has no 0/"):
        load_nmnist_folder(tmp_path / "empty", 4)


def write_spoken(path: Path, unit_type: type = np.uint16, **changes: object) -> Path:
    h5py = pytest.importorskip("h5py")
    times = [np.asarray([0.0, 0.35, 1.39], np.float16), np.asarray([], np.float16), np.asarray([1.5], np.float16)]
    units = [np.asarray([0, 699, 5], np.uint16), np.asarray([], np.uint16), np.asarray([9], np.uint16)]
    parts = {"times": times, "units": units, "labels": np.asarray([4, 0, 19], np.uint8), **changes}
    with h5py.File(path, "w") as file:
        for name, kind in (("times", np.float16), ("units", unit_type)):
            stored = file.create_dataset(f"spikes/{name}", (len(parts[name]),), h5py.vlen_dtype(kind))
            for i, row in enumerate(parts[name]):
                stored[i] = row
        if parts["labels"] is not None:
            file["labels"] = parts["labels"]
        file["extra/keys"] = np.asarray([b"zero", b"one"])
    return path


def test_spoken_spikes(tmp_path: Path) -> None:
    spikes = load_spoken_spikes(write_spoken(tmp_path / "shd_train.h5"))
    assert [len(t) for t in spikes.times] == [3, 0, 1]
    np.testing.assert_array_equal(spikes.units[0], [0, 699, 5])
    np.testing.assert_array_equal(spikes.labels, [4, 0, 19])
    assert spikes.names == ("zero", "one")
    raster = spoken_raster(spikes, 14)
    assert raster.shape == (3, 14, 700)
    assert raster[0, 0, 0] == raster[0, 3, 699] == raster[0, 13, 5] == 1
    assert raster.sum() == 3  # the spike at 1.5 s is beyond 1.4 s


def test_spoken_spikes_refuse(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no 'labels'"):
        load_spoken_spikes(write_spoken(tmp_path / "a.h5", labels=None))
    with pytest.raises(DataError, match="and 2 labels"):
        load_spoken_spikes(write_spoken(tmp_path / "b.h5", labels=np.asarray([1, 2])))
    bad = [np.asarray([0, 1, 700]), np.asarray([]), np.asarray([9])]
    with pytest.raises(DataError, match="units outside 0 to 699"):
        load_spoken_spikes(write_spoken(tmp_path / "c.h5", units=bad))
    negative = [np.asarray([0, 1, -1]), np.asarray([]), np.asarray([9])]
    with pytest.raises(DataError, match="units outside 0 to 699"):
        load_spoken_spikes(write_spoken(tmp_path / "e.h5", units=negative, unit_type=np.int32))
    text = tmp_path / "text.h5"
    text.write_text("no")
    with pytest.raises(DataError, match="an HDF5 file"):
        load_spoken_spikes(text)
    with pytest.raises(DataError, match="steps = 0"):
        spoken_raster(load_spoken_spikes(write_spoken(tmp_path / "d.h5")), 0)
