import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.tomography.geometry import GeometryError, fan_beam, parallel_beam
from actlab.systems.tomography.phantoms import Phantom, disk, random_ellipses, shepp_logan
from actlab.systems.tomography.projector import backproject, dense_matrix, project

GEOMETRIES = {
    "parallel": parallel_beam(64, 60),
    "parallel, off centre": parallel_beam((40, 63), 50, pixel=0.7, bin_width=0.4, centre=30.3),
    "parallel, wide bins": parallel_beam(48, 40, bin_width=3.0),
    "fan": fan_beam(64, 60, source_to_axis=150.0, source_to_detector=300.0),
    "wide fan": fan_beam((50, 64), 60, source_to_axis=70.0, source_to_detector=100.0, bin_width=0.5),
}
SMALL = {
    "parallel": parallel_beam((5, 7), 6, bin_width=0.8, centre=5.2),
    "fan": fan_beam((5, 7), 6, source_to_axis=20.0, source_to_detector=30.0),
}


def relative(found, wanted):
    return np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted)


def adjoint_error(geometry, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=geometry.shape), rng.normal(size=geometry.sinogram_shape)
    forward = np.asarray(project(geometry, jnp.asarray(x, dtype)), np.float64)
    back = np.asarray(backproject(geometry, jnp.asarray(y, dtype)), np.float64)
    return abs(np.sum(forward * y) - np.sum(x * back)) / np.linalg.norm(forward) / np.linalg.norm(y)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_adjoint_with_zero_mean_vectors(name):
    assert adjoint_error(GEOMETRIES[name], jnp.float32) <= 1e-7
    with jax.enable_x64(True):
        assert adjoint_error(GEOMETRIES[name], jnp.float64) <= 1e-13


@pytest.mark.parametrize("bins", [128, 185])
def test_disk_in_a_parallel_beam(bins):
    geometry, phantom = parallel_beam(128, 60, bins=bins), disk(0.6)
    image = jnp.asarray(phantom.image(geometry), jnp.float32)
    wanted = phantom.integrals(geometry, 64).mean(-1)
    s = np.arange(bins) - (bins - 1) / 2
    chord = 2 * 0.02 * np.sqrt(np.maximum(38.4**2 - s**2, 0))
    np.testing.assert_allclose(phantom.integrals(geometry, 1)[7, :, 0], chord, atol=1e-12)
    assert relative(project(geometry, image), wanted) <= 4.2e-3


def test_disks_and_an_ellipse_off_centre():
    parallel = parallel_beam(128, 60)
    fan = fan_beam(128, 60, source_to_axis=300.0, source_to_detector=600.0)
    ellipse = Phantom("ellipse", np.array([(1.0, 0.3, 0.6, 0.1, -0.2, 30.0)]))
    for geometry in (parallel, fan):
        for phantom, most in ((disk(0.6), 4.2e-3), (disk(0.4, x=0.2, y=0.3), 1e-2), (ellipse, 1e-2)):
            image = jnp.asarray(phantom.image(geometry), jnp.float32)
            assert relative(project(geometry, image), phantom.integrals(geometry, 32).mean(-1)) <= most


