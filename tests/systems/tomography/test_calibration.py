"""Calibration on frames whose gain, drift and axis are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.tomography.calibration import (
    CalibrationError,
    bin_gains,
    binned,
    centre_by_consistency,
    centre_by_mass,
    exposure_of_frames,
    photons_per_count,
)
from actlab.systems.tomography.counts import Exposure
from actlab.systems.tomography.geometry import fan_beam, parallel_beam
from actlab.systems.tomography.phantoms import Phantom
from actlab.systems.tomography.projector import project

TWO = Phantom("two disks", np.array([(1.0, 0.2, 0.2, 0.35, 0.2, 0.0), (0.6, 0.3, 0.2, -0.2, -0.3, 30.0)]))


def test_gain_by_photon_transfer():
    rng, gain = np.random.default_rng(0), 1.6
    light = rng.uniform(4e4, 5e4, 800)
    brightness = rng.uniform(0.98, 1.02, (10, 1))
    flats = rng.poisson(brightness * light) / gain + rng.normal(100.0, 3.0, (10, 800))
    darks = rng.normal(100.0, 3.0, (10, 800))
    assert photons_per_count(flats, darks) == pytest.approx(gain, rel=0.04)
    with pytest.raises(CalibrationError, match="give three flats and two darks"):
        photons_per_count(flats[:2], darks)
    with pytest.raises(CalibrationError, match="give the gain itself"):
        photons_per_count(np.ones((4, 3)), darks[:, :3])


def test_flats_darks_and_drift():
    frames = np.array([[150.0, 60.0, 35.0], [130.0, 60.0, 35.0]])
    flats, darks = np.array([[110.0, 110.0, 60.0]] * 2), np.array([[10.0, 10.0, 10.0]] * 2)
    exposure = exposure_of_frames(frames, flats, darks, gain=2.0, air=slice(0, 1))
    np.testing.assert_allclose(exposure.counts, 2 * frames)
    np.testing.assert_allclose(exposure.background, 20.0)
    np.testing.assert_allclose(exposure.flat, [[280.0, 280.0, 140.0], [240.0, 240.0, 120.0]], rtol=1e-6)
    np.testing.assert_allclose(exposure.line_integrals[:, 0], 0.0, atol=1e-6)
    steady = exposure_of_frames(frames, flats, darks, gain=1.0)
    np.testing.assert_allclose(steady.flat[1], [100.0, 100.0, 50.0])


def test_binning_adds_photons():
    exposure = Exposure.of(jnp.arange(10.0).reshape(2, 5), 4.0, 1.0, jnp.asarray([1.0, 1.0, 0.0, 1.0, 1.0]))
    half = binned(exposure, 2)
    np.testing.assert_array_equal(half.counts, [[1.0, 5.0], [11.0, 15.0]])
    np.testing.assert_array_equal(half.flat, 8.0)
    np.testing.assert_array_equal(half.weight, [[1.0, 0.0], [1.0, 0.0]])


def test_gains_of_bins_come_back_from_the_right_image():
    geometry = parallel_beam(16, 12)
    gain = np.random.default_rng(0).uniform(0.95, 1.05, geometry.bins).astype(np.float32)
    image = jnp.asarray(0.05 * TWO.image(geometry) / 0.02, jnp.float32)
    weight = np.ones(geometry.sinogram_shape, np.float32)
    weight[3:5], weight[:, 7] = 0.0, 0.0

    @jax.jit
    def found(image, gain, weight):
        light = 1000.0 * jnp.exp(-project(geometry, image))
        exposure = Exposure.of(light * gain[None] + 20.0, 1000.0, 20.0, weight)
        gains = bin_gains(geometry, exposure, image)
        return gains, exposure.scaled(gains).flat

    gains, flat = found(image, gain, weight)
    gain[7] = 1.0  # no ray of this bin counts
    np.testing.assert_allclose(gains, gain, rtol=1e-5)
    np.testing.assert_allclose(flat, 1000.0 * np.broadcast_to(gains, flat.shape), rtol=1e-6)


def test_axis_of_a_parallel_and_of_a_fan_beam():
    parallel = parallel_beam(32, 30, centre=24.37)
    integrals = jnp.asarray(TWO.integrals(parallel).mean(-1), jnp.float32)
    assert float(centre_by_mass(parallel, integrals)) == pytest.approx(24.37, abs=0.02)
    fan = fan_beam(32, 40, source_to_axis=90.0, source_to_detector=150.0, centre=26.8)
    seen = jnp.asarray(TWO.integrals(fan).mean(-1), jnp.float32)
    guess = (fan.bins - 1) / 2
    found = jax.jit(lambda p: centre_by_consistency(fan, p, around=guess, reach=4.0))(seen)
    assert abs(guess - 26.8) > 0.5
    assert float(found) == pytest.approx(26.8, abs=0.15)
    with pytest.raises(CalibrationError, match="centre_by_consistency"):
        centre_by_mass(fan, seen)
