"""Complete lists of roots: closed forms, clustered roots, none missed at random, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from actlab.dynamics import RootError, all_roots


def test_roots_of_a_wave_are_all_found():
    found = all_roots(lambda x: jnp.sin(x) - 0.5, -20.0, 20.0)
    expected = sorted(
        v for k in range(-8, 9) for v in (np.pi / 6 + 2 * np.pi * k, 5 * np.pi / 6 + 2 * np.pi * k) if abs(v) < 20
    )
    np.testing.assert_allclose(found.points, expected, rtol=0, atol=1e-14)
    assert np.all(found.lower <= found.upper)


def test_roots_of_derivatives():
    def wavelet(x):
        return x * jnp.exp(-x * x)

    np.testing.assert_allclose(all_roots(wavelet, -3.0, 3.0, order=1).points, [-(0.5**0.5), 0.5**0.5])
    found = all_roots(wavelet, -3.0, 3.0, order=2).points
    np.testing.assert_allclose(found, [-(1.5**0.5), 0.0, 1.5**0.5], atol=1e-14)


def test_close_roots_are_told_apart_and_none_is_invented():
    found = all_roots(lambda x: (x - 0.3) * (x - 0.3001) * (x + 2.0), -5.0, 5.0)
    np.testing.assert_allclose(found.points, [-2.0, 0.3, 0.3001], rtol=1e-10)
    assert all_roots(lambda x: jnp.exp(x) + x * x, -30.0, 30.0).points.size == 0


def test_random_polynomials_lose_no_root():
    generator = np.random.default_rng(0)
    for _ in range(4):
        roots = np.sort(generator.uniform(-4, 4, 5))
        found = all_roots(lambda x, roots=roots: _product(x, roots), -5.0, 5.0)
        np.testing.assert_allclose(found.points, roots, rtol=1e-9, atol=1e-9)


def _product(x, roots):
    value = 1.0
    for r in roots.tolist():
        value = value * (x - r)
    return value


def test_refusals():
    with pytest.raises(RootError, match="double root in"):
        all_roots(lambda x: (x - 0.123) * (x - 0.123), -1.0, 1.0)
    with pytest.raises(RootError, match="double root in"):  # too wide for its boxes ever to be thin near 0
        all_roots(lambda x: x * x, -1e12, 1e12)
    with pytest.raises(RootError, match="at an end of the interval"):
        all_roots(lambda x: x, 0.0, 1.0)
    with pytest.raises(RootError, match="not defined"):
        all_roots(lambda x: jnp.log(x), -1.0, 1.0)
    with pytest.raises(ValueError, match="lower end below the upper"):
        all_roots(lambda x: x, 1.0, 1.0)
    with pytest.raises(ValueError, match="order = 3"):
        all_roots(lambda x: x, 0.0, 1.0, order=3)
