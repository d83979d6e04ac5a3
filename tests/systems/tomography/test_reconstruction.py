import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.tomography.algebraic import mlem, sart, sirt
from actlab.systems.tomography.counts import (
    Exposure,
    attenuation,
    deviance,
    expected,
    held_out_rays,
    hounsfield,
    negative_log_likelihood,
    simulate,
)
from actlab.systems.tomography.filtered import WINDOWS, filtered_backprojection
from actlab.systems.tomography.geometry import fan_beam, parallel_beam
from actlab.systems.tomography.image_quality import bias_where, negative_share, psnr, ssim
from actlab.systems.tomography.likelihood import surrogate_curvature, transmission_ml
from actlab.systems.tomography.phantoms import disk, shepp_logan
from actlab.systems.tomography.positivity import parameter_for, require_nonnegative
from actlab.systems.tomography.posterior import Recipe, maximum_a_posteriori, tuned
from actlab.systems.tomography.projector import dense_matrix, project
from actlab.systems.tomography.total_variation import differences, divergence, operator_norm, tv_pdhg

PARALLEL = parallel_beam(48, 40, pixel=4.0)
FAN = fan_beam(48, 80, pixel=4.0, source_to_axis=500.0, source_to_detector=800.0)


@pytest.fixture(scope="module")
def scan():
    phantom = shepp_logan()
    exposure = simulate(jax.random.key(0), phantom.integrals(PARALLEL), 1e3, background=20.0)
    return jnp.asarray(phantom.image(PARALLEL), jnp.float32), exposure


@pytest.mark.parametrize("geometry", [PARALLEL, FAN], ids=["parallel", "fan"])
def test_fbp_finds_the_attenuation_of_a_disk(geometry):
    phantom = disk(0.6)
    integrals = jnp.asarray(phantom.integrals(geometry).mean(-1), jnp.float32)
    inside = disk(0.4).image(geometry) == 0.02
    for image in jax.jit(lambda p: [filtered_backprojection(geometry, p, window) for window in WINDOWS])(integrals):
        assert np.asarray(image)[inside].mean() == pytest.approx(0.02, rel=0.01)
    with pytest.raises(ValueError, match="no filter window 'box'"):
        filtered_backprojection(geometry, integrals, "box")


def test_fbp_of_a_single_bin():
    """The kernel is 1 / (4 d^2) at lag 0, summed over half a turn: pi / 4 for a line integral of 1 and d = 1."""
    image = filtered_backprojection(parallel_beam(1, 4, bins=1), jnp.ones((4, 1)))
    np.testing.assert_allclose(image, [[np.pi / 4]], rtol=1e-6)


def test_likelihood_gradient_by_finite_differences_and_closed_form():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        integrals = jnp.asarray(rng.uniform(0, 3, (4, 5)))
        exposure = Exposure.of(jnp.asarray(rng.poisson(20.0, (4, 5)), jnp.float64), 50.0, 3.0)
        loss = jax.jit(jax.value_and_grad(negative_log_likelihood))
        value, gradient = loss(integrals, exposure)
        light = 50.0 * np.exp(-np.asarray(integrals))
        wanted = light * (np.asarray(exposure.counts) / (light + 3.0) - 1.0)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-12)
        step = np.zeros((4, 5))
        step[2, 3] = 1e-6
        rise = float(loss(integrals + step, exposure)[0]) - float(loss(integrals - step, exposure)[0])
        assert float(gradient[2, 3]) == pytest.approx(rise / 2e-6, rel=1e-5)
        half = 10.0 * float(jax.jit(deviance)(integrals, exposure))  # 20 rays
        assert half == pytest.approx(float(value), rel=1e-12)


def test_likelihood_of_black_rays_and_dead_bins_is_finite():
    exposure = Exposure.of(jnp.zeros((2, 3)), jnp.asarray([100.0, 100.0, 0.0]))
    assert float(exposure.weight.sum()) == 4.0
    integrals = jnp.full((2, 3), 200.0)
    value, gradient = jax.jit(jax.value_and_grad(negative_log_likelihood))(integrals, exposure)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_counts_have_the_mean_and_variance_of_poisson():
    integrals = np.full((*PARALLEL.sinogram_shape, 3), 1.0)
    exposure = simulate(jax.random.key(1), integrals, 500.0, background=10.0)
    flat = jnp.asarray(integrals[..., 0], jnp.float32)
    mean, score = jax.jit(lambda p, e: (expected(p, e)[0, 0], deviance(p, e)))(flat, exposure)
    assert float(mean) == pytest.approx(500.0 * np.exp(-1.0) + 10.0, rel=1e-5)
    assert np.asarray(exposure.counts).mean() == pytest.approx(float(mean), rel=0.01)
    assert np.asarray(exposure.counts).var() == pytest.approx(float(mean), rel=0.1)
    assert float(score) == pytest.approx(1.0, abs=0.1)


