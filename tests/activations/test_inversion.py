"""The guaranteed inverse: round trips to rounding error over the whole range of floats, and implicit derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al

CASES = {
    "softplus": al.bounded_slope(al.softplus, lower=0.1, upper=2.0),
    "steep": al.bounded_slope(al.boltzmann.bind(k=0.01), lower=1e-3, upper=10.0),
    "swish": al.bounded_slope(al.swish, lower=0.3, upper=1.0),
    "relu": al.bounded_slope(al.relu, lower=0.01, upper=1.0),
    "wavy": al.bounded_slope(al.sine, lower=0.05, upper=3.0),
    "nested": al.bounded_slope(al.bounded_slope(al.gelu, lower=0.1, upper=1.0), lower=0.5, upper=2.0),
    "bent_identity": al.bent_identity,
}
FAR = np.geomspace(1e-30, 1e30, 121)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip_to_the_conditioning_of_the_problem(dtype):
    eps = np.finfo(dtype).eps
    with jax.enable_x64(dtype is np.float64):
        y = jnp.asarray(np.concatenate([np.linspace(-20, 20, 2001), FAR, -FAR]), dtype)
        run = jax.jit(lambda y: {k: ((x := al.invert(f, y)), f(x), f.slope(x)) for k, f in CASES.items()})
        for name, (x, back, _) in jax.device_get(run(y)).items():
            slope = CASES[name].facts.slope
            error = np.abs(back - np.asarray(y)) / (np.abs(y) + slope.upper * np.abs(x) + np.finfo(dtype).tiny)
            assert error.max() <= 8 * eps, (name, error.max() / eps)


def test_agrees_with_closed_forms(float64):
    y = jnp.asarray(np.linspace(-50, 50, 1001))
    np.testing.assert_allclose(
        al.invert(al.bent_identity, y), al.bent_identity.facts.inverse(y), rtol=1e-12, atol=1e-14
    )
    leaky = al.leaky_relu.bind(negative_slope=0.1)
    np.testing.assert_allclose(al.invert(leaky, y), leaky.facts.inverse(y), rtol=1e-13)


def test_the_facts_offer_it(float64):
    act = CASES["softplus"]
    x = jnp.linspace(-5.0, 5.0, 101)
    np.testing.assert_allclose(act.facts.inverse(act(x)), x, rtol=1e-12, atol=1e-13)
    assert al.bounded_slope(al.tanh, lower=-1.0, upper=1.0).facts.inverse is None


def test_special_inputs():
    act = CASES["softplus"]
    y = jnp.array([jnp.inf, -jnp.inf, jnp.nan, 0.0, 3e38, -3e38, 1e-45], jnp.float32)
    x = np.asarray(al.invert(act, y))
    assert x[0] == np.inf
    assert x[1] == -np.inf
    assert np.isnan(x[2])
    assert np.isfinite(x[3:]).all()
    for dtype in (jnp.bfloat16, jnp.float16):
        assert al.invert(act, jnp.ones((2, 3), dtype)).dtype == dtype


def test_derivatives_are_those_of_the_implicit_function(float64):
    @jax.jit
    def f(point):
        y, m, k = point
        return al.invert(al.bounded_slope(al.boltzmann.bind(k=k), lower=m, upper=2.0), y)

    point, step = jnp.array([0.7, 0.3, 0.9]), 1e-5

    @jax.jit
    @jax.vmap
    def differences(direction):
        return tuple((g(point + step * direction) - g(point - step * direction)) / (2 * step) for g in (f, jax.grad(f)))

    first, second = differences(jnp.eye(3))
    np.testing.assert_allclose(jax.jit(jax.grad(f))(point), first, rtol=1e-8)
    np.testing.assert_allclose(jax.jit(jax.hessian(f))(point), second, rtol=1e-7, atol=1e-8)


def test_vmap_and_jit_are_the_loop():
    y, lows = jnp.linspace(-3, 3, 5), jnp.array([0.1, 0.5, 0.9])

    def solve(low):
        act = al.bounded_slope(al.softplus, lower=low, upper=2.0)
        return al.invert(act, y)

    looped = jnp.stack([solve(float(v)) for v in lows])
    np.testing.assert_allclose(jax.jit(jax.vmap(solve))(lows), looped, rtol=2e-6, atol=1e-6)
    act = al.bounded_slope(al.softplus, lower=0.5, upper=2.0)
    gradient = jax.jit(jax.vmap(jax.grad(lambda v: al.invert(act, v))))(y)
    np.testing.assert_allclose(gradient, 1 / act.slope(al.invert(act, y)), rtol=1e-6)


def test_refuses_without_a_positive_slope():
    for act in (al.relu, al.tanh, al.activation(lambda x: x + jnp.sin(x))):
        with pytest.raises(al.FactError, match="needs slope > 0"):
            al.invert(act, jnp.ones(3))
    with pytest.raises(TypeError, match="floating"):
        al.invert(CASES["relu"], jnp.arange(3))
