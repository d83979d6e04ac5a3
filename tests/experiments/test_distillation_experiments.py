"""Distillation from few images in small; which images are chosen."""

from pathlib import Path

import jax
import numpy as np
import pytest

from actlab.cli.running import load
from actlab.config import ConfigError

CONFIG = Path(__file__).parents[2] / "configs" / "distillation" / "digits.toml"


def test_as_many_images_of_each_class_as_asked_for_each_as_often() -> None:
    experiment, _ = load(CONFIG, [])
    labels = np.random.default_rng(0).integers(0, 10, 300)
    picked = np.asarray(experiment.chosen(jax.random.key(0), jax.numpy.asarray(labels), 2, 10)).reshape(10, 10)
    for label, rows in enumerate(picked):
        assert np.all(labels[rows] == label)
        np.testing.assert_array_equal(np.unique(rows, return_counts=True)[1], [5, 5])


def test_a_class_must_have_the_images_and_a_set_of_files_a_folder() -> None:
    experiment, settings = load(CONFIG, ["images=[1, 200]"])
    with pytest.raises(ValueError, match=r"a class of digits has \d+ training images"):
        experiment.run(settings, None, lambda line: None)
    experiment, settings = load(CONFIG, ["set=mnist"])
    with pytest.raises(ConfigError, match="set data = FOLDER"):
        experiment.run(settings, None, lambda line: None)


def test_few_images_in_small() -> None:
    small = ['activations=["tanh"]', "hidden=[16]", "images=[1, 2]", "seeds=2", "steps=150", "teacher_steps=300"]
    experiment, settings = load(CONFIG, small)
    measured, claims, curves = experiment.run(settings, None, lambda line: None)
    by_name = {m.name: m.mean for m in measured}
    assert len(claims) == 2
    assert len(curves) == 3
    slopes, soft = (by_name[f"accuracy, 1 image a class, {m}"] for m in ("soft targets and slopes", "soft targets"))
    assert by_name["gain of slopes, 1 image a class"] == slopes - soft
    assert slopes > soft > 30
