"""Readers of scans, on small files made in each format; pydicom's own slice and the tooth where they are."""

from pathlib import Path

import numpy as np
import pytest

from actlab.data import DataError, load_dicom_slice, load_lodopab, load_scan
from actlab.data.scans import slice_of_pydicom


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "proj": rng.uniform(1, 9, (4, 2, 5)).astype(np.float32),
        "white": rng.uniform(9, 10, (3, 2, 5)).astype(np.float32),
        "dark": rng.uniform(0, 1, (2, 2, 5)).astype(np.float32),
        "theta_deg": np.array([0.0, 45.0, 90.0, 135.0]),
    }


def test_npz(arrays, tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    np.savez(path, **arrays)
    scan = load_scan(path)
    np.testing.assert_array_equal(scan.frames, arrays["proj"])
    np.testing.assert_array_equal(scan.flats, arrays["white"])
    np.testing.assert_array_equal(scan.darks, arrays["dark"])
    np.testing.assert_allclose(scan.angles, np.pi * np.arange(4) / 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"proj": None}, "no array 'proj'"),
        ({"proj": np.zeros((4, 5))}, r"need \(views, rows, bins\)"),
        ({"white": np.zeros((3, 2, 4))}, "white"),
        ({"theta_deg": np.zeros(3)}, "4 views but angles"),
        ({"proj": np.full((4, 2, 5), np.nan)}, "proj must hold finite"),
        ({"dark": np.full((2, 2, 5), np.nan)}, "dark must hold finite"),
    ],
)
def test_scans_that_do_not_fit(arrays, change, message, tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    np.savez(path, **{k: v for k, v in (arrays | change).items() if v is not None})
    with pytest.raises(DataError, match=message):
        load_scan(path)
    with pytest.raises(DataError, match="is missing"):
        load_scan(tmp_path / "other.npz")


@pytest.mark.parametrize("units", ["degrees", "radians"])
def test_data_exchange(arrays, units, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        for key, name in (("data", "proj"), ("data_white", "white"), ("data_dark", "dark")):
            file[f"exchange/{key}"] = arrays[name]
        file["exchange/theta"] = arrays["theta_deg"] if units == "degrees" else np.deg2rad(arrays["theta_deg"])
        file["exchange/theta"].attrs["units"] = units
    scan = load_scan(path)
    np.testing.assert_array_equal(scan.frames, arrays["proj"])
    np.testing.assert_allclose(scan.angles, np.pi * np.arange(4) / 4)
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(DataError, match="neither an npz nor an HDF5"):
        load_scan(tmp_path / "text.h5")


def test_lodopab(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    seen, truth = rng.uniform(size=(2, 1000, 513)).astype(np.float32), rng.uniform(size=(2, 362, 362))
    with h5py.File(tmp_path / "observation_test_003.hdf5", "w") as file:
        file["data"] = seen
    with pytest.raises(DataError, match="ground_truth_test_003"):
        load_lodopab(tmp_path, "test", 3)
    with h5py.File(tmp_path / "ground_truth_test_003.hdf5", "w") as file:
        file["data"] = truth
    pairs = load_lodopab(tmp_path, "test", 3)
    np.testing.assert_allclose(pairs.integrals, 81.35858 * seen, rtol=1e-6)
    np.testing.assert_allclose(pairs.images[1, 361 - 7, 30], 0.08135858 * truth[1, 30, 7], rtol=1e-6)


def test_dicom(tmp_path: Path) -> None:
    ct_small = pytest.importorskip("pydicom.data").get_testdata_file("CT_small.dcm", download=False)
    found = slice_of_pydicom()
    assert found is not None
    assert found.hounsfield.shape == (128, 128)
    assert (found.hounsfield.min(), found.hounsfield.max()) == (-896.0, 1167.0)
    assert found.pixel == pytest.approx(0.661468)
    with pytest.raises(DataError, match="frame = 1, but it has 1 frames"):
        load_dicom_slice(ct_small, frame=1)
    (tmp_path / "a.dcm").write_text("no")
    with pytest.raises(DataError, match="not a DICOM"):
        load_dicom_slice(tmp_path / "a.dcm")


def test_the_tooth(shared_data: Path) -> None:
    path = shared_data / "tomopy_tooth.npz"
    if not path.is_file():
        pytest.skip(f"needs TomoPy's example scan as {path}, which is not shipped with the package")
    scan = load_scan(path)
    assert scan.frames.shape == (181, 2, 640)
    assert scan.angles[-1] < np.pi
