"""Killed at random moments, resumed by the same command: the same bits."""

import subprocess
import sys
from pathlib import Path

import pytest

KILL = Path(__file__).with_name("kill.py")


@pytest.mark.parametrize("runs", ["2", pytest.param("200", marks=pytest.mark.exhaustive)])
def test_killed_runs_end_with_the_same_bits(runs) -> None:
    command = [sys.executable, KILL, "--runs", runs, "--seed", "7", "--shared-imports"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{runs} killed runs" in done.stdout
