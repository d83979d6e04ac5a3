"""Latency- and rate-coded images in small: every code is learned, the control less."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load
from actlab.config import ConfigError
from experiments.coded_images import brightness

CONFIG = Path(__file__).parents[2] / "configs" / "spiking" / "codes.toml"
SMALL = ["times=10", "steps=60", "hidden=32", "seeds=2", "betas=[10.0]", "learning_rate=2e-2"]


def test_codes_are_learned_and_times_tell_something() -> None:
    experiment, settings = load(CONFIG, SMALL)
    measured, claims, curves = experiment.run(settings, None, lambda line: None)
    found = {m.activation: m.mean for m in measured}
    assert found["latency code"] > 60
    assert found["rate code"] > 60
    assert found["latency code, times shuffled"] < found["latency code"] - 5
    assert claims[-1].verdict == "holds"
    assert len(curves) == 3


def test_files_of_the_user_are_read(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 70), ("t10k", 20)):
        pixels, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count).astype(np.uint8)
        images = struct.pack(">IIII", 2051, count, 28, 28) + pixels.tobytes()
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">II", 2049, count) + labels.tobytes())
        )
    _, settings = load(CONFIG, ["set=mnist", f"data={tmp_path}"])
    train, test = brightness(settings)
    assert train["times"].shape == (70, 784)
    assert test["times"].shape == (20, 784)
    assert 0 <= train["times"].min() < train["times"].max() == 1


def test_a_set_of_files_needs_a_folder() -> None:
    experiment, settings = load(CONFIG, ["set=mnist"])
    with pytest.raises(ConfigError, match="set data = FOLDER"):
        experiment.run(settings, None, lambda line: None)
