"""Nets of growing depth in small: a run that was killed goes on from the depths that it has trained."""

from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load
from actlab.systems.oversmoothing import model

CONFIG = Path(__file__).parents[2] / "configs" / "oversmoothing" / "trained_depths.toml"
SMALL = ["data=karate", "depths=[2, 3]", 'starts=["critical"]', "seeds=2", "recipe.width=4", "recipe.epochs=4"]


def test_trained_depths_are_kept_and_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, settings = load(CONFIG, SMALL)
    measured, _, _ = experiment.run(settings, tmp_path, lambda line: None)
    kept = tmp_path / "trained" / "critical"
    assert sorted(p.name for p in kept.iterdir()) == ["2", "3"]
    assert all((kept / depth / "checkpoints" / "4").is_dir() for depth in ("2", "3"))

    def training(*arguments: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(model, "_advance", training)
    again, _, _ = experiment.run(settings, tmp_path, lambda line: None)
    for before, after in zip(measured, again, strict=True):
        np.testing.assert_array_equal(before.values, after.values)
