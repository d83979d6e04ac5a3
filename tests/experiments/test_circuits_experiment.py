"""The circuits experiment in small: its claims hold on a coarse map."""

from pathlib import Path

import numpy as np

from actlab.cli.running import load

CONFIG = Path(__file__).parents[2] / "configs" / "circuits" / "adaptation.toml"


def test_a_small_map() -> None:
    small = ["thresholds=[10.0]", "cells=5", "steps=200", "starts=0", "amplitudes=[20.0]"]
    experiment, settings = load(CONFIG, small)
    said: list[str] = []
    measured, claims, (heatmap, curve) = experiment.run(settings, None, said.append)
    assert heatmap.values.shape == (5, 5)
    assert [c.verdict for c in claims[:2]] == ["holds", "holds"]
    assert [c.verdict for c in claims if "law" in c.statement] == ["holds"]
    assert curve.values.max() > 2 * curve.values[0, 0]
    assert len(said) == 3
    assert measured[0].mean < 1e-10


def test_contour() -> None:
    experiment, _ = load(CONFIG, [])
    x, y = experiment._contour(np.array([[-1.0, 1.0], [1.0, 1.0]]), np.array([1.0, 2.0]), np.array([1.0, 100.0]), 0.0)
    np.testing.assert_allclose(x, [10.0, np.nan])
    np.testing.assert_array_equal(y, [1.0, 2.0])
