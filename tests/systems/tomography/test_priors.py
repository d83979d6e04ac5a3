"""Priors: what an edge costs, in which direction it may run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.tomography.priors import log_tv, quadratic, smoothed_tv

N = 64


def half_planes(angles) -> jnp.ndarray:
    """Images of an edge through the middle, blurred over a pixel, at so many angles; a disk's worth of it each."""
    y, x = np.mgrid[:N, :N] - (N - 1) / 2
    angles = np.asarray(angles)[:, None, None]
    inside = np.clip(0.5 + x * np.cos(angles) + y * np.sin(angles), 0, 1)
    disk = np.clip(0.45 * N - np.hypot(x, y), 0, 1)
    return jnp.asarray(inside * disk, jnp.float32)


@pytest.mark.parametrize("width", [0.1, 1.0])
def test_the_price_of_an_edge_hangs_less_on_its_direction_where_differences_are_turned(width):
    images = half_planes(np.linspace(0, 2 * np.pi, 48, endpoint=False))
    plain, turned = (jax.jit(log_tv(0.01, width, turned=t))(images) for t in (False, True))
    spread = [float(jnp.ptp(price) / jnp.mean(price)) for price in (plain, turned)]
    assert spread[1] < 0.95 * spread[0]
    np.testing.assert_allclose(jnp.mean(turned), jnp.mean(plain), rtol=0.1)


def test_turned_differences_see_no_sides():
    # Nothing at the border, where the diagonals of a row more are counted than of a column.
    image = jnp.pad(jax.random.uniform(jax.random.key(0), (2, 8, 8)), ((0, 0), (2, 2), (2, 2)))
    prior = log_tv(0.02, 0.3, turned=True)
    price = prior(image)
    for turned in (image[:, ::-1], image[..., ::-1], jnp.rot90(image[..., ::-1, :], 2, axes=(1, 2))):
        np.testing.assert_allclose(prior(turned), price, rtol=1e-5)
    np.testing.assert_allclose(prior(jnp.ones((3, 8, 8))), 0, atol=1e-6)


def test_a_wide_logarithm_is_total_variation_and_a_diagonal_step_has_its_length():
    image = jax.random.uniform(jax.random.key(1), (9, 9))
    np.testing.assert_allclose(log_tv(0.02, 1e4)(image), smoothed_tv(0.02)(image), rtol=1e-3)
    ramp = jnp.add(*jnp.mgrid[:9, :9]).astype(jnp.float32)  # a gradient of (1, 1) everywhere
    inner = 8 * 8 * np.sqrt(2) + 2 * 8  # and of (1, 0) along the last row and column
    np.testing.assert_allclose(smoothed_tv(1e-3)(ramp), inner, rtol=1e-3)
    np.testing.assert_allclose(quadratic(ramp), (8 * 8 * 2 + 2 * 8) / 2, rtol=1e-6)
    diagonal = 8 * 7 * np.sqrt(2)  # one of the two diagonals sees the whole step, the other none
    np.testing.assert_allclose(log_tv(1e-3, 1e4, turned=True)(ramp), (inner + diagonal) / 2, rtol=2e-3)
