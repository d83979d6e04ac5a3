"""Permuted and split tasks in small."""

from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load
from actlab.config import ConfigError
from experiments import task_gradients

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
    with pytest.raises(ConfigError, match="sharp"):
        load(CONFIGS / "permuted_digits.toml", ["sharp=[]"])
    with pytest.raises(ConfigError, match="smooth = \\(\\) has nothing to compare"):
        load(CONFIGS / "permuted_digits.toml", ["smooth=[]"])
    load(CONFIGS / "permuted_digits.toml", ["smooth=[]", "streams=[]"])
    experiment, settings = load(CONFIGS / "permuted_digits.toml", ['set="mnist"'])
    with pytest.raises(ConfigError, match="data = FOLDER"):
        experiment.run(settings, None, lambda line: None)
    online = np.arange(10.0)[None] ** 2
    np.testing.assert_allclose(experiment._change(online), [(64 + 81) / 2 - 0.5])


def test_gradients_of_smooth_activations_less_those_of_sharp_ones() -> None:
    gradients = np.random.default_rng(0).normal(size=(3, 2, 4, 5, 2, 5, 7))  # activation, step size, seed, ...
    products = np.einsum("...ik,...jk->...ij", gradients, gradients)
    found = {n: task_gradients.alignments("rotated", n, p) for n, p in zip("abc", products, strict=True)}
    claims = task_gradients.claims("rotated", found, ("a", "b"), ("c",))
    assert [c.measurement.name for c in claims[::2]] == [
        f"gradient cosine, rotated, {at} step size" for at in ("own", "common")
    ]
    for at, cosine, conflict in zip(("own", "common"), claims[::2], claims[1::2], strict=True):
        a, b, c = (found[n][at] for n in "abc")
        np.testing.assert_allclose(cosine.measurement.values, (a.cosine.values + b.cosine.values) / 2 - c.cosine.values)
        np.testing.assert_allclose(
            conflict.measurement.values, (a.conflict.values + b.conflict.values) / 2 - c.conflict.values
        )
    curve = task_gradients.by_task("rotated", "a", products[0])
    np.testing.assert_array_equal(curve.x, [2, 3, 4, 5])
    first, second = gradients[0, 1, 2, 1, :, 0], gradients[0, 1, 2, 1, :, 1]  # while the second task is trained on
    cosines = (first * second).sum(-1) / np.linalg.norm(first, axis=-1) / np.linalg.norm(second, axis=-1)
    np.testing.assert_allclose(curve.values[2, 0], cosines.mean())


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
