"""Evaluations kept in files, so that none is computed twice: of one run, and of all runs on this machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from actlab.activations import Activation
from actlab.measurement import Evaluation, System
from actlab.report import ResultsError, decode_evaluation, encode_evaluation, write_whole

SHARED_FILES = 2000
"""At most in a shared folder, some 50 MB; the longest unused go first."""

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_POINTS = np.concatenate([np.linspace(-12.0, 12.0, 4801), *(sign * np.logspace(-30, 30, 121) for sign in (-1, 1))])


@dataclass(frozen=True)
class KeptEvaluations:
    """Finished evaluations in folders, one file each.

    An evaluation is found again where everything that it depends on is the same: the source of actlab, the versions of
    Python and of all that is installed, the machine and its precision, the system, the seeds, and the activation (its
    name, its facts, its program, and its values and slopes at 5,043 points).

    Attributes:
        run: folder of this run, complete when it ends; None keeps nothing of it.
        shared: folder of what any run found, read where the run's has nothing, written to with it; None for none. One
            that cannot be written is only read, and a file in it that cannot be read is computed anew.
        read: False finds nothing, so that all is computed again and kept in place of what was there.
    """

    run: Path | None = None
    shared: Path | None = None
    read: bool = True

    def find(self, key: str) -> Evaluation | None:
        """What is kept under a key of `evaluation_key`, or None.

        Raises:
            ResultsError: the file in the run's folder is damaged.
        """
        if not self.read:
            return None
        if self.run is not None and (file := self.run / key).is_file():
            return _read(file)
        if self.shared is None or not (file := self.shared / key).is_file():
            return None
        try:
            evaluation = _read(file)
            os.utime(file)
        except (OSError, ResultsError):
            return None
        if self.run is not None:
            _write(self.run / key, evaluation)
        return evaluation

    def keep(self, key: str, evaluation: Evaluation) -> None:
        """Keeps it under its key.

        Raises:
            OSError: the run's folder cannot be written.
        """
        if self.run is not None:
            _write(self.run / key, evaluation)
        if self.shared is not None:
            with contextlib.suppress(OSError):
                _write(self.shared / key, evaluation)
                for old in sorted(self.shared.iterdir(), key=lambda file: -file.stat().st_mtime)[SHARED_FILES:]:
                    old.unlink()


def _read(file: Path) -> Evaluation:
    try:
        return decode_evaluation(file.read_text(encoding="utf-8"))
    except (ResultsError, UnicodeDecodeError) as error:
        raise ResultsError(f"{file} is damaged; remove it, and it is computed anew ({error})") from error


def _write(file: Path, evaluation: Evaluation) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, encode_evaluation(evaluation))


def evaluation_key(system: System, identity: str, seeds: Sequence[int]) -> str:
    """The file name of an evaluation: its system and a digest of everything that it depends on.

    Args:
        system: by its name; its code is part of the package.
        identity: `identity_of` the activation, empty for the references.
        seeds: of the evaluation.
    """
    parts = [*_place(), system.name, repr(tuple(seeds)), identity]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return f"{system.name}-{digest}.json"


def identity_of(activation: Activation) -> str:
    """A digest of what an activation is: its name, facts, program, and values and slopes at many points."""
    points = jnp.asarray(_POINTS, jnp.float32)
    values = np.stack([np.asarray(activation(points)), np.asarray(activation.slope(points))])
    program = _ADDRESS.sub("0x", str(jax.make_jaxpr(activation)(points)))
    parts = [activation.name, json.dumps(activation.facts.as_json()), program, values.tobytes().hex()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _place() -> list[str]:
    """The code, what carries it out, and where."""
    device = jax.devices()[0]
    precision = jax.config.values["jax_default_matmul_precision"]
    settings = [jnp.result_type(float), precision, os.environ.get("XLA_FLAGS", "")]
    machine = [platform.node(), platform.machine(), device.platform, device.device_kind]
    return [_code(), *map(str, settings), *machine]


@functools.cache
def _code() -> str:
    """A digest of all versions, and of the package's own files, which in a checkout change without their version."""
    package, digest = Path(__file__).parent, hashlib.sha256(platform.python_version().encode())
    for name in sorted({f"{d.name} {d.version}" for d in importlib.metadata.distributions()}):
        digest.update(name.encode() + b"\0")
    for file in sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
