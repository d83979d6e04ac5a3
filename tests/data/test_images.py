"""Readers of image sets, on small files made in each format, whole and damaged; and on the real MNIST where it is."""

import gzip
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from actlab.data import DataError, load_cifar10, load_fashion_mnist, load_images, load_mnist
from actlab.data.idx import read_idx

R = np.random.default_rng(0)
X, Y = R.integers(0, 256, (7, 5, 4), np.uint8), np.arange(7, dtype=np.uint8)
X_TEST, Y_TEST = R.integers(0, 256, (3, 5, 4), np.uint8), np.array([9, 0, 4], np.uint8)


def idx(values: np.ndarray, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_idx(folder: Path, zipped: bool = False, dotted: bool = False, **changed: bytes) -> None:
    files = {
        "train-images-idx3-ubyte": idx(X),
        "train-labels-idx1-ubyte": idx(Y),
        "t10k-images-idx3-ubyte": idx(X_TEST),
        "t10k-labels-idx1-ubyte": idx(Y_TEST),
    }
    files |= {k.replace("_", "-"): v for k, v in changed.items()}
    for name, content in files.items():
        name = name.replace("-idx", ".idx") if dotted else name
        (folder / f"{name}{'.gz' if zipped else ''}").write_bytes(gzip.compress(content) if zipped else content)


def check(images) -> None:
    np.testing.assert_array_equal(images.x_train, X[..., None])
    np.testing.assert_array_equal(images.y_train, Y)
    np.testing.assert_array_equal(images.x_test, X_TEST[..., None])
    np.testing.assert_array_equal(images.y_test, Y_TEST)
    assert images.x_train.dtype == np.uint8
    assert images.y_test.dtype == np.int32


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_files_are_read_exactly(tmp_path: Path, zipped: bool, dotted: bool) -> None:
    write_idx(tmp_path, zipped, dotted)
    check(load_mnist(tmp_path))
    check(load_fashion_mnist(str(tmp_path)))
    assert load_images(tmp_path, "fashion-mnist").name == "fashion-mnist"


def test_npz_is_read_exactly_and_before_idx(tmp_path: Path) -> None:
    write_idx(tmp_path, train_images_idx3_ubyte=b"broken")
    np.savez(tmp_path / "mnist.npz", x_train=X, y_train=Y, x_test=X_TEST, y_test=Y_TEST)
    check(load_mnist(tmp_path))


def cifar(labels: list[int], seed: int) -> tuple[bytes, np.ndarray]:
    """Records as the format has them, written pixel by pixel, and the images they hold."""
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 32, 32, 3), np.uint8)
    content = b"".join(
        bytes([label]) + b"".join(image[:, :, c].tobytes() for c in range(3))
        for label, image in zip(labels, images, strict=True)
    )
    return content, images


def write_cifar(folder: Path) -> list[np.ndarray]:
    folder.mkdir(exist_ok=True)
    made = [cifar([i, 9 - i], i) for i in range(6)]
    for name, (content, _) in zip([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], made, strict=True):
        (folder / f"{name}.bin").write_bytes(content)
    return [images for _, images in made]


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin"])
def test_cifar_is_read_exactly(tmp_path: Path, inside: str) -> None:
    made = write_cifar(tmp_path / inside)
    images = load_cifar10(tmp_path)
    np.testing.assert_array_equal(images.x_train, np.concatenate(made[:5]))
    np.testing.assert_array_equal(images.x_test, made[5])
    assert images.y_train.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert images.y_test.tolist() == [5, 4]


class Bomb:
    def __reduce__(self):
        return (Path.write_text, (Path(Bomb.mark), "exploded"))


def test_no_pickle_is_ever_loaded(tmp_path: Path) -> None:
    Bomb.mark = str(tmp_path / "mark")
    content = pickle.dumps(Bomb())
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        (folder / name).write_bytes(content)
    for place in (tmp_path, folder):
        with pytest.raises(DataError, match=r"data_batch_1\.bin is missing.*a pickle, which is never loaded.*binary"):
            load_cifar10(place)
    array = np.empty(1, object)
    array[0] = Bomb()
    buffer = io.BytesIO()
    np.savez(buffer, x_train=array, y_train=Y, x_test=X_TEST, y_test=Y_TEST, allow_pickle=True)
    (tmp_path / "mnist.npz").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="without pickles"):
        load_mnist(tmp_path)
    assert not Path(Bomb.mark).exists()


