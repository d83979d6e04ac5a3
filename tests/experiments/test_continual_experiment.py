"""The slowly changing regression's experiment in small; what it keeps; what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load

CONFIG = Path(__file__).parents[2] / "configs" / "continual" / "slowly_changing.toml"
SMALL = ["seeds=2", "block=60", "blocks=10", "step_sizes=[0.01]", "expected=[]"]


def test_in_small_and_again_from_what_was_kept(tmp_path: Path) -> None:
    overrides = [*SMALL, 'activations=["crelu", "tanh"]', 'drawn=["tanh"]', 'order=[["tanh", "crelu"]]']
    experiment, settings = load(CONFIG, overrides)
    measured, claims, curves = experiment.run(settings, tmp_path, lambda line: None)
    ends = {m.activation: m.values for m in measured if m.name == "squared error, last fifth, step 0.01"}
    np.testing.assert_array_equal(claims[0].measurement.values, ends["tanh"] - ends["crelu"])
    assert len(curves) == 1
    assert sorted(p.name for p in (tmp_path / "courses").iterdir()) == ["crelu.npz", "tanh.npz"]
    again, _, _ = experiment.run(settings, tmp_path, lambda line: None)
    for before, after in zip(measured, again, strict=True):
        np.testing.assert_array_equal(before.values, after.values)


def test_claims_on_what_is_not_run() -> None:
    experiment, settings = load(CONFIG, [*SMALL, 'activations=["relu"]', 'drawn=["relu"]'])
    with pytest.raises(ValueError, match="not among the activations that are run: crelu, elu"):
        experiment.run(settings, None, lambda line: None)
