import functools

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


@functools.cache
def matrix_of(name):
    return dense_matrix(SMALL[name])


def relative(found, wanted):
    return np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted)


def adjoint_errors(geometries, dtype):
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=g.shape), rng.normal(size=g.sinogram_shape)) for g in geometries]

    @jax.jit
    def images(pairs):
        return [(project(g, x), backproject(g, y)) for g, (x, y) in zip(geometries, pairs, strict=True)]

    found = jax.tree.map(
        lambda v: np.asarray(v, np.float64), images(jax.tree.map(lambda v: jnp.asarray(v, dtype), pairs))
    )
    return [
        abs(np.sum(forward * y) - np.sum(x * back)) / np.linalg.norm(forward) / np.linalg.norm(y)
        for (x, y), (forward, back) in zip(pairs, found, strict=True)
    ]


def test_adjoint_with_zero_mean_vectors():
    assert max(adjoint_errors(GEOMETRIES.values(), jnp.float32)) <= 1e-7
    with jax.enable_x64(True):
        assert max(adjoint_errors([GEOMETRIES[n] for n in ("parallel, off centre", "wide fan")], jnp.float64)) <= 1e-13


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
    matrix = matrix_of(name).reshape(*geometry.sinogram_shape, *geometry.shape)
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
    matrix = matrix_of(name)
    loop = np.stack([(matrix @ np.ravel(one)).reshape(y.shape) for one in x])

    def transformed(x, y):
        def seen(one):
            return project(geometry, one)

        gradient = jax.grad(lambda one: jnp.sum(y * seen(one)))(x[0])
        _, moved = jax.jvp(seen, (x[0],), (x[1],))
        _, bent = jax.jvp(jax.grad(lambda one: 0.5 * jnp.sum(seen(one) ** 2)), (x[0],), (x[1],))
        return seen(x[0]), jax.vmap(seen)(x), project(geometry, x), gradient, moved, bent

    one, mapped, batched, gradient, moved, bent = jax.jit(transformed)(x, y)
    np.testing.assert_allclose(project(geometry, x[0]), one, atol=1e-5)  # not compiled: the primitive by itself
    np.testing.assert_allclose(one, loop[0], atol=1e-5)
    np.testing.assert_allclose(mapped, loop, atol=1e-5)
    np.testing.assert_allclose(batched, loop, atol=1e-5)
    transposed = (matrix.T @ np.ravel(y)).reshape(geometry.shape)
    np.testing.assert_allclose(gradient, transposed, atol=1e-5)
    np.testing.assert_allclose(moved, loop[1], atol=1e-5)
    np.testing.assert_allclose(bent, (matrix.T @ loop[1].ravel()).reshape(geometry.shape), rtol=1e-4, atol=1e-3)


def test_gradient_and_vmap_in_the_centre():
    from dataclasses import replace

    geometry = parallel_beam(32, 10)
    with jax.enable_x64(True):
        image = random_ellipses(0).image(geometry)
        y = np.random.default_rng(0).normal(size=geometry.sinogram_shape)

        def loss(centre):
            return jnp.sum(y * project(replace(geometry, centre=centre), image))

        at, losses = jnp.asarray(22.613), jax.jit(jax.vmap(loss))
        above, below, here = losses(at + jnp.asarray([1e-7, -1e-7, 0.0]))
        value, gradient = jax.jit(jax.value_and_grad(loss))(at)
        np.testing.assert_allclose(gradient, (above - below) / 2e-7, rtol=1e-5)
        np.testing.assert_allclose(here, value, rtol=1e-12)


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
