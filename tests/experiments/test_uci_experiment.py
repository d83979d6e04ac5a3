"""The UCI experiment: the smoke configuration end to end, and its choice of hyper-parameters."""

from pathlib import Path

import numpy as np
import pytest

from actlab import config
from actlab.cli.running import load
from actlab.config import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs" / "uncertainty"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_smoke_configuration_runs(shared_data: Path, tmp_path: Path) -> None:
    experiment, settings = load(CONFIGS / "uci_smoke.toml", [f"folder={shared_data / 'uci'}"])
    said: list[str] = []
    measured, claims, curves = experiment.run(settings, tmp_path, said.append)
    nll = {m.activation: m for m in measured if m.name == "yacht: test NLL"}
    assert set(nll) == {"bounded head", "Deep Ensembles, re-run"}
    assert all(np.isfinite(m.values).all() and len(m.values) == 2 for m in measured)
    assert nll["bounded head"].mean < 6.0
    assert len(claims) == 3
    assert len(curves) == 2
    assert "yacht" in (tmp_path / "uci.csv").read_text()
    assert any("chosen" in text for text in said)


def test_batches_are_powers_of_two() -> None:
    experiment, _ = load(CONFIGS / "uci_smoke.toml", [])
    assert [experiment.batch_size(n, 64) for n in (277, 927, 1439, 8611, 41157)] == [8, 8, 16, 128, 512]


def test_full_configuration_is_valid_and_bad_ones_are_refused() -> None:
    _, settings = load(CONFIGS / "uci.toml", [])
    assert len(settings.sets) == 7
    assert config.read(CONFIGS / "uci.toml")["experiment"] == "uci"
    for override, because in (
        ("beta=2", "beta"),
        ('sets=["iris"]', "sets"),
        ("noise=[]", "noise"),
        ("nois=1", "noise"),
    ):
        with pytest.raises(ConfigError, match=because):
            load(CONFIGS / "uci.toml", [override])
