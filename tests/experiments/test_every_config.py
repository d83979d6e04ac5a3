"""Every configuration is complete and loads; experiments that no other test runs end to end, run here when small."""

import re
from pathlib import Path

import numpy as np
import pytest

from actlab.cli.running import load

CONFIGS = Path(__file__).parents[2] / "configs"
EVERY = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.toml"))

SMALL = {
    "attention/recall.toml": ("recipe.steps=2", "judged=8", "attentions=['softmax']", "temperatures=[1.0]", "seeds=1"),
    "continual/split_digits.toml": (
        "steps=3", "seeds=2", "scenarios=['class']", "methods=['naive']", "renewing=[]", "compared=[]",
    ),
    "outliers/friedman1.toml": ("steps=10", "fractions=[0.2]", "errors_at_most=[9.0]", "baselines=false", "seeds=2"),
    "oversmoothing/digits.toml": (
        "data=karate", "law_activations=['tanh']", "activations=['tanh']", "depths=[2]", "seeds=2",
    ),
    "oversmoothing/gcn2.toml": ("data=karate", "recipe.epochs=3", "seeds=2"),
    "oversmoothing/trained_depths.toml": ("data=karate", "recipe.epochs=3", "depths=[2, 3]", "seeds=2"),
    "robustness/digits_activations.toml": ("activations=['sigmoid', 'relu']", "steps=5", "attack_steps=2", "seeds=2"),
    "spiking/randman.toml": ("samples=40", "steps=3", "betas=[10.0]", "seeds=2", "classes=3"),
    "tomography/networks.toml": (
        "edge=16", "views=8", "seeds=2", "steps=20", "phantoms=2", "training_steps=2", "batch=2", "width=4",
        "channels=4", "tv_strengths=[0.02]", "strengths=[3.0]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_a_configuration_is_complete(name):
    """Its head says what it claims, on whose word, how it is run, what to expect and how long it takes."""
    text = (CONFIGS / name).read_text()
    head = re.findall(r"^# (Claim|Source|Command|Expected|Minutes): ", text, re.MULTILINE)
    assert head == ["Claim", "Source", "Command", "Expected", "Minutes"]
    assert f"actlab run configs/{name}" in text
    expected = (
        " ".join(re.findall(r"^#\s*(.*)$", text, re.MULTILINE)).partition("Expected:")[2].partition("Minutes:")[0]
    )
    fails = re.search(r"(?<!nothing )\bfails?\b", expected, re.IGNORECASE)
    assert bool(fails) == bool(re.search(r"exit status (is )?1", expected, re.IGNORECASE)), expected
    experiment, settings = load(CONFIGS / name, [])
    assert callable(experiment.run)
    assert isinstance(settings, experiment.Config)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SMALL)
def test_an_experiment_runs_when_small(name, tmp_path):
    experiment, settings = load(CONFIGS / name, list(SMALL[name]))
    measured, claims, _ = experiment.run(settings, tmp_path, lambda line: None)
    assert all(len(m.seeds) == np.shape(m.values)[0] for m in measured)
    assert {c.verdict for c in claims} <= {"holds", "fails", "undecided"}
