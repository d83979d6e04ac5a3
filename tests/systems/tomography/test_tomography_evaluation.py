"""The evaluation on a small scan: what it reports, whom it refuses, and that held-out rays choose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab import systems
from actlab.systems.tomography.counts import deviance, held_out_rays, simulate
from actlab.systems.tomography.evaluation import LINEAR, Settings, evaluate, references
from actlab.systems.tomography.geometry import parallel_beam
from actlab.systems.tomography.methods import choose, fbp, poisson_map, sart_clipped, tv
from actlab.systems.tomography.phantoms import random_ellipses
from actlab.systems.tomography.posterior import Recipe
from actlab.systems.tomography.priors import smoothed_tv
from actlab.systems.tomography.projector import project

SMALL = Settings(edge=16, views=12, strengths=(1.0, 1e4), recipe=Recipe(steps=30, prior=smoothed_tv(0.01)))


def test_an_evaluation_and_its_references() -> None:
    ours, others = evaluate("softplus", (0, 1), SMALL), references((0, 1), SMALL)
    found = {m.name: m for m in ours.measurements}
    assert found["negative pixels, grains in air"].mean == 0.0
    assert found["bias where attenuation is 0, grains in air"].mean > 0.0
    assert all(np.isfinite(m.values).all() for m in (*ours.measurements, *others.measurements))
    linear = {m.name: m for m in others.measurements if m.activation == LINEAR}
    assert set(linear) == set(found)
    assert linear["negative pixels, grains in air"].mean > 0.0
    titles = {h.name for h in (*ours.heatmaps, *others.heatmaps)}
    assert any("truth" in t for t in titles)
    assert any("line integrals" in t for t in titles)
    marked = [h for h in others.heatmaps if h.marks is not None]
    assert {h.activation for h in marked} <= {LINEAR, "FBP (Hann)"}
    assert marked
    assert systems.load("tomography").evaluate is evaluate


def test_an_activation_with_negative_values_is_refused_in_one_line() -> None:
    with pytest.raises(al.FactError, match="attenuation is not negative") as error:
        evaluate("swish", (0,), SMALL)
    assert "\n" not in str(error.value)


@pytest.mark.exhaustive
def test_held_out_rays_choose_among_the_settings() -> None:
    geometry = parallel_beam(16, 12, pixel=100 / 16)
    exposure = simulate(jax.random.key(0), random_ellipses(0).integrals(geometry), 3000.0)
    recipe = Recipe(steps=30, prior=smoothed_tv(0.01))
    chosen = (fbp(), tv((0.1, 1e3), 40))
    run_only = (sart_clipped(1, 2), poisson_map(al.relu, (1.0, 1e4), recipe, unit=0.02, name="ours"))
    key = jax.random.key(1)

    @jax.jit
    def run(exposure):
        fitted, scored = held_out_rays(key, exposure, 0.1)
        images = jnp.concatenate([method.images(geometry, fitted) for method in (*chosen, *run_only)])
        both = jnp.concatenate([jnp.maximum(images, 0.0), images])
        scores = jax.vmap(lambda image: deviance(project(geometry, image), scored))(both).reshape(2, -1)
        return [choose(key, method, geometry, exposure) for method in chosen], images, scores

    found, images, scores = run(exposure)
    assert images.shape == (8, 16, 16)
    assert np.isfinite(images).all()
    scores = np.asarray(scores).min(axis=0)  # as it is or clipped, whichever is better
    for k, (method, choice) in enumerate(zip(chosen, found, strict=True)):
        assert choice.held_out.shape == (len(method.settings),)
        np.testing.assert_allclose(choice.held_out, scores[2 * k : 2 * k + 2], rtol=1e-4)
        assert int(choice.index) == int(np.argmin(choice.held_out))
    assert int(found[1].index) == 0  # a far too strong prior predicts worse
    assert scores[6] < scores[7]
    np.testing.assert_allclose(found[0].image, images[int(found[0].index)], atol=1e-6)  # FBP sees all rays anyway
    assert np.abs(found[1].image - images[2]).max() > 1e-5  # TV's image is that of all rays, not of nine tenths