IDX_DAMAGE = {
    "no idx": (b"hello world, this is text", "does not begin with two zero bytes"),
    "empty": (b"", "does not begin"),
    "labels for images": (idx(Y), "images and labels interchanged"),
    "floats": (idx(X.astype(np.float32), 13), "type 0xd"),
    "cut": (idx(X)[:-1], r"has 155 bytes where its header \(7, 5, 4\) needs 156"),
    "too long": (idx(X) + b"\0", "has 157 bytes"),
    "a header of petabytes": (bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3), "where its header"),
    "gzip cut": (gzip.compress(idx(X))[:-9], "cannot be read"),
    "gzip changed": (gzip.compress(idx(X))[:20] + b"\xff" * 20, "cannot be read"),
    "one image too many": (idx(np.zeros((8, 5, 4), np.uint8)), r"got \(8, 5, 4\) and \(7,\)"),
    "another size": (idx(np.zeros((7, 6, 4), np.uint8)), r"train images are \(6, 4\) pixels, test images \(5, 4\)"),
    "none": (idx(np.zeros((0, 5, 4), np.uint8)), r"got \(0, 5, 4\)"),
}


@pytest.mark.parametrize("case", IDX_DAMAGE)
def test_damaged_idx_files_are_refused_in_one_line(case: str, tmp_path: Path) -> None:
    content, because = IDX_DAMAGE[case]
    write_idx(tmp_path, train_images_idx3_ubyte=content)
    with pytest.raises(DataError, match=because) as caught:
        load_mnist(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_outside_the_classes_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, t10k_labels_idx1_ubyte=idx(np.array([1, 2, 10], np.uint8)))
    with pytest.raises(DataError, match=r"test labels from 1 to 10; they must be in 0\.\.9"):
        load_fashion_mnist(tmp_path)


def test_absent_files_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is missing.*mnist\.npz.*four idx files"):
        load_mnist(tmp_path)
    with pytest.raises(DataError, match="no set of images 'svhn'; known: mnist, fashion-mnist, cifar-10"):
        load_images(tmp_path, "svhn")
    with pytest.raises(DataError, match="is missing"):
        read_idx(tmp_path / "nothing", 1)
    with pytest.raises(DataError, match="data_batch_1.bin is missing; put the binary version"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "has 0 bytes"),
        (bytes(3072), "not a multiple of the 3073"),
        (cifar([3, 12], 0)[0], "record 1 has the label 12"),
    ],
)
def test_damaged_cifar_batches_are_refused(content: bytes, because: str, tmp_path: Path) -> None:
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(DataError, match=rf"data_batch_3\.bin.*{because}"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "because"),
    [
        ({"x_train": X.astype(np.float32)}, "must be uint8"),
        ({"y_train": Y.astype(np.float32)}, "labels integers"),
        ({"y_test": Y_TEST[1:]}, r"got \(3, 5, 4\) and \(2,\)"),
        ({"x_test": X_TEST[..., None]}, r"got \(3, 5, 4, 1\)"),
    ],
)
def test_npz_that_does_not_fit_is_refused(arrays: dict, because: str, tmp_path: Path) -> None:
    whole = {"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST}
    np.savez(tmp_path / "mnist.npz", **whole | arrays)
    with pytest.raises(DataError, match=because):
        load_mnist(tmp_path)
    np.savez(tmp_path / "mnist.npz", **{k: v for k, v in whole.items() if k != "y_test"})
    with pytest.raises(DataError, match="no array 'y_test'"):
        load_mnist(tmp_path)
    (tmp_path / "mnist.npz").write_bytes(b"no zip")
    with pytest.raises(DataError, match="no zip archive"):
        load_mnist(tmp_path)


def test_the_real_mnist(shared_data: Path) -> None:
    images = load_mnist(shared_data)
    assert images.x_train.shape == (60000, 28, 28, 1)
    assert images.x_test.shape == (10000, 28, 28, 1)
    assert images.x_train.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert images.x_train.std() / 255 == pytest.approx(0.3081, abs=1e-4)
    assert np.bincount(images.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
