"""Malformed data files of every format: a DataError that names the file; no pickle is ever loaded.

Each pickled file here would leave a mark if it were.
"""

import gzip
import importlib.util
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actlab import data
from actlab.data import DataError
from actlab.data.citation import load_citation
from actlab.data.text import load_text


class Mark:
    """Leaves a file when unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


PICKLE = pickle.dumps(Mark())


def contents(folder: Path) -> dict:
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def hdf5(**arrays) -> bytes:
    """Empty where h5py is not installed: refused for that reason then."""
    if importlib.util.find_spec("h5py") is None:
        return b""
    h5py = importlib.import_module("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, values in arrays.items():
            if values is None:
                file.create_group(name)
            else:
                file[name.replace("__", "/")] = values
    return stream.getvalue()


def damaged(sound: bytes) -> list[bytes]:
    """What befalls a file whatever its format."""
    cut = [sound[: len(sound) * i // 4] for i in range(4)] + [sound[:-1]]
    return [*cut, PICKLE, b"text\n", bytes(len(sound)), archive(X=PICKLE), b"\x80\x04" + sound, gzip.compress(PICKLE)]


def readers() -> dict[str, tuple[str, bytes, Callable, list[bytes]]]:
    """name -> (file, a sound content or an empty one, how it is read, further malformed contents)."""
    rows, line = np.ones((3, 2)), np.ones(3)
    pickled = np.array([Mark()], dtype=object)
    uci = [
        npz(X=rows),
        npz(y=line),
        npz(X=rows, y=rows),
        npz(X=line, y=line),
        npz(X=rows, y=line[:2]),
        npz(X=rows[:0], y=line[:0]),
        npz(X=rows.astype(int), y=line),
        npz(X=rows * np.nan, y=line),
        npz(X=rows, y=line * np.inf),
        npz(X=pickled, y=line),
        npz(X=rows.astype(str), y=line),
        npz(X=rows.astype(complex), y=line),
        archive(X=PICKLE, y=PICKLE),
    ]
    images = np.zeros((2, 28, 28), np.uint8)
    labels = np.zeros(2, np.uint8)
    good = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    mnist = [
        npz(**{**good, **change})
        for change in (
            {"x_train": images[0]},
            {"y_train": labels[:1]},
            {"x_train": images / 2},
            {"y_train": labels / 2},
            {"y_test": labels + 10},
            {"x_test": images[:, :5]},
            {"x_train": pickled},
            {"x_test": images[:0], "y_test": labels[:0]},
            {"y_train": labels.astype(str)},
        )
    ]
    frames, degrees = np.ones((4, 2, 3)), np.arange(4.0)
    scan = {"proj": frames, "white": frames, "dark": frames, "theta_deg": degrees}
    scans = [
        npz(**{**scan, **change})
        for change in (
            {"proj": frames[0]},
            {"theta_deg": degrees[:2]},
            {"white": frames[..., :1]},
            {"dark": frames * np.nan},
            {"proj": pickled},
            {"theta_deg": degrees.astype(str)},
            {"proj": frames[:0]},
        )
    ]
    exchange = {
        f"exchange__{k}": v for k, v in zip(("data", "data_white", "data_dark", "theta"), scan.values(), strict=True)
    }
    exchanged = [
        hdf5(a=line),
        hdf5(**{**exchange, "exchange__theta": degrees[:1]}),
        hdf5(exchange=None),
        *damaged(hdf5(**exchange)),
    ]
    spikes = hdf5(spikes__times=rows, spikes__units=rows.astype(int), labels=np.zeros(3, int))
    spoken = [
        hdf5(labels=np.zeros(3, int)),
        hdf5(spikes__times=rows, spikes__units=rows, labels=np.zeros(2, int)),
        hdf5(spikes__times=-rows, spikes__units=rows.astype(int), labels=np.zeros(3, int)),
        hdf5(spikes=None, labels=None),
        hdf5(spikes__times=rows, spikes__units=rows.astype(int) + 700, labels=np.zeros(3, int)),
        hdf5(spikes__times=rows, spikes__units=rows[:, :1].astype(int), labels=np.zeros(3, int)),
        hdf5(spikes__times=np.float64(1.0), spikes__units=np.float64(1.0), labels=np.int64(1)),
    ]
    pairs = [hdf5(data=rows), hdf5(other=rows), hdf5(data=None), hdf5(data=np.zeros((1, 9, 9)))]
    idx = [
        b"\0\0\x08\x03" + b"\xff" * 12,
        b"\0\0\x0d\x03" + bytes(12),
        b"\0\0\x08\x01" + bytes(4),
        gzip.compress(b"\0\0\x08\x03")[:-5],
    ]
    return {
        "uci": ("yacht.npz", npz(X=rows, y=line), lambda p: data.load_uci(p, "yacht"), uci),
        "mnist": ("mnist.npz", npz(**good), data.load_mnist, mnist),
        "idx": ("train-images-idx3-ubyte", b"\0\0\x08\x03" + bytes(12), data.load_fashion_mnist, idx),
        "cifar": ("data_batch_1.bin", bytes(3073), data.load_cifar10, [b"\x0b" + bytes(3072), bytes(3072)]),
        "scan": ("scan", npz(**scan), lambda p: data.load_scan(p / "scan"), scans + exchanged),
        "lodopab": ("observation_train_000.hdf5", hdf5(data=rows), data.load_lodopab, pairs),
        "dicom": ("a.dcm", dicom(), lambda p: data.load_dicom_slice(p / "a.dcm"), []),
        "spoken": ("s.h5", spikes, lambda p: data.load_spoken_spikes(p / "s.h5"), spoken),
        "nmnist": ("e.bin", bytes(10), lambda p: data.load_nmnist(p / "e.bin"), [bytes(4), b"\xff" * 5]),
        "citation": ("cora.npz", b"", lambda p: load_citation(p, "cora"), [npz(x=rows), npz(X=pickled)]),
        "text": ("tinyshakespeare.npz", b"", load_text, [npz(text=line), npz(train=pickled), npz(a=rows)]),
    }


def dicom() -> bytes:
    if importlib.util.find_spec("pydicom") is None:
        return b""
    files = importlib.import_module("pydicom.data")
    return Path(str(files.get_testdata_file("CT_small.dcm", download=False))).read_bytes()


# A cut or a zeroed body of these formats may still be one.
STILL_SOUND = {("nmnist", b""), ("nmnist", bytes(10)), ("nmnist", bytes(10)[:5])}


@pytest.mark.parametrize(
    "name", ["uci", "mnist", "idx", "cifar", "scan", "lodopab", "dicom", "spoken", "nmnist", "citation", "text"]
)
def test_malformed_data_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    file, sound, read, further = readers()[name]
    still_sound = {*STILL_SOUND, ("dicom", sound[:-1])}  # which ends with padding
    faults: dict = {}
    path = tmp_path / "data" / file
    path.parent.mkdir()
    for number, content in enumerate([*damaged(sound), *further]):
        path.write_bytes(content)
        before = contents(tmp_path)
        try:
            read(path.parent)
        except DataError as error:
            clear = len(str(error)) < 400 and str(path.parent) in str(error)
            faults[number, content[:20]] = "" if clear else f"unclear: {error}"
        except Exception as error:
            faults[number, content[:20]] = f"{type(error).__name__}: {str(error)[:150]}"
        else:
            faults[number, content[:20]] = "" if (name, content) in still_sound else "was read"
        assert contents(tmp_path) == before
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError):
        read(path.parent)
    assert {case: fault for case, fault in faults.items() if fault} == {}
    assert len(faults) >= 11
