"""The comparison of maps in small: what facts say of zeros, and nets taken at the accuracy that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load
from actlab.config import ConfigError
from actlab.measurement import Heatmap

CONFIG = Path(__file__).parents[2] / "configs" / "saliency" / "sparsity.toml"


def test_zeros_are_those_of_units_not_of_pixels() -> None:
    small = ['activations=["relu", "swish"]', "betas=[]", "hidden=[16]", "seeds=2", "steps=200", "accuracy=0.8"]
    experiment, settings = load(CONFIG, [*small, "shown=1"])
    measured, claims, figures = experiment.run(settings, None, lambda line: None)
    by_name = {(m.name, m.activation): m.mean for m in measured}
    assert by_name["units: slopes of exactly 0", "relu"] > 20
    assert by_name["units: slopes of exactly 0", "swish"] < 1
    assert by_name["pixels: slopes of exactly 0", "relu"] < 5
    for who in ("relu", "swish"):
        assert abs(by_name["accuracy", who] - 80) < 3
        assert 0 < by_name["steps to that accuracy", who] < 200
    assert [c.verdict for c in claims[:2]] == ["holds", "fails"]
    assert [f.activation for f in figures if isinstance(f, Heatmap)] == ["image", "relu", "swish"]
    np.testing.assert_equal(figures[1].values.shape, (8, 8))


def test_what_the_claim_compares_must_be_there() -> None:
    with pytest.raises(ConfigError, match="must contain relu and swish"):
        load(CONFIG, ['activations=["relu", "gelu"]'])
