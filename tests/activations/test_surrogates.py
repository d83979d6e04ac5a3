"""Surrogates: the declared peak and area, facts, and the derivatives of a step that uses them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import actlab.activations as al

S = al.surrogates
# Peak and area as each docstring declares them.
DECLARED = {
    "fast_sigmoid": (lambda b: 1, lambda b: 2 / b),
    "sigmoid": (lambda b: b / 4, lambda b: 1),
    "arctan": (lambda b: b / 2, lambda b: 1),
    "triangle": (lambda b: 1, lambda b: 1 / b),
    "gaussian": (lambda b: b / math.sqrt(math.pi), lambda b: 1),
    "rectangular": (lambda b: b, lambda b: 1),
    "exponential": (lambda b: b / 2, lambda b: 1),
    "hyperbolic": (lambda b: 1, lambda b: 2 / b),
}
BETAS = (0.7, 3.0)
CASES = {(name, beta): getattr(S, name)(beta=beta) for name in DECLARED for beta in BETAS}
X = np.unique(np.concatenate([np.linspace(-6, 6, 24001), [1e4, -1e4, 1e30, -1e30]]))


@pytest.fixture(scope="module")
def portraits():
    with jax.enable_x64(True):
        run = jax.jit(lambda x: [(a(x), a.slope(x), a.curvature(x)) for a in CASES.values()])
        return dict(zip(CASES, jax.device_get(run(jnp.asarray(X))), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_peak_area_and_shape(portraits, case, float64):
    h = portraits[case][0]
    peak, area = (declared(case[1]) for declared in DECLARED[case[0]])
    np.testing.assert_allclose(h.max(), peak, rtol=1e-12)
    assert X[np.argmax(h >= h.max())] <= 0
    np.testing.assert_allclose(h, h[::-1], rtol=1e-12, atol=1e-12)
    assert (np.diff(h[X >= 0]) <= 1e-15).all()
    f = jax.jit(CASES[case])
    edge = 0.5 / case[1] if case[0] == "rectangular" else 1 / case[1]
    inside = quad(lambda v: float(f(jnp.asarray(v))), 0, edge * (1 - 1e-14), epsabs=1e-9)[0]
    tail = quad(lambda v: float(f(jnp.asarray(v))), edge * (1 + 1e-14), np.inf, epsabs=1e-9, limit=200)[0]
    np.testing.assert_allclose(2 * (inside + tail), area, rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_facts_contain_the_truth_tightly(portraits, case):
    facts = CASES[case].facts
    away = np.min([np.abs(X - float(k)) for k in facts.kinks], axis=0, initial=1.0) > 0
    for interval, values in zip((facts.range, facts.slope, facts.curvature), portraits[case], strict=True):
        values = values[away]
        assert np.isfinite(values).all()
        slack = 1e-12 * np.abs(values)
        assert (values >= interval.lower - slack).all()
        assert (values <= interval.upper + slack).all()
        np.testing.assert_allclose([values.min(), values.max()], [interval.lower, interval.upper], rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_closed_forms_match_differences(portraits, case, float64):
    act, kinks = CASES[case], np.asarray([float(k) for k in CASES[case].facts.kinks])
    x = X[np.abs(X) < 5]
    x = x[np.min([np.abs(x - k) for k in kinks], axis=0, initial=1.0) > 1e-4]
    up, down = jnp.asarray(x + 1e-6), jnp.asarray(x - 1e-6)
    np.testing.assert_allclose(act.slope(jnp.asarray(x)), (act(up) - act(down)) / 2e-6, rtol=1e-6, atol=1e-7)
    numeric = (act.slope(up) - act.slope(down)) / 2e-6
    np.testing.assert_allclose(act.curvature(jnp.asarray(x)), numeric, rtol=1e-6, atol=1e-6)


def test_the_step_is_exact_and_its_derivatives_are_the_surrogate():
    x = jnp.linspace(-1.05, 1.0, 42)
    for name in (*DECLARED, "straight_through"):
        surrogate = getattr(S, name)
        spike = al.heaviside.with_surrogate(surrogate)
        np.testing.assert_array_equal(spike(x), (x > 0).astype(x.dtype))
        assert spike.facts.gradient == "surrogate"
        np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(spike)))(x), surrogate(x), rtol=1e-6)
        np.testing.assert_allclose(jax.jvp(spike, (x,), (2 * x,))[1], 2 * x * surrogate(x), rtol=1e-6)
    spike = al.heaviside.with_surrogate(S.fast_sigmoid(beta=10.0))
    hessian = jax.jit(jax.hessian(lambda v: jnp.sum(spike(v) ** 2)))(x)
    h, slope = S.fast_sigmoid(x, beta=10.0), S.fast_sigmoid.bind(beta=10.0).slope(x)
    np.testing.assert_allclose(hessian, jnp.diag(2 * (h**2 + spike(x) * slope)), rtol=1e-5, atol=1e-6)


def test_beta_is_a_leaf():
    betas = jnp.array([1.0, 5.0])
    slopes = jax.vmap(lambda b: jax.grad(al.heaviside.with_surrogate(S.arctan(beta=b)))(0.3))(betas)
    np.testing.assert_allclose(slopes, [S.arctan(jnp.float32(0.3), beta=float(b)) for b in betas], rtol=1e-6)


def test_calling_with_parameters_alone_binds_them():
    assert S.fast_sigmoid(beta=25.0).parameters == {"beta": 25.0}
    assert S.sigmoid is not al.sigmoid
    with pytest.raises(TypeError, match="takes an array"):
        S.fast_sigmoid()
    with pytest.raises(ValueError, match="domain"):
        S.fast_sigmoid(beta=-1.0)
    with pytest.raises(TypeError, match="no parameter"):
        al.swish(alpha=1.0)


def test_sixteen_bits_are_finite():
    bits = jnp.arange(2**16, dtype=jnp.uint16)
    for dtype in (jnp.bfloat16, jnp.float16):
        x = jax.lax.bitcast_convert_type(bits, dtype)
        x = x[jnp.isfinite(x)]
        acts = {name: getattr(S, name) for name in DECLARED}
        run = jax.jit(lambda x, acts=acts: {k: (a(x), a.slope(x), a.curvature(x)) for k, a in acts.items()})
        for name, values in run(x).items():
            for value in values:
                assert np.isfinite(np.asarray(value, np.float32)).all(), name


def test_trained_leaves_of_both_parts_stay_in_their_domains():
    act = al.softplus(beta=2.0).with_surrogate(S.fast_sigmoid(beta=3.0))
    np.testing.assert_allclose(jax.tree.leaves(act.unconstrained().constrained()), [2.0, 3.0], rtol=1e-6)
    moved = jax.tree.map(lambda leaf: leaf - 20.0, act.unconstrained()).constrained()
    assert all(leaf > 0 for leaf in jax.tree.leaves(moved))
