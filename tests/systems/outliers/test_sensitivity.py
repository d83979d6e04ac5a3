import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.optimize import minimize

from actlab.systems.outliers import huber, mse, student_t, tanh_psi, tukey
from actlab.systems.outliers.scale import mad, shorth
from actlab.systems.outliers.sensitivity import breakdown_point, implicit_influence, location, sensitivity_curve

SAMPLE = jnp.asarray(np.random.default_rng(0).normal(size=100), jnp.float32)
POINTS = jnp.asarray(np.geomspace(1.0, 1e8, 30), jnp.float32)


def test_breakdown_of_mean_median_and_shorth():
    assert breakdown_point(jnp.mean, SAMPLE) == pytest.approx(1 / 100)  # one row: 0 in the limit
    assert breakdown_point(jnp.median, SAMPLE) == pytest.approx(0.5)
    assert breakdown_point(shorth, SAMPLE) == pytest.approx(0.5, abs=0.011)
    assert breakdown_point(mad, SAMPLE) == pytest.approx(0.5, abs=0.011)


def test_sensitivity_of_the_mean_is_the_deviation_of_the_point():
    curve = sensitivity_curve(jnp.mean, SAMPLE, POINTS)
    np.testing.assert_allclose(curve, POINTS - jnp.mean(SAMPLE), rtol=1e-3, atol=1e-3)
    assert np.abs(sensitivity_curve(jnp.median, SAMPLE, POINTS)).max() < 3.0


def test_sensitivity_of_location_is_bounded_by_a_bounded_psi():
    for loss in (huber, tanh_psi, tukey, student_t):
        curve = np.asarray(sensitivity_curve(lambda x, loss=loss: location(loss, x), SAMPLE, POINTS))
        expected = float(mad(SAMPLE) * loss.psi.facts.range.upper / np.mean(loss.psi.slope(SAMPLE / mad(SAMPLE))))
        assert np.abs(curve).max() < 1.3 * expected  # gross-error sensitivity sup|psi| / E[psi']
        assert abs(curve[-1] / curve[-5]) == pytest.approx(1.0, abs=0.05) or abs(curve[-1]) < 0.5
    curve = np.asarray(sensitivity_curve(lambda x: location(mse, x), SAMPLE, POINTS))
    assert np.abs(curve).max() > 1e7


def test_shorth_finds_the_majority_where_the_median_is_shifted():
    values = jnp.concatenate([SAMPLE, 15.0 + SAMPLE[:66]])  # 40 % of the rows
    assert abs(float(shorth(values))) < 0.5 < float(jnp.median(values))
    assert float(mad(jnp.ones(5))) > 0


def test_implicit_influence_of_a_linear_model_predicts_leave_one_out(float64):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 3))
    y = x @ np.array([1.0, -2.0, 0.5]) + rng.standard_t(2, size=40)
    rows = (jnp.asarray(x), jnp.asarray(y))
    penalty, weights = 0.5, jnp.ones(40)

    def row_loss(p, row):
        return tanh_psi.rho(row[1] - row[0] @ p)

    def refit(weights):
        def total(p):
            losses = jax.vmap(row_loss, (None, 0))(p, rows)
            return jnp.sum(weights * losses) + penalty * jnp.sum(p**2)

        def newton(p, _):
            return p - 0.5 * jnp.linalg.solve(jax.hessian(total)(p), jax.grad(total)(p)), None

        return jax.lax.scan(newton, jnp.zeros(3), length=80)[0]

    full = refit(weights)
    derived = implicit_influence(row_loss, full, rows, lambda p: penalty * jnp.sum(p**2))
    refitted = np.asarray(jax.jit(jax.vmap(refit))(1.0 - jnp.eye(40))) - np.asarray(full)
    assert np.corrcoef(derived.ravel(), refitted.ravel())[0, 1] >= 0.98
    assert np.linalg.norm(derived - refitted) < 0.2 * np.linalg.norm(refitted)


def test_implicit_influence_of_a_net_predicts_leave_one_out(float64):
    rng = np.random.default_rng(2)
    x = jnp.asarray(np.linspace(-2, 2, 20)[:, None])
    rows = (x, jnp.sin(2 * x[:, 0]) + 0.1 * jnp.asarray(rng.normal(size=20)))
    start = {"w": jnp.asarray(rng.normal(size=(1, 4))), "b": jnp.zeros(4), "v": jnp.asarray(0.5 * rng.normal(size=4))}

    def row_loss(p, row):
        return tanh_psi.rho((row[1] - jnp.tanh(row[0] @ p["w"] + p["b"]) @ p["v"]) / 0.5)

    def penalty(p):
        return 0.1 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(p))

    def predict(p):
        return jnp.tanh(x @ p["w"] + p["b"]) @ p["v"]

    flat, unravel = jax.flatten_util.ravel_pytree(start)

    def refit(weights, flat, steps):
        def total(f):
            p = unravel(f)
            return jnp.sum(weights * jax.vmap(row_loss, (None, 0))(p, rows)) + penalty(p)

        return minimize(total, flat, method="BFGS", options={"maxiter": steps}).x

    full = jax.jit(lambda: refit(jnp.ones(20), flat, 400))()
    derived = implicit_influence(row_loss, unravel(full), rows, penalty)
    refitted = jax.jit(jax.vmap(lambda w: refit(w, full, 100)))(1.0 - jnp.eye(20))
    moved = np.asarray(jax.vmap(lambda f: predict(unravel(f)))(refitted)) - np.asarray(predict(unravel(full)))
    linear = np.asarray(
        jax.vmap(lambda d: jax.jvp(lambda f: predict(unravel(f)), (full,), (d,))[1])(jnp.asarray(derived))
    )
    assert np.corrcoef(moved.ravel(), linear.ravel())[0, 1] >= 0.95


def test_a_saddle_is_refused():
    with pytest.raises(ValueError, match="least eigenvalue"):
        implicit_influence(lambda p, row: -jnp.sum(p**2) * row, jnp.ones(2), jnp.ones(3), lambda p: 0.0 * jnp.sum(p))