def test_counts_that_cannot_be():
    with pytest.raises(ValueError, match="negative or not finite"):
        Exposure.of(jnp.asarray([[1.0, -1.0]]), 10.0)
    with pytest.raises(ValueError, match=r"flat of shape \(3,\) does not fit"):
        Exposure.of(jnp.ones((1, 2)), jnp.ones(3))


def test_held_out_rays_are_a_partition(scan):
    fitted, scored = held_out_rays(jax.random.key(0), scan[1], 0.2)
    fitted, scored, whole = (np.asarray(e.weight) for e in (fitted, scored, scan[1]))
    assert (fitted + scored == whole).all()
    assert scored.mean() == pytest.approx(0.2, abs=0.03)


def test_units():
    assert hounsfield(attenuation(-1000.0)) == pytest.approx(-1000.0)
    assert attenuation(0.0) == pytest.approx(0.0206)


def test_transmission_ml_never_loses_likelihood(scan):
    with jax.enable_x64(True):
        exposure = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), scan[1])
        image, losses = jax.jit(lambda e: transmission_ml(PARALLEL, e, 60))(exposure)
        assert np.all(np.diff(losses) <= 1e-9 * np.abs(losses[:-1]))
        assert float(losses[-1]) < 0.1 * float(losses[0])
        assert float(image.min()) >= 0.0


def test_surrogates_lie_above_the_likelihood():
    rays = [(c, b, p) for c, b in ((0.0, 0.0), (5.0, 3.0), (200.0, 3.0), (90.0, 0.0)) for p in (0.0, 0.3, 2.0, 6.0)]

    @jax.jit
    def above(counts, background, at, grid):
        exposure = Exposure.of(counts, 100.0, background)

        def loss(p):
            mean = jnp.maximum(expected(p, exposure), 1e-12)
            return mean - counts * jnp.log(mean)

        slope = jax.grad(lambda p: jnp.sum(loss(p)))(at)
        away = grid - at
        return loss(at) + slope * away + 0.5 * surrogate_curvature(at, exposure) * away**2 - loss(grid)

    with jax.enable_x64(True):
        counts, background, at = (jnp.asarray(v)[:, None] for v in np.array(rays).T)
        grid = np.broadcast_to(np.linspace(0.0, 8.0, 400), (len(rays), 400))
        assert np.asarray(above(counts, background, at, grid)).min() >= -1e-8


def test_sirt_sart_and_mlem(scan):
    truth, exposure = scan

    @jax.jit
    def reconstructed(integrals, truth):
        emitted = jnp.maximum(project(PARALLEL, truth), 0.0)
        found = sirt(PARALLEL, integrals, 40), sart(PARALLEL, integrals, 3), mlem(PARALLEL, emitted, 40)
        unclipped, _ = sart(PARALLEL, integrals, 3, lower=None)
        return [(image, losses, psnr(image, truth)) for image, losses in found], unclipped

    clipped, unclipped = reconstructed(exposure.line_integrals, truth)
    for image, losses, likeness in clipped:
        assert np.asarray(image).min() >= 0.0
        assert float(losses[-1]) < float(losses[0])
        assert float(likeness) > 20.0
    assert np.asarray(unclipped).min() < 0.0
    assert np.all(np.diff(clipped[2][1]) <= 1e-4)


def test_sirt_against_matrices():
    geometry = parallel_beam(6, 12)
    matrix = dense_matrix(geometry).astype(np.float64)
    integrals = np.random.default_rng(0).uniform(0.0, 3.0, geometry.sinogram_shape)
    image, _ = jax.jit(lambda p: sirt(geometry, p, 30))(jnp.asarray(integrals, jnp.float32))
    x, rows, columns = np.zeros(36), matrix.sum(1), matrix.sum(0)
    inverse_rows = np.where(rows > 1e-5, 1.0 / np.maximum(rows, 1e-5), 0.0)
    for _ in range(30):
        x = np.maximum(x + matrix.T @ (inverse_rows * (integrals.ravel() - matrix @ x)) / columns, 0.0)
    np.testing.assert_allclose(np.asarray(image).ravel(), x, atol=1e-4)
    assert (x == 0).any()


