"""The trainability experiment: its bookkeeping, and a small run of it."""

import functools
from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load
from actlab.config import ConfigError

CONFIG = Path(__file__).parents[2] / "configs" / "trainability" / "reference.toml"


def test_agreement_counts_cells_on_the_right_side() -> None:
    experiment, _ = load(CONFIG, [])
    accuracies = np.array([[[0.9, 0.9], [0.1, 0.9]], [[0.9, 0.1], [0.1, 0.1]]])
    predicted = np.array([15.0, np.inf])
    np.testing.assert_array_equal(experiment.inside(predicted, (10, 20)), [[True, True], [False, True]])
    np.testing.assert_array_equal(experiment.agreement(accuracies, predicted, (10, 20)), [1.0, 0.5])


@pytest.mark.exhaustive
def test_a_small_map() -> None:
    small = ["depths=[8]", "columns=3", "seeds=2", "width=24", "steps=80", "rate=0.03"]
    experiment, settings = load(CONFIG, [*small, 'panels=[{activation="relu", scales=[0.4, 2.4]}]'])
    said: list[str] = []
    measured, claims, (heatmap,) = experiment.run(settings, None, said.append)
    assert heatmap.values.shape == (1, 3)
    assert heatmap.values[0, 1] > 40 > heatmap.values[0, 0]  # near the critical scale, and far below it
    (gradient,) = heatmap.lines  # off the critical scale the variance never settles: no depth scale of correlations
    critical = np.argmin(np.abs(gradient.x - np.sqrt(2)))
    assert gradient.y[critical] > 100 > 10 > gradient.y[0]
    assert measured[0].name == "cells predicted right, the gradient (squared norms change by e⁶)"
    assert all(len(c.measurement.values) == 2 for c in claims)
    assert len(said) == 2


@pytest.mark.slow
def test_several_processes_share_the_runs_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the test's eight devices, as the devices of several processes would be: six runs filled up to eight."""
    small = ["depths=[2]", "columns=3", "seeds=2", "width=8", "steps=20"]
    experiment, settings = load(CONFIG, small)
    panel = settings.panels[0]
    scales = np.linspace(*panel.scales, settings.columns)
    row = functools.partial(experiment._row, experiment.al.tanh, panel, scales, 2, settings, lambda line: None)
    alone = row()
    shared = []
    over = experiment.over_devices
    monkeypatch.setattr(experiment, "over_devices", lambda *given: shared.append(given) or over(*given))
    monkeypatch.setattr(experiment, "several", lambda: True)
    np.testing.assert_allclose(row(), alone, atol=0.05)  # of 32 rows, one or two near the border may change sides
    assert len(shared) == 1
    assert experiment.MANY_PROCESSES


def test_bad_configurations_are_refused() -> None:
    for override, because in (("columns=1", "columns"), ("panels=[]", "panels"), ("step=3", "steps")):
        with pytest.raises(ConfigError, match=because):
            load(CONFIG, [override])
