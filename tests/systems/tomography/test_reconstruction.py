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
    for window in WINDOWS:
        image = filtered_backprojection(geometry, integrals, window)
        assert float(image[inside].mean()) == pytest.approx(0.02, rel=0.01)
    with pytest.raises(ValueError, match="no filter window 'box'"):
        filtered_backprojection(geometry, integrals, "box")


def test_likelihood_gradient_by_finite_differences_and_closed_form():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        integrals = jnp.asarray(rng.uniform(0, 3, (4, 5)))
        exposure = Exposure.of(jnp.asarray(rng.poisson(20.0, (4, 5)), jnp.float64), 50.0, 3.0)
        gradient = jax.grad(negative_log_likelihood)(integrals, exposure)
        light = exposure.flat * jnp.exp(-integrals)
        np.testing.assert_allclose(gradient, light * (exposure.counts / (light + 3.0) - 1.0), rtol=1e-12)
        step = 1e-6 * jnp.zeros((4, 5)).at[2, 3].set(1.0)
        rise = negative_log_likelihood(integrals + step, exposure) - negative_log_likelihood(integrals - step, exposure)
        assert float(gradient[2, 3]) == pytest.approx(float(rise) / 2e-6, rel=1e-5)
        half = 10.0 * deviance(integrals, exposure)  # 20 rays
        assert float(half) == pytest.approx(float(negative_log_likelihood(integrals, exposure)), rel=1e-12)


def test_likelihood_of_black_rays_and_dead_bins_is_finite():
    exposure = Exposure.of(jnp.zeros((2, 3)), jnp.asarray([100.0, 100.0, 0.0]))
    assert float(exposure.weight.sum()) == 4.0
    integrals = jnp.full((2, 3), 200.0)
    value, gradient = jax.value_and_grad(negative_log_likelihood)(integrals, exposure)
    assert bool(jnp.isfinite(value))
    assert bool(jnp.all(jnp.isfinite(gradient)))


def test_counts_have_the_mean_and_variance_of_poisson():
    geometry = parallel_beam(8, 200, pixel=4.0)
    integrals = np.full((*geometry.sinogram_shape, 3), 1.0)
    exposure = simulate(jax.random.key(1), integrals, 500.0, background=10.0)
    mean = float(expected(jnp.ones((1, 1)), Exposure.of(jnp.ones((1, 1)), 500.0, 10.0))[0, 0])
    assert float(exposure.counts.mean()) == pytest.approx(mean, rel=0.01)
    assert float(exposure.counts.var()) == pytest.approx(mean, rel=0.1)
    assert float(deviance(jnp.asarray(integrals.mean(-1), jnp.float32), exposure)) == pytest.approx(1.0, abs=0.1)


def test_counts_that_cannot_be():
    with pytest.raises(ValueError, match="negative or not finite"):
        Exposure.of(jnp.asarray([[1.0, -1.0]]), 10.0)
    with pytest.raises(ValueError, match=r"flat of shape \(3,\) does not fit"):
        Exposure.of(jnp.ones((1, 2)), jnp.ones(3))


def test_held_out_rays_are_a_partition(scan):
    fitted, scored = held_out_rays(jax.random.key(0), scan[1], 0.2)
    assert bool(jnp.all(fitted.weight + scored.weight == scan[1].weight))
    assert float(scored.weight.mean()) == pytest.approx(0.2, abs=0.03)


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
    with jax.enable_x64(True):
        grid = jnp.linspace(0.0, 8.0, 400)
        for counts, background in ((0.0, 0.0), (5.0, 3.0), (200.0, 3.0), (90.0, 0.0)):
            exposure = Exposure.of(jnp.full((1, 400), counts), 100.0, background)

            def loss(p, exposure=exposure):
                mean = jnp.maximum(expected(p, exposure), 1e-12)
                return (mean - exposure.counts * jnp.log(mean))[0]

            for at in (0.0, 0.3, 2.0, 6.0):
                p = jnp.full((1, 400), at)
                curvature = surrogate_curvature(p, exposure)[0]
                slope = jax.vmap(jax.grad(lambda v, loss=loss: loss(jnp.full((1, 400), v))[0]))(p[0])
                parabola = loss(p) + slope * (grid - at) + 0.5 * curvature * (grid - at) ** 2
                assert bool(jnp.all(parabola >= loss(grid[None]) - 1e-8))


def test_sirt_sart_and_mlem(scan):
    truth, exposure = scan
    integrals = exposure.line_integrals
    for image, residual in (jax.jit(lambda p: sirt(PARALLEL, p, 40))(integrals), sart(PARALLEL, integrals, 3)):
        assert float(negative_share(image)) == 0.0
        assert float(residual[-1]) < float(residual[0])
        assert float(psnr(image, truth)) > 20.0
    unclipped, _ = sart(PARALLEL, integrals, 3, lower=None)
    assert float(negative_share(unclipped)) > 0.0
    emitted = jnp.maximum(project(PARALLEL, truth), 0.0)
    image, losses = jax.jit(lambda d: mlem(PARALLEL, d, 40))(emitted)
    assert np.all(np.diff(losses) <= 1e-4)
    assert float(image.min()) >= 0.0
    assert float(psnr(image, truth)) > 20.0


