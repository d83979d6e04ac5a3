from pathlib import Path

import numpy as np
import pytest

from actlab.data import DataError
from actlab.data.text import load_text


def test_characters_are_numbered_by_their_bytes_and_cut_in_three(tmp_path: Path) -> None:
    written = np.frombuffer(b"the quick brown fox " * 10, np.uint8)
    np.savez(tmp_path / "fox.npz", text=written)
    text = load_text(tmp_path, "fox")
    assert [len(part) for part in (text.train, text.val, text.test)] == [180, 10, 10]
    restored = np.asarray(text.alphabet)[np.concatenate([text.train, text.val, text.test])]
    np.testing.assert_array_equal(restored, written)
    assert list(text.alphabet) == sorted(set(b"the quick brown fox "))


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        load_text(tmp_path, "none")
    np.savez(tmp_path / "short.npz", text=np.zeros(10, np.uint8))
    with pytest.raises(DataError, match="at least 100"):
        load_text(tmp_path, "short")
    np.savez(tmp_path / "other.npz", words=np.zeros(1000, np.uint8))
    with pytest.raises(DataError, match="no array 'text'"):
        load_text(tmp_path, "other")


def test_tiny_shakespeare(shared_data: Path) -> None:
    text = load_text(shared_data)
    assert len(text.train) + len(text.val) + len(text.test) == 1_115_394
    assert len(text.alphabet) == 65
    assert bytes(text.alphabet[code] for code in text.train[:13]) == b"First Citizen"
