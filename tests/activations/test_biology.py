"""Response curves against their published constants and identities; their facts follow traced parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al


@pytest.mark.parametrize(
    ("n", "steepest"),
    [
        (1.0, 1.0),
        (1.5, 0.60917036212768),
        (2.0, 0.649519052838329),
        (3.0, 0.839947366596582),
        (4.0, 1.06520565606328),
        (8.0, 2.03157860163958),
    ],
)
def test_steepest_slopes(n, steepest):
    for K in (0.25, 1.0, 3.0):
        facts = al.hill.bind(n=n, K=K).facts
        np.testing.assert_allclose(facts.slope.upper, steepest / K, rtol=1e-12)
        np.testing.assert_allclose(al.hill_repression.bind(n=n, K=K).facts.slope.lower, -steepest / K, rtol=1e-12)


def test_below_one_the_slope_is_known_to_be_unbounded():
    assert al.hill.bind(n=0.5).facts.slope.upper == np.inf
    with pytest.raises(al.FactError):
        al.bounded_slope(al.hill.bind(n=0.5), lower=0.1, upper=1.0)


def test_facts_follow_traced_parameters():
    n, K = jnp.array([0.5, 1.0, 1.5, 2.0, 3.0, 8.0]), jnp.array([1.0, 2.0, 0.5, 1.0, 0.3, 4.0])
    bounds = jax.jit(jax.vmap(lambda n, K: (f := al.hill.bind(n=n, K=K).facts) and (f.slope, f.curvature)))(n, K)
    for i in range(len(n)):
        exact = al.hill.bind(n=float(n[i]), K=float(K[i])).facts
        for traced, fact in zip(bounds, (exact.slope, exact.curvature), strict=True):
            np.testing.assert_allclose(traced.lower[i], fact.lower, rtol=1e-4)
            np.testing.assert_allclose(traced.upper[i], fact.upper, rtol=1e-4)
            assert traced.lower[i] <= fact.lower
            assert traced.upper[i] >= fact.upper


def test_hill_is_the_logistic_of_the_logarithm(float64):
    x = jnp.asarray(np.geomspace(1e-6, 1e6, 101))
    act = al.hill.bind(n=2.7, K=0.4)
    np.testing.assert_allclose(act(x), jax.nn.sigmoid(2.7 * (jnp.log(x) - jnp.log(0.4))), rtol=1e-11)
    np.testing.assert_allclose(x * act.slope(x), 2.7 * act(x) * al.hill_repression(x, n=2.7, K=0.4), rtol=1e-12)
    np.testing.assert_allclose(act(x) + al.hill_repression(x, n=2.7, K=0.4), 1, rtol=1e-15)


def test_the_extension_to_negative_inputs_is_constant():
    x = jnp.array([-1e30, -1.0, -0.0, 0.0])
    for act, value in ((al.hill, 0), (al.hill_repression, 1), (al.michaelis_menten, 0), (al.naka_rushton, 0)):
        np.testing.assert_array_equal(act(x), value)
        np.testing.assert_array_equal(act.slope(x), 0)


def test_half_way_points():
    np.testing.assert_allclose(al.michaelis_menten(jnp.float32(3.0), V_max=8.0, K_m=3.0), 4.0)
    np.testing.assert_allclose(al.naka_rushton(jnp.float32(20.0), R_max=50.0, n=2.4, sigma=20.0), 25.0)
    gate = al.boltzmann.bind(V_half=-20.0, k=15.0)
    np.testing.assert_allclose(gate(jnp.float32(-20.0)), 0.5)
    np.testing.assert_allclose(gate.slope(jnp.float32(-20.0)), 1 / 60, rtol=1e-6)
    np.testing.assert_allclose(gate.facts.inverse(gate(jnp.float32(7.0))), 7.0, rtol=1e-5)