def test_sirt_against_matrices():
    geometry = parallel_beam(6, 12)
    matrix = dense_matrix(geometry).astype(np.float64)
    integrals = np.random.default_rng(0).uniform(0.0, 3.0, geometry.sinogram_shape)
    image, _ = sirt(geometry, jnp.asarray(integrals, jnp.float32), 30)
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
        image, _ = jax.jit(lambda p: tv_pdhg(geometry, p, 0.5, 4000))(integrals)

        def objective(x):
            field = np.asarray(differences(jnp.asarray(x)))
            return 0.5 * np.sum((matrix @ x.ravel() - np.asarray(integrals).ravel()) ** 2) + 0.5 * np.sum(
                np.sqrt(np.sum(field**2, axis=0))
            )

        best, x = objective(np.asarray(image)), np.asarray(image)
        for _ in range(300):
            other = np.maximum(x + rng.normal(size=x.shape) * 10.0 ** rng.uniform(-4, -1), 0.0)
            assert objective(other) >= best - 1e-7
        norm = np.linalg.svd(matrix, compute_uv=False)[0]
        assert float(operator_norm(geometry, jnp.float64, 100)) == pytest.approx(norm, rel=1e-6)


def test_divergence_is_the_transpose_of_differences():
    rng = np.random.default_rng(0)
    x, f = jnp.asarray(rng.normal(size=(5, 7)), jnp.float32), jnp.asarray(rng.normal(size=(2, 5, 7)), jnp.float32)
    (transposed,) = jax.linear_transpose(differences, x)(f)
    np.testing.assert_allclose(divergence(f), transposed, atol=1e-6)


def test_image_quality():
    truth = jnp.asarray(np.random.default_rng(0).uniform(size=(20, 24)), jnp.float32)
    assert float(ssim(truth, truth)) == pytest.approx(1.0, abs=1e-5)
    span = float(truth.max() - truth.min())
    assert float(psnr(truth + 0.1 * span, truth)) == pytest.approx(20.0, abs=1e-3)
    assert float(ssim(truth[::-1], truth)) < 0.5
    assert float(bias_where(truth + 0.2, truth, (truth > 0.5).astype(jnp.float32))) == pytest.approx(0.2, rel=1e-4)


@pytest.mark.parametrize("name", ["identity", "tanh", "leaky_relu", "elu"])
def test_an_output_that_can_be_negative_is_refused(name):
    with pytest.raises(al.FactError, match="attenuation is not negative"):
        require_nonnegative(name)


def test_upper_bound_and_start():
    head = al.bounded_range(al.tanh, lower=0.0, upper=3.0)
    assert require_nonnegative(head, upper=3.0) is head
    with pytest.raises(al.FactError):
        require_nonnegative("relu", upper=3.0)
    for activation in (al.relu, al.softplus, al.exponential, al.squareplus, head, al.sigmoid):
        assert float(activation(parameter_for(activation, 0.3))) == pytest.approx(0.3, rel=0.02)


def test_map_with_relu_and_with_a_linear_output(scan):
    truth, exposure = scan
    recipe = Recipe(steps=80)
    keys = jax.random.split(jax.random.key(0), 1)
    pictures = {}
    for activation in (al.relu, al.identity):
        run = jax.jit(
            jax.vmap(
                lambda key, a=activation: tuned(
                    key, PARALLEL, exposure, a, jnp.asarray([1.0, 1e5]), 0.02, recipe=recipe
                )
            )
        )
        found, scores = run(keys)
        assert scores.shape == (1, 2)
        assert float(scores[0, 0]) < float(scores[0, 1])  # far too strong a prior predicts worse
        assert float(found.held_out[0]) == float(scores.min())
        assert float(found.objective[0, -1]) < 0.1 * float(found.objective[0, 0])
        pictures[activation.name] = found.image[0]
    assert float(negative_share(pictures["relu"])) == 0.0
    assert float(negative_share(pictures["identity"])) > 0.05
    assert float(psnr(pictures["relu"], truth)) > float(psnr(pictures["identity"], truth))


def test_map_without_a_prior_is_maximum_likelihood():
    geometry = parallel_beam(4, 8)
    exposure = Exposure.of(jnp.round(1e4 * jnp.exp(-project(geometry, jnp.full((4, 4), 0.1)))), 1e4)
    found = maximum_a_posteriori(geometry, exposure, al.exponential, 0.0, 0.1, recipe=Recipe(steps=400))
    np.testing.assert_allclose(found.image, 0.1, rtol=0.05)
