"""Permuted and split tasks in small."""

from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load
from actlab.config import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs" / "continual"


@pytest.mark.exhaustive
def test_permuted_tasks_in_small() -> None:
    small = ['activations=["relu", "tanh"]', 'smooth=["tanh"]', 'sharp=["relu"]', "rates=[1e-3, 1e-2]", "hidden=[8]"]
    small += ["tasks=5", "length=64", "seeds=2", "choosing_seeds=1", 'methods=["l2_init"]']
    small += ['streams=["rotated"]', "short_tasks=2", "parts=2", "gradient_rows=16", "common_rate=1e-2"]
    experiment, settings = load(CONFIGS / "permuted_digits.toml", small)
    said: list[str] = []
    measured, claims, curves = experiment.run(settings, None, said.append)
    assert len(claims) == 2 + 4
    assert len(curves) == 2 + 2 + 2
    of = {(m.name, m.activation): m.values for m in measured}
    for claim in claims[2:]:
        what = claim.measurement.name
        np.testing.assert_allclose(claim.measurement.values, of[what, "tanh"] - of[what, "relu"])
    assert np.all(of["average online accuracy", "tanh"] > 5)
    assert np.all(np.abs(of["gradient cosine, rotated, own step size", "relu"]) <= 1)


def test_what_is_asked_for_is_checked_and_changes_are_between_fifths() -> None:
    with pytest.raises(ConfigError, match="common_rate"):
        load(CONFIGS / "permuted_digits.toml", ["common_rate=0.5"])
    with pytest.raises(ConfigError, match="not: \\['gelu'"):
        load(CONFIGS / "permuted_digits.toml", ['activations=["relu", "leaky_relu", "softplus"]'])
    experiment, settings = load(CONFIGS / "permuted_digits.toml", ['set="mnist"'])
    with pytest.raises(ConfigError, match="data = FOLDER"):
        experiment.run(settings, None, lambda line: None)
    online = np.arange(10.0)[None] ** 2
    np.testing.assert_allclose(experiment._change(online), [(64 + 81) / 2 - 0.5])


def test_rows_to_choose_by_are_training_rows() -> None:
    from experiments.labelled_images import for_choosing, labelled

    data = labelled("digits", None)
    within = for_choosing(data)
    np.testing.assert_array_equal(np.concatenate([within.x, within.x_test]), data.x)
    np.testing.assert_array_equal(np.concatenate([within.y, within.y_test]), data.y)
    assert abs(len(within.y_test) / len(data.y) - 0.2) < 0.01


@pytest.mark.exhaustive
def test_split_tasks_in_small() -> None:
    small = [
        'scenarios=["class"]',
        'methods=["naive", "ewc"]',
        "renewing=[]",
        "hidden=[16]",
        "steps=40",
        "seeds=2",
        "method_rates=[1e-2]",
    ]
    small += ["choosing_seeds=1", 'activations=["tanh"]', "rates=[1e-2]", 'compared=[["naive", "class"]]']
    experiment, settings = load(CONFIGS / "split_digits.toml", small)
    measured, claims, curves = experiment.run(settings, None, lambda line: None)
    of = {(m.name, m.activation): m.mean for m in measured}
    accuracy = "accuracy, class-incremental"
    assert len(claims) == 1
    assert len(curves) == 2
    assert 15 < of[accuracy, "naive"] < 25
    assert of[accuracy, "joint training"] > 80
    assert of["forgetting, class-incremental", "naive"] > 80
    assert 15 < of["accuracy by activation, class-incremental, naive", "tanh"] < 25
