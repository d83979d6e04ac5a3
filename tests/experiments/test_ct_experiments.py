"""The tomography experiments: configurations are valid, bad ones refused, the sparse one runs end to end when small."""

from pathlib import Path

import numpy as np
import pytest

import actlab.activations as al
from actlab.cli.running import load
from actlab.config import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs" / "tomography"


@pytest.mark.parametrize("name", ["outputs", "sparse", "tooth"])
def test_configurations_are_valid(name: str) -> None:
    load(CONFIGS / f"{name}.toml", [])
    with pytest.raises(ConfigError, match="steps"):
        load(CONFIGS / f"{name}.toml", ["steps=0"])


@pytest.mark.exhaustive
def test_sparse_views_when_small(tmp_path: Path) -> None:
    small = ["edge=16", "views=[8]", "seeds=2", "steps=5", "tv_steps=5", "strengths=[1.0]", "tv_strengths=[1.0]"]
    experiment, settings = load(CONFIGS / "sparse.toml", small)
    measured, claims, figures = experiment.run(settings, tmp_path, lambda text: None)
    assert all(np.isfinite(m.values).all() and len(m.values) == 2 for m in measured)
    assert len(claims) == 3
    assert {f.activation for f in figures} >= {"truth", "FBP", "Poisson MAP"}
    _, negative = load(CONFIGS / "sparse.toml", [*small, "activation=tanh"])
    with pytest.raises(al.FactError):
        experiment.run(negative, tmp_path, lambda text: None)
