"""The Hill function's slope laws, to the digits of the reference table, and activations as regulations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import actlab.activations as al
from actlab.systems.circuits import (
    hill_curve,
    hill_of_log,
    log_sensitivity,
    logistic_curve,
    response,
    steepest,
    steepest_between,
)

TABLE = {1.5: 0.60917036212768, 2: 0.649519052838329, 3: 0.839947366596582, 4: 1.06520565606328, 8: 2.03157860163958}


@pytest.mark.parametrize(("n", "slope"), TABLE.items())
def test_steepest_slope_is_the_tables(n, slope, float64):
    where, value = steepest(float(n), 0.4)
    assert value * 0.4 == pytest.approx(slope, rel=1e-13)
    assert al.hill.bind(n=float(n), K=0.4).facts.slope.upper * 0.4 == pytest.approx(slope, rel=1e-13)
    curve = al.hill.bind(n=float(n), K=0.4)
    assert float(curve.slope(jnp.asarray(where))) == pytest.approx(value, rel=1e-13)
    assert float(curve.slope(jnp.asarray(0.4))) == pytest.approx(n / 1.6, rel=1e-14)
    assert n / 1.6 < value


def test_n_of_one_and_below():
    assert steepest(1.0, 0.5) == (0.0, 2.0)
    with pytest.raises(al.FactError, match=r"n = 0.7 < 1 has an unbounded slope at 0"):
        steepest(0.7)
    with pytest.raises(al.FactError, match="a bounded slope"):
        al.require(al.hill.bind(n=0.7), bounded_slope=True, because="a certificate")


@settings(deadline=None, max_examples=60)
@given(st.floats(1.0, 8.0), st.floats(0.1, 3.0), st.just(0.0) | st.floats(0.01, 4.0), st.floats(1e-3, 4.0))
def test_steepest_between_bounds_a_grid_and_is_attained(n, K, lower, width):
    x = np.linspace(lower, lower + width, 2001)
    x = x[x > 0]
    slope = n / x / ((x / K) ** n + 2 + (x / K) ** -n)
    bound = steepest_between(n, K, lower, lower + width)
    assert slope.max() <= bound * (1 + 1e-12)
    assert slope.max() >= bound * (1 - 0.02) or n < 1.5  # near 0 a grid is too coarse for slopes like x^(n-1)


def test_logarithmic_form_value_and_gradient(float64):
    x = jnp.asarray(np.geomspace(1e-300, 1e300, 601))
    value = hill_of_log(jnp.log(x), 2.7, np.log(0.4))
    np.testing.assert_allclose(value, al.hill(x, n=2.7, K=0.4), rtol=1e-11, atol=1e-300)
    by_n = jax.vmap(jax.grad(lambda s: hill_of_log(s, 2.7, 0.0)))(jnp.log(x))
    assert bool(jnp.all(jnp.isfinite(by_n)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_gradients_at_zero_are_finite(dtype, float64):
    def gradient(x, n):
        return jnp.stack(
            jax.grad(lambda x, n, K: al.hill(x, n=n, K=K), argnums=(0, 1, 2))(x, n, jnp.asarray(0.3, dtype))
        )

    x, n = jnp.asarray([0.0, 1e-30], dtype), jnp.asarray([1.0, 1.7, 2.0, 4.0], dtype)
    slopes = np.asarray(jax.jit(jax.vmap(jax.vmap(gradient, (None, 0)), (0, None)))(x, n))
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes[..., 1], 0, atol=1e-11)


def test_log_sensitivity_is_n_times_the_inactive_share(float64):
    x = jnp.asarray(np.geomspace(1e-3, 1e3, 41))
    up, down = al.hill.bind(n=3.0, K=0.6), al.hill_repression.bind(n=3.0, K=0.6)
    found = jax.jit(lambda x: (log_sensitivity(up, x), 3 * down(x), log_sensitivity(down, x), -3 * up(x)))(x)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    np.testing.assert_allclose(found[2], found[3], rtol=1e-12)


def test_logistic_and_tanh_are_hill_functions_as_regulations(float64):
    x = jnp.asarray(np.geomspace(1e-3, 1e3, 41))
    np.testing.assert_allclose(response(al.sigmoid, 2.0, 0.5)(x), al.hill(x, n=2.0, K=0.5), rtol=1e-6)
    for sign in (1, -1):
        np.testing.assert_allclose(
            logistic_curve(sign, 2.7, 0.5)(x), hill_curve(sign, 2.7, 0.5)(x), rtol=1e-11, atol=1e-15
        )
    np.testing.assert_allclose(response(al.tanh, 2.0, 0.5)(x), al.hill(x, n=4.0, K=0.5), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        response(al.sigmoid, 2.0, 0.5, repression=True)(x), al.hill_repression(x, n=2.0, K=0.5), rtol=1e-6, atol=1e-12
    )


def test_a_function_of_concentration_is_read_as_one():
    x = jnp.asarray([0.0, 0.1, 0.5, 2.0])
    curve = response(al.hill.bind(n=3.0, K=7.0), K=0.5)
    assert curve.reading == "linear"
    np.testing.assert_allclose(curve(x), al.hill(x, n=3.0, K=0.5), rtol=1e-5)
    np.testing.assert_allclose(response(al.bounded_relu, K=0.5)(x), [0, 0.1, 0.5, 1], atol=1e-6)
    assert curve.facts.slope.upper == pytest.approx(steepest(3.0, 0.5)[1], rel=1e-5)


@pytest.mark.parametrize("name", ["sigmoid", "arctan", "hard_sigmoid", "heaviside"])
def test_every_regulation_is_half_on_at_K_and_has_its_facts(name):
    for repression in (False, True):
        curve = response(al.get(name), 2.0, 0.7, repression=repression)
        x = jnp.concatenate([jnp.zeros(1), jnp.geomspace(1e-6, 1e6, 200)])
        y = np.asarray(curve(x))
        assert 0 <= y.min() <= y.max() <= 1
        assert np.all(np.diff(y) * (-1 if repression else 1) >= 0)
        if name != "heaviside":
            assert float(curve(jnp.asarray(0.7))) == pytest.approx(0.5, abs=2e-5)
        else:
            np.testing.assert_array_equal(curve(jnp.asarray([0.69, 0.71])), [1, 0] if repression else [0, 1])


@pytest.mark.parametrize("name", ["relu", "swish", "softplus", "sin", "gaussian"])
def test_what_makes_no_regulation_is_refused(name):
    with pytest.raises(al.FactError, match="a promoter's activity lies between off and on"):
        response(al.get(name))


def test_a_falling_activation_is_read_upside_down():
    x = jnp.asarray([0.2, 1.0, 5.0])
    np.testing.assert_allclose(response(al.negate(al.sigmoid))(x), al.hill(x), rtol=1e-5)
