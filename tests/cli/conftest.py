from pathlib import Path

import numpy as np
import pytest

from actlab import systems
from actlab.activations import require
from actlab.measurement import Curve, Evaluation, Measurement, System

CALLS: list[str] = []


def _evaluate(activation, seeds) -> Evaluation:
    CALLS.append(activation.name)
    require(activation, because="the toy system sums slopes", bounded_slope=True)
    values = np.array([float(activation.slope(0.5)) + 0.01 * s for s in seeds])
    curve = Curve("slope", activation.name, np.arange(3.0), np.tile(values[:, None], 3), "x", "slope at x")
    return Evaluation((Measurement("slope at 1/2", activation.name, values, seeds=seeds),), (curve,), ("A note.",))


def _references(seeds) -> Evaluation:
    CALLS.append("references")
    return Evaluation((Measurement("slope at 1/2", "identity line", np.ones(len(seeds)), seeds=seeds),))


@pytest.fixture
def toy_system(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the systems by one that takes no time; returns the list of its calls."""
    toy = System("toy", "Toy", "What is the slope at one half?", "no data", _evaluate, _references)
    monkeypatch.setattr(systems, "NAMES", ("toy",))
    monkeypatch.setattr(systems, "load", lambda name: toy)
    CALLS.clear()
    return CALLS


@pytest.fixture(autouse=True)
def keep_the_tests_own_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("actlab.cli.evaluating.user_cache", lambda: tmp_path / "cache")
    for module in ("evaluating", "running"):
        monkeypatch.setattr(f"actlab.cli.{module}.enable_compilation_cache", lambda: None)
