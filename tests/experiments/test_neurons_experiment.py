"""The map of classes in small: the line parts its cells, and the scan agrees with complete lists."""

from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load

CONFIG = Path(__file__).parents[2] / "configs" / "neurons" / "classes.toml"


@pytest.mark.exhaustive
def test_a_small_map() -> None:
    small = ["cells=5", "duration=600.0", "certified=2", "guesses=0", "V4=[14.0, 22.0]"]
    experiment, settings = load(CONFIG, small)
    said: list[str] = []
    measured, claims, (heatmap,) = experiment.run(settings, None, said.append)
    assert heatmap.values.shape == (5, 5)
    assert np.isfinite(heatmap.lines[0].x).sum() >= 3
    assert [c.verdict for c in claims if "scan" in c.statement or "line" in c.statement] == ["holds", "holds"]
    assert {m.name for m in measured} >= {"distance of the onset's exponent from 1/2"}
    assert len(said) == 4
