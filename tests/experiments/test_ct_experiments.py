"""The tomography experiments: configurations are valid, bad ones refused, two run end to end when small."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.cli.running import load
from actlab.config import ConfigError
from actlab.data import Slice
from actlab.systems.tomography import attenuation, disk, hounsfield, parallel_beam, project

CONFIGS = Path(__file__).parents[2] / "configs" / "tomography"


@pytest.mark.parametrize("name", ["networks", "outputs", "sparse", "tooth"])
def test_configurations_are_valid(name: str) -> None:
    load(CONFIGS / f"{name}.toml", [])
    with pytest.raises(ConfigError, match="steps"):
        load(CONFIGS / f"{name}.toml", ["steps=0"])


@pytest.mark.exhaustive
def test_sparse_views_when_small(tmp_path: Path) -> None:
    small = ["edge=16", "views=[8]", "seeds=2", "steps=5", "tv_steps=5", "tv_strengths=[1.0]"]
    small += ["strengths=[1.0]", "widths=[0.1, 1.0]"]
    experiment, settings = load(CONFIGS / "sparse.toml", small)
    measured, claims, figures = experiment.run(settings, tmp_path, lambda text: None)
    assert all(np.isfinite(m.values).all() and len(m.values) == 2 for m in measured)
    assert len(claims) == 3
    assert {f.activation for f in figures} >= {"truth", "FBP", "Poisson MAP"}
    _, negative = load(CONFIGS / "sparse.toml", [*small, "activation=tanh"])
    with pytest.raises(al.FactError):
        experiment.run(negative, tmp_path, lambda text: None)


def test_a_slice_is_scanned_finer_than_it_is_reconstructed() -> None:
    experiment, settings = load(CONFIGS / "networks.toml", ["edge=16", "views=6"])
    whole = parallel_beam(64, 6, pixel=0.5)
    units = hounsfield(disk(0.6).image(whole))
    found = experiment._of_slice(Slice(np.pad(units, ((0, 0), (1, 2)), constant_values=-1000.0), 0.5), settings)
    assert found.truth.shape == (16, 16)
    assert found.geometry.pixel == 2.0
    np.testing.assert_allclose(found.truth.mean(), attenuation(units).mean(), rtol=1e-5)
    wanted = disk(0.6).integrals(found.geometry, 4)
    assert np.linalg.norm(found.integrals - wanted) < 0.03 * np.linalg.norm(wanted)
    coarse = np.asarray(project(found.geometry, jnp.asarray(found.truth)))
    assert np.linalg.norm(found.integrals.mean(-1) - coarse) > 1e-3 * np.linalg.norm(coarse)  # another projector
    with pytest.raises(ValueError, match="not twice as fine"):
        experiment._of_slice(Slice(units[:20, :20], 0.5), settings)


@pytest.mark.exhaustive
def test_networks_when_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ["edge=16", "views=8", "seeds=2", "steps=20", "width=4", "channels=2", "iterations=1", "phantoms=4"]
    experiment, settings = load(CONFIGS / "networks.toml", [*small, "training_steps=4", "batch=2"])
    monkeypatch.setattr(experiment, "slice_of_pydicom", lambda: None)
    said: list[str] = []
    measured, claims, figures = experiment.run(settings, tmp_path, said.append)
    assert "pydicom is not installed" in said[0]
    assert all("Shepp-Logan" in m.name and np.isfinite(m.values).all() for m in measured)
    assert all(claim.verdict == "holds" for claim in claims)
    shown = {f.activation for f in figures}
    assert {"truth", "neural field, softplus", "deep image prior, softplus", "learned primal-dual, softplus"} <= shown
