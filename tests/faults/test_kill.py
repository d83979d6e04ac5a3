"""Killed at random moments, resumed by the same command: the same bits."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("kill", Path(__file__).with_name("kill.py"))
kill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kill)


@pytest.mark.parametrize(("runs", "seed"), [(2, 7), pytest.param(200, 0, marks=pytest.mark.exhaustive)])
def test_killed_runs_end_with_the_same_bits(tmp_path, runs, seed) -> None:
    hits = kill.kills(runs, seed, tmp_path, tmp_path / "cache")
    assert sum(hits.values()) >= runs