def test_mass_is_the_same_in_every_view():
    geometry = parallel_beam(64, 45, pixel=1.5, bin_width=1.1)
    phantom = shepp_logan()
    with jax.enable_x64(True):
        image = phantom.image(geometry)
        masses = np.asarray(project(geometry, image)).sum(1) * geometry.bin_width
        np.testing.assert_allclose(masses, image.sum() * geometry.pixel**2, rtol=1e-13)
    np.testing.assert_allclose(masses, phantom.mass(geometry), rtol=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_one_pixel_against_brute_force_rays(name):
    """A pixel's sinogram: the length of many thin rays inside the square, averaged over each bin."""
    geometry = SMALL[name]
    matrix = dense_matrix(geometry).reshape(*geometry.sinogram_shape, *geometry.shape)
    phantom = Phantom("box", np.zeros((1, 6)) + (0.0, 1.0, 1.0, 0.0, 0.0, 0.0), box=1.0, scale=1.0)
    square = geometry.__class__(geometry.angles, geometry.centre, (7, 7), *_static(geometry))
    full = project(square, jnp.ones((7, 7)))
    np.testing.assert_allclose(full, phantom.integrals(square, 400).mean(-1), atol=0.08)
    assert matrix.min() >= 0
    assert relative(matrix.sum((2, 3)), np.asarray(project(geometry, jnp.ones(geometry.shape)))) < 1e-5


def _static(g):
    return g.pixel, g.bins, g.bin_width, g.source_to_axis, g.source_to_detector


@pytest.mark.parametrize("name", SMALL)
def test_transformations(name):
    geometry = SMALL[name]
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(3, *geometry.shape)), jnp.float32)
    y = jnp.asarray(rng.normal(size=geometry.sinogram_shape), jnp.float32)
    loop = jnp.stack([project(geometry, one) for one in x])
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda one: project(geometry, one)))(x), loop, atol=1e-5)
    np.testing.assert_allclose(project(geometry, x), loop, atol=1e-5)
    gradient = jax.grad(lambda one: jnp.sum(y * project(geometry, one)))(x[0])
    np.testing.assert_allclose(gradient, backproject(geometry, y), atol=1e-5)
    np.testing.assert_allclose(jax.jvp(lambda one: project(geometry, one), (x[0],), (x[1],))[1], loop[1], atol=1e-5)
    hessian_vector = jax.jvp(jax.grad(lambda one: 0.5 * jnp.sum(project(geometry, one) ** 2)), (x[0],), (x[1],))[1]
    np.testing.assert_allclose(hessian_vector, backproject(geometry, loop[1]), rtol=1e-4, atol=1e-3)
    matrix = dense_matrix(geometry)
    np.testing.assert_allclose((matrix @ np.asarray(x[2]).ravel()).reshape(y.shape), loop[2], atol=1e-5)


def test_gradient_and_vmap_in_the_centre():
    from dataclasses import replace

    geometry = parallel_beam(32, 10)
    with jax.enable_x64(True):
        image = random_ellipses(0).image(geometry)
        y = np.random.default_rng(0).normal(size=geometry.sinogram_shape)

        def loss(centre):
            return jnp.sum(y * project(replace(geometry, centre=centre), image))

        at = jnp.asarray(22.613)
        slope = (loss(at + 1e-7) - loss(at - 1e-7)) / 2e-7
        np.testing.assert_allclose(jax.grad(loss)(at), slope, rtol=1e-5)
        centres = jnp.asarray([20.0, 22.6])
        np.testing.assert_allclose(jax.vmap(loss)(centres), [loss(c) for c in centres], rtol=1e-12)


def test_a_large_scan_needs_no_matrix():
    geometry = parallel_beam(512, 360)
    compiled = jax.jit(project).lower(geometry, jax.ShapeDtypeStruct((512, 512), jnp.float32)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 64 * 2**20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parallel_beam(0, 10), "shape = 0"),
        (lambda: parallel_beam(8, 10, pixel=-1.0), "pixel = -1.0 must be positive"),
        (lambda: parallel_beam(8, np.array([0.0, np.nan])), "angle 1 is not finite"),
        (lambda: parallel_beam(8, np.zeros((2, 2))), "vector of radians"),
        (lambda: fan_beam(64, 10, source_to_axis=40.0, source_to_detector=90.0), "move the source beyond"),
        (lambda: fan_beam(8, 10, source_to_axis=40.0, source_to_detector=30.0), "between source and detector"),
        (lambda: fan_beam(8, 9, source_to_axis=40.0, source_to_detector=50.0, bins=200), "45 degrees"),
    ],
)
def test_impossible_geometries(make, message):
    with pytest.raises(GeometryError, match=message):
        make()


def test_wrong_arrays():
    geometry = parallel_beam(8, 5)
    with pytest.raises(ValueError, match=r"image has the shape \(7, 8\)"):
        project(geometry, jnp.zeros((7, 8)))
    with pytest.raises(ValueError, match="sinogram has the shape"):
        backproject(geometry, jnp.zeros((5, 7)))
    with pytest.raises(TypeError, match="i(nt)?32"):
        project(geometry, jnp.zeros((8, 8), jnp.int32))