def test_tv_against_a_long_subgradient_free_solution():
    """At the minimum over x >= 0 no admissible small change lowers the objective."""
    geometry = parallel_beam(8, 6)
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        integrals = jnp.asarray(rng.uniform(0, 4, geometry.sinogram_shape))
        matrix = dense_matrix(geometry)
        found = jax.jit(lambda p: (tv_pdhg(geometry, p, 0.5, 4000)[0], operator_norm(geometry, jnp.float64, 100)))
        image, largest = found(integrals)

        def objective(x):
            field = np.diff(x, axis=0, append=x[-1:]), np.diff(x, axis=1, append=x[:, -1:])
            residual = matrix @ x.ravel() - np.asarray(integrals).ravel()
            return 0.5 * np.sum(residual**2) + 0.5 * np.sum(np.hypot(*field))

        best, x = objective(np.asarray(image)), np.asarray(image)
        for _ in range(300):
            other = np.maximum(x + rng.normal(size=x.shape) * 10.0 ** rng.uniform(-4, -1), 0.0)
            assert objective(other) >= best - 1e-7
        norm = np.linalg.svd(matrix, compute_uv=False)[0]
        assert float(largest) == pytest.approx(norm, rel=1e-6)


def test_tv_without_a_prior_is_its_limit():
    geometry = parallel_beam(8, 12)
    integrals = project(geometry, jax.random.uniform(jax.random.key(0), geometry.shape))
    solve = jax.jit(lambda strength: tv_pdhg(geometry, integrals, strength, 50))
    (image, objective), (near, _) = solve(0.0), solve(1e-9)
    np.testing.assert_allclose(image, near, atol=1e-4)
    assert objective[-1] < 1e-2 * objective[0]


def test_divergence_is_the_transpose_of_differences():
    rng = np.random.default_rng(0)
    x, f = jnp.asarray(rng.normal(size=(5, 7)), jnp.float32), jnp.asarray(rng.normal(size=(2, 5, 7)), jnp.float32)
    (transposed,), found = jax.jit(lambda f: (jax.linear_transpose(differences, x)(f), divergence(f)))(f)
    np.testing.assert_allclose(found, transposed, atol=1e-6)


def test_image_quality():
    truth = np.random.default_rng(0).uniform(size=(20, 24)).astype(np.float32)
    span = truth.max() - truth.min()
    images = np.stack([truth, truth[::-1], truth + 0.1 * span])
    scores = jax.jit(
        lambda i, t: (
            ssim(i, t),
            psnr(i[2], t),
            bias_where(i[2], t, (t > 0.5).astype(t.dtype)),
            negative_share(i - 0.5),
        )
    )
    similar, likeness, bias, negative = map(np.asarray, scores(images, truth))
    assert similar[0] == pytest.approx(1.0, abs=1e-5)
    assert similar[1] < 0.5
    assert likeness == pytest.approx(20.0, abs=1e-3)
    assert bias == pytest.approx(0.1 * span, rel=1e-4)
    np.testing.assert_allclose(negative, (images < 0.5).mean(axis=(1, 2)), rtol=1e-6)


@pytest.mark.parametrize("name", ["identity", "tanh", "leaky_relu", "elu"])
def test_an_output_that_can_be_negative_is_refused(name):
    with pytest.raises(al.FactError, match="attenuation is not negative"):
        require_nonnegative(name)


def test_upper_bound_and_start():
    head = al.bounded_range(al.tanh, lower=0.0, upper=3.0)
    assert require_nonnegative(head, upper=3.0) is head
    with pytest.raises(al.FactError):
        require_nonnegative("relu", upper=3.0)
    outputs = (al.relu, al.softplus, al.exponential, al.squareplus, head, al.sigmoid)
    started = jax.jit(lambda value: [activation(parameter_for(activation, value)) for activation in outputs])(0.3)
    assert list(map(float, started)) == pytest.approx([0.3] * len(outputs), rel=0.02)


def test_the_strength_of_a_map_is_chosen_by_held_out_rays(scan):
    truth, exposure = scan
    strengths, recipe = jnp.asarray([1.0, 1e5]), Recipe(steps=80)

    @jax.jit
    def run(keys, exposure):
        one = lambda key: tuned(key, PARALLEL, exposure, al.relu, strengths, 0.02, recipe=recipe)  # noqa: E731
        found, scores = jax.vmap(one)(keys)
        return found, scores, psnr(found.image[0], truth)

    found, scores, likeness = run(jax.random.key(0)[None], exposure)
    assert scores.shape == (1, 2)
    assert float(scores[0, 0]) < float(scores[0, 1])  # far too strong a prior predicts worse
    assert float(found.held_out[0]) == float(scores.min())
    assert float(found.objective[0, -1]) < 0.1 * float(found.objective[0, 0])
    assert float(found.image.min()) == 0.0  # ReLU's zeros, in the air about the head
    assert float(likeness) > 20.0


def test_map_without_a_prior_is_maximum_likelihood():
    geometry = parallel_beam(4, 8)

    @jax.jit
    def image(truth):
        exposure = Exposure.of(jnp.round(1e4 * jnp.exp(-project(geometry, truth))), 1e4)
        return maximum_a_posteriori(geometry, exposure, al.exponential, 0.0, 0.1, recipe=Recipe(steps=400)).image

    np.testing.assert_allclose(image(jnp.full((4, 4), 0.1)), 0.1, rtol=0.05)
