"""The manifest of a checkpoint: SHA-256 of its files, form of its arrays. Written into the step before it commits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

MANIFEST = "manifest.json"
COMMITTED = "commit_success.txt"
"""Orbax's mark, written after the manifest; says nothing that is read."""


class DamageError(ValueError):
    """A checkpoint whose bytes are not those that were written; the message says which."""


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint must be.

    Attributes:
        step: of the run.
        arrays: dtype and shape of each array by its path, as `float32(2, 4)`.
        metrics: numbers by which checkpoints are ranked.
        files: SHA-256 of each file by its path in the folder.
    """

    step: int
    arrays: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Mapping[str, str]


def seal(folder: Path, step: int, arrays: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    """Writes the manifest of what the folder holds."""
    files = {name: _digest(folder / name) for name in _files(folder)}
    (folder / MANIFEST).write_text(_text(Manifest(step, arrays, metrics, files)), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a folder.

    Raises:
        DamageError: none, or not one that `seal` wrote.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DamageError(f"{MANIFEST} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DamageError(f"{MANIFEST} cannot be read") from error
    try:
        manifest = Manifest(**json.loads(text)["manifest"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamageError(f"{MANIFEST} is no manifest") from error
    if _text(manifest) != text:
        raise DamageError(f"{MANIFEST} was changed")
    return manifest


def verified(folder: Path, step: int) -> Manifest:
    """The manifest of a step, once every byte has been compared with it.

    Raises:
        DamageError: a file that is missing, added or changed, or a manifest of another step; names the first.
    """
    manifest = read_manifest(folder)
    if manifest.step != step:
        raise DamageError(f"it holds step {manifest.step}")
    present = _files(folder)
    for name in sorted({*manifest.files, *present}):
        if name not in present:
            raise DamageError(f"{name} is missing")
        if name not in manifest.files:
            raise DamageError(f"{name} does not belong to it")
        try:
            same = _digest(folder / name) == manifest.files[name]
        except OSError as error:
            raise DamageError(f"{name} cannot be read ({error.strerror})") from error
        if not same:
            raise DamageError(f"{name} has other bytes than were written")
    return manifest


def _files(folder: Path) -> list[str]:
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())
    return sorted(name for name in found if name not in (MANIFEST, COMMITTED))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(manifest: Manifest) -> str:
    body = json.dumps(asdict(manifest), sort_keys=True)
    return f'{{"sha256": "{hashlib.sha256(body.encode()).hexdigest()}", "manifest": {body}}}\n'
