import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.outliers import LOSSES, gaussian_efficiency, huber, mse, student_t, tanh_psi, tukey

GRID = np.concatenate([np.linspace(-30, 30, 20001), np.geomspace(1e-6, 1e8, 2001), -np.geomspace(1e-6, 1e8, 2001)])
R = jnp.asarray(GRID, jnp.float32)
BOUNDED = [loss for loss in LOSSES.values() if loss is not mse]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_psi_is_the_derivative_of_rho(loss, float64):
    r = np.linspace(-12.0, 12.0, 4001) + 1e-3
    h = 1e-5
    difference = (np.asarray(loss.rho(jnp.asarray(r + h))) - np.asarray(loss.rho(jnp.asarray(r - h)))) / (2 * h)
    np.testing.assert_allclose(loss.psi(jnp.asarray(r)), difference, atol=5e-6)  # h / 4 at a kink
    np.testing.assert_allclose(jax.vmap(jax.grad(loss.rho))(jnp.asarray(r)), loss.psi(jnp.asarray(r)), atol=1e-12)
    away = np.all(np.abs(np.abs(r)[:, None] - np.array([1.345, 4.685])) > 1e-3, axis=1)
    difference = (np.asarray(loss.psi(jnp.asarray(r + h))) - np.asarray(loss.psi(jnp.asarray(r - h)))) / (2 * h)
    np.testing.assert_allclose(loss.psi.slope(jnp.asarray(r))[away], difference[away], atol=2e-6)


@pytest.mark.parametrize("loss", BOUNDED, ids=lambda loss: loss.name)
def test_the_range_of_psi_is_its_supremum(loss):
    largest, slope = float(jnp.max(jnp.abs(loss.psi(R)))), np.asarray(loss.psi.slope(R))
    facts = loss.psi.facts
    assert largest == pytest.approx(facts.range.upper, rel=1e-5)
    assert facts.range.lower == -facts.range.upper
    assert slope.max() <= facts.slope.upper * (1 + 1e-6)
    assert slope.min() >= facts.slope.lower * (1 + 1e-5) - 1e-7
    assert slope.min() == pytest.approx(facts.slope.lower, rel=1e-4, abs=1e-7)
    assert loss.bounded
    al.require(loss.psi, bounded_range=True, because="test")


def test_squared_loss_is_unbounded():
    assert not mse.bounded
    with pytest.raises(al.FactError, match="bounded range"):
        al.require(mse.psi, bounded_range=True, because="a bounded influence")


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_redescending_is_what_it_says(loss):
    far = np.abs(np.asarray(loss.psi(jnp.array([-1e8, 1e8], jnp.float32))))
    assert bool(np.all(far < 1e-6)) == loss.redescending
    assert loss.convex == (not loss.redescending)


@pytest.mark.parametrize(("nu", "s"), [(3.0, 1.0), (1.0, 0.5), (7.0, 2.0)])
def test_student_psi_is_largest_at_s_root_nu(nu, s):
    loss = student_t.bind(nu=nu, s=s)
    r = np.linspace(0.01, 20.0, 40001)
    values = np.asarray(loss.psi(jnp.asarray(r, jnp.float32)))
    assert r[values.argmax()] == pytest.approx(s * math.sqrt(nu), abs=2e-2)
    assert values.max() == pytest.approx((nu + 1) / (2 * s * math.sqrt(nu)), rel=1e-5)
    np.testing.assert_allclose(values, (nu + 1) * r / (nu * s**2 + r**2), rtol=1e-5)


@pytest.mark.parametrize("loss", [huber, tanh_psi, tukey], ids=lambda loss: loss.name)
def test_default_constants_are_95_percent_efficient(loss):
    assert gaussian_efficiency(loss) == pytest.approx(0.95, abs=1e-3)
    assert gaussian_efficiency(mse) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("loss", BOUNDED, ids=lambda loss: loss.name)
def test_finite_far_out(loss):
    r = jnp.array([0.0, 1e-30, 1.0, 1e10, 1e20, 3e38, -3e38], jnp.float32)
    for values in (loss.rho(r[:-2] if loss in (huber, tanh_psi) else r), loss.psi(r), loss.psi.slope(r)):
        assert bool(jnp.all(jnp.isfinite(values)))
    weights = np.asarray(loss.weight(r))
    assert weights[0] == pytest.approx(float(loss.psi.slope(jnp.zeros(()))))
    assert np.all(np.isfinite(weights))
    assert np.all(np.diff(np.abs(weights[:6])) <= 0)


def test_log_cosh_near_zero_keeps_its_digits():
    r = np.array([1e-4, 1e-3, 0.5, 1.2, 1.21, 50.0])
    expected = 1.2047**2 * (np.logaddexp(r / 1.2047, -r / 1.2047) - np.log(2.0))
    expected[:2] = 0.5 * r[:2] ** 2
    np.testing.assert_allclose(tanh_psi.rho(jnp.asarray(r, jnp.float32)), expected, rtol=2e-6)


def test_constants_are_leaves():
    scaled = jax.vmap(lambda c: tukey.bind(c=c).psi(jnp.float32(1.0)))(jnp.array([1.5, 4.685, 50.0]))
    np.testing.assert_allclose(scaled, [(1 - (1 / c) ** 2) ** 2 for c in (1.5, 4.685, 50.0)], rtol=1e-6)
    slope = jax.grad(lambda loss: loss.rho(jnp.float32(9.0)))(huber)
    assert float(slope.psi.parameters["c"]) == pytest.approx(9.0 - 1.345)
    with pytest.raises(ValueError, match="outside its domain"):
        huber.bind(c=-1.0)
