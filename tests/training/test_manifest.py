"""Every damage of every file of a checkpoint is found before anything is restored."""

import json
import shutil

import jax.numpy as jnp
import pytest

from actlab.training.checkpoint import Checkpoints
from actlab.training.manifest import COMMITTED, MANIFEST, DamageError, read_manifest, verified


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Two sound steps, of other values."""
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints = Checkpoints(folder)
    for step in (1, 2):
        checkpoints.save(step, {"a": jnp.full((40, 50), float(step)), "b": jnp.arange(3)}, {"loss": 1.0 / step})
    checkpoints.close()
    return folder


def flip_any(path):
    """One bit at each of eight places in turn; yields after each, and puts it back."""
    data = path.read_bytes()
    for place in {len(data) * i // 8 for i in range(8)} | {len(data) - 1}:
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        yield damaged
    yield data[: len(data) // 2]
    yield data[:-1]
    yield b""
    yield bytes(len(data))
    yield data + b"\0"


def test_a_sound_step_says_what_it_holds(steps) -> None:
    manifest = verified(steps / "2", 2)
    assert manifest.arrays == {"a": "float32(40, 50)", "b": "int32(3,)"}
    assert manifest.metrics == {"loss": 0.5}
    assert sorted(manifest.files) == sorted(
        p.relative_to(steps / "2").as_posix()
        for p in (steps / "2").rglob("*")
        if p.is_file() and p.name not in (MANIFEST, COMMITTED)
    )


def test_flipped_cut_zeroed_emptied_and_deleted_files_are_found(steps, tmp_path) -> None:
    shutil.copytree(steps / "2", tmp_path / "2")
    files = [p for p in (tmp_path / "2").rglob("*") if p.is_file() and p.name != COMMITTED]
    damages = 0
    for path in files:
        sound = path.read_bytes()
        for damaged in flip_any(path) if sound else [b"\0"]:
            if damaged == sound:
                continue
            path.write_bytes(damaged)
            with pytest.raises(DamageError, match=path.name):
                verified(tmp_path / "2", 2)
            damages += 1
        path.unlink()
        with pytest.raises(DamageError, match=rf"{path.name} is missing"):
            verified(tmp_path / "2", 2)
        path.write_bytes(sound)
    verified(tmp_path / "2", 2)
    assert len(files) >= 5
    assert damages >= 10 * len(files) - 10


def test_steps_and_files_in_each_others_place_are_found(steps, tmp_path) -> None:
    shutil.copytree(steps, tmp_path / "c")
    (tmp_path / "c" / "1").rename(tmp_path / "c" / "3")
    with pytest.raises(DamageError, match="it holds step 1"):
        verified(tmp_path / "c" / "3", 3)
    shutil.copy(steps / "1" / "manifest.ocdbt", tmp_path / "c" / "2")
    with pytest.raises(DamageError, match="other bytes"):
        verified(tmp_path / "c" / "2", 2)
    (tmp_path / "c" / "3" / "new").touch()
    with pytest.raises(DamageError, match="new does not belong to it"):
        verified(tmp_path / "c" / "3", 1)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"manifest": 3}', '{"manifest": {"step": 1}}', "\x80"])
def test_what_is_no_manifest(tmp_path, text) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(DamageError, match=MANIFEST):
        read_manifest(tmp_path)


def test_a_manifest_that_was_edited(steps, tmp_path) -> None:
    """Its digest made to fit, but a dtype changed: the restored array would be another."""
    text = json.loads((steps / "1" / MANIFEST).read_text())
    text["manifest"]["arrays"]["a"] = "bfloat16(40, 50)"
    (tmp_path / MANIFEST).write_text(json.dumps(text))
    with pytest.raises(DamageError, match="was changed"):
        read_manifest(tmp_path)
