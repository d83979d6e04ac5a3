"""The system's evaluation and experiment: complete, reproducible, and a clear refusal of what is not invertible."""

import numpy as np
import pytest

import actlab.activations as al
from actlab.systems import load
from actlab.systems.flows import Recipe, evaluation
from experiments import flows as experiment

pytestmark = pytest.mark.usefixtures("quick_compilation")

BRIEF = Recipe(layers=2, width=8, steps=60, rows=600)
SEEDS = (0, 1)


def test_evaluates_an_invertible_activation():
    result = evaluation.evaluate("leaky_relu", SEEDS, evaluation.Settings(BRIEF))
    found = {m.name: m for m in result.measurements}
    assert result.measurements[0].name == "gap to the true density, eight Gaussians"
    assert all(np.isfinite(m.values).all() and m.seeds == SEEDS for m in found.values())
    assert 0 < found["gap to the true density, eight Gaussians"].mean < 3.0
    assert (found["round-trip error, float32"].values <= found["bound of the round-trip error"].values).all()
    assert "slopes of every layer are proved to lie in [0.01, 1]" in result.notes[0]
    assert len(result.curves) == 2


def test_refuses_relu_with_one_clear_error():
    with pytest.raises(al.FactError, match=r"a flow must be invertible: needs slope > 0.*relu.*What would do"):
        load("flows").evaluate("relu", SEEDS)


@pytest.mark.parametrize(
    ("settings", "who"),
    [
        ({}, "algebraic sigmoid"),
        ({"activation": "gelu"}, "gelu"),
        ({"transform": "copies"}, "tanh of bounded slope"),
        ({"transform": "spline", "activation": "gelu"}, "spline"),
    ],
)
def test_the_experiment_names_what_it_fits(settings, who):
    assert experiment._who(experiment.Config(**settings)) == who


@pytest.mark.exhaustive
def test_the_experiment_runs_and_keeps_its_promises(tmp_path):
    config = experiment.Config(layers=2, width=8, steps=40, rows=400, seeds=2, depth=6, gap_at_most=10.0)
    lines: list[str] = []
    measured, claims, figures = experiment.run(config, tmp_path, lines.append)
    assert len(claims) == 6
    assert all(c.verdict == "holds" for c in claims)
    assert {m.name.split(",")[0] for m in measured} >= {"gap to the true density", "promises kept"}
    assert len(figures) == 9 + 4
    with pytest.raises(al.FactError, match="invertible"):
        experiment.run(experiment.Config(transform="copies", activation="tanh"), None, print)
