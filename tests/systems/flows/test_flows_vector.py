"""Flows of vectors: log-determinants against brute force, proved bounds, round trips, densities that integrate to 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_table import GENTLE, flows, shaken, widened
from scipy import stats

from actlab.systems.flows import (
    Flow,
    Mixture,
    coupling_flow,
    elementwise_flow,
    round_trip,
    round_trip_by_depth,
    round_trip_error_by_depth,
)

DEPTHS = 64


FEW, REST = ("mixture",), ("residual", "affine, featurewise", "spline", "autoregressive", "elementwise copies")
PARTS = pytest.mark.parametrize("names", [FEW, pytest.param(REST, marks=pytest.mark.exhaustive)], ids=["few", "rest"])
"""Every flow costs seconds of compilation."""


@jax.jit
def brute_force(flow: Flow, x):
    """Log-determinant and condition number of the dense Jacobian, beside the flow's own log-determinant."""
    jacobian = jax.vmap(jax.jacfwd(flow.bijector.forward))(x)
    singular = jnp.linalg.svd(jacobian, compute_uv=False)
    own = flow.bijector.forward_log_det_jacobian(x)
    return jnp.linalg.slogdet(jacobian)[1], singular[:, 0] / singular[:, -1], own


@PARTS
def test_log_determinants_are_those_of_the_dense_jacobian(names, float64):
    x = 1.5 * jax.random.normal(jax.random.key(2), (200, 3))
    for name, flow in flows(3, 3, names=names).items():
        dense, condition, own = (np.asarray(v) for v in brute_force(widened(flow), x))
        fit = condition < 1e6
        assert fit.mean() > 0.9, name
        assert np.abs(dense - own)[fit].max() <= 1e-10, name
        bounds = widened(flow).log_det_bounds
        assert float(bounds.lower) <= own.min(), name
        assert own.max() <= float(bounds.upper), name


@PARTS
def test_what_forward_does_inverse_undoes_within_the_bound(names):
    x = 1.5 * jax.random.normal(jax.random.key(3), (200, 3))
    condition_free = jax.jit(lambda flow: _there_and_back(flow, x))
    for name, flow in flows(3, 3, names=names).items():
        error, log_dets, found = jax.device_get(condition_free(flow))
        known = np.isfinite(found.bound)
        assert known.mean() > 0.9, name
        assert (error <= found.bound).all(), (name, np.max(error[known] / found.bound[known]))
        mild = found.condition < 1e3
        assert np.abs(log_dets)[mild].max() <= 1e-3, name


def _there_and_back(flow, x):
    y, log_det = flow.bijector.forward_and_log_det(x)
    back, inverse_log_det = flow.bijector.inverse_and_log_det(y)
    return jnp.linalg.norm(back - x, axis=-1), log_det + inverse_log_det, round_trip(flow.bijector, x)


def gentle(name: str) -> Flow:
    """A deep flow of slopes whose quotient is at most 1.6."""
    options = {"layers": DEPTHS, "transform": GENTLE[name]}
    if name == "copies":
        return jax.jit(lambda key: elementwise_flow(key, 4, **options))(jax.random.key(0))
    options |= {"hidden": (8,), "mixing": "orthogonal", "activation": "swish"}
    return jax.jit(lambda key: coupling_flow(key, 4, **options))(jax.random.key(0))


GENTLE_CASES = [n if n == "affine" else pytest.param(n, marks=pytest.mark.exhaustive) for n in GENTLE]


@pytest.mark.parametrize("name", GENTLE_CASES)
def test_round_trips_at_depth_1_to_64(name):
    """As executed in float32: below the bounds at every depth, and below 1e-4 where M/m <= 1.6."""
    x = jax.random.normal(jax.random.key(4), (32, 4))
    run = jax.jit(lambda f: (round_trip_error_by_depth(f.bijector, x), round_trip_by_depth(f.bijector, x)))
    error, found = jax.device_get(run(gentle(name)))
    assert error.shape == found.bound.shape == (DEPTHS, 32)
    assert (error <= found.visited).all(), np.max(error / found.visited)
    assert (error <= found.slopes).all()
    assert error.max() <= 1e-4


@pytest.mark.slow
def test_steep_stacks_are_bounded_or_said_to_be_unknown():
    """[0.5, 2] at depth 32 does not round-trip in float32: the bound says so."""
    build = jax.jit(lambda key: elementwise_flow(key, 8, layers=DEPTHS, transform=Mixture(4, 0.1, 10.0)))
    flow = shaken(build(jax.random.key(0)), size=1.5)
    x = 2 * jax.random.normal(jax.random.key(5), (32, 8))
    run = jax.jit(lambda f: (round_trip_error_by_depth(f.bijector, x), round_trip_by_depth(f.bijector, x).bound))
    error, bound = jax.device_get(run(flow))
    assert (error <= bound).all()
    assert error[-1].max() > 1e-2
    assert np.isinf(bound[-1]).any()


@pytest.mark.parametrize("name", GENTLE_CASES)
def test_float32_agrees_with_float64_to_1e_5_a_layer(name):
    flow, x = gentle(name), np.random.default_rng(6).normal(size=(64, 4)).astype(np.float32)
    log_det = jax.jit(lambda flow, x: flow.bijector.forward_log_det_jacobian(x))
    single = np.asarray(log_det(flow, jnp.asarray(x)))
    with jax.enable_x64(True):
        double = np.asarray(log_det(widened(flow), jnp.asarray(x, jnp.float64)))
    assert np.abs(single - double).max() <= 1e-5 * DEPTHS


@pytest.mark.slow
def test_orthogonal_stacks_have_singular_values_between_the_powers_of_the_slopes(float64, quick_compilation):
    x = 3 * jax.random.normal(jax.random.key(1), (200, 4))

    @jax.jit
    def run(key):
        flow = elementwise_flow(key, 4, layers=6, transform=GENTLE["mixture"])
        return jnp.linalg.svd(jax.vmap(jax.jacfwd(flow.bijector.forward))(x), compute_uv=False)

    singular = run(jax.random.key(0))
    assert singular.min() >= 0.8**6 * (1 - 1e-9)
    assert singular.max() <= 1.25**6 * (1 + 1e-9)


@PARTS
def test_densities_integrate_to_one_on_a_grid(names):
    line = jnp.linspace(-40.0, 40.0, 1601) if names == REST else jnp.linspace(-14.0, 14.0, 561)  # wide tails
    grid = jnp.stack(jnp.meshgrid(line, line), -1).reshape(-1, 2)
    density = jax.jit(lambda flow: jnp.exp(flow.log_prob(grid)).sum() * (line[1] - line[0]) ** 2)
    for name, flow in flows(2, 2, names=names).items():
        assert abs(float(density(flow)) - 1) <= 1e-3, (name, float(density(flow)))


@pytest.mark.exhaustive
def test_densities_integrate_to_one_by_importance_sampling():
    """Proposals: Student's t of 3 degrees of freedom, placed and stretched by events of the flow."""
    for name, flow in flows(3, 3, names=("mixture", "autoregressive", "residual")).items():
        events = np.asarray(flow.sample(jax.random.key(7), 5000), np.float64)
        proposal = stats.multivariate_t(events.mean(0), np.cov(events.T), df=3, seed=0)
        x = proposal.rvs(200_000)
        weights = np.exp(np.asarray(jax.jit(flow.log_prob)(jnp.asarray(x, jnp.float32))) - proposal.logpdf(x))
        error = weights.std() / len(weights) ** 0.5
        assert abs(weights.mean() - 1) <= 4 * error + 1e-3, (name, weights.mean(), error)
        assert error < 0.05, (name, error)


@pytest.mark.exhaustive
def test_log_determinants_stay_in_their_bounds_at_a_million_points():
    x = 5 * jax.random.normal(jax.random.key(8), (1_000_000, 3))
    ends = jax.jit(lambda flow: (lambda d: (d.min(), d.max()))(flow.bijector.forward_log_det_jacobian(x)))
    for name, flow in flows(3, 3).items():
        least, most = ends(flow)
        bounds = flow.log_det_bounds
        assert float(bounds.lower) - 1e-5 <= float(least), name
        assert float(most) <= float(bounds.upper) + 1e-5, name


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [*FEW, *REST])
def test_no_finite_event_gives_nan_or_infinity(name):
    """1e7 random bit patterns in events of 3, and the gradients with respect to the events, forward and back."""
    flow = flows(3, 3, names=FEW if name in FEW else REST)[name]

    def faults(key):
        x = jax.lax.bitcast_convert_type(jax.random.bits(key, (50_000, 3), jnp.uint32), jnp.float32)
        x = jnp.where(jnp.isfinite(x), x, 0)
        y, log_det = flow.bijector.forward_and_log_det(x)
        gradient = jax.grad(lambda x: flow.bijector.forward_log_det_jacobian(x).sum())(x)
        back, inverse_log_det = flow.bijector.inverse_and_log_det(x)
        values = (y, log_det, gradient, back, inverse_log_det, flow.log_prob(x))
        return jnp.stack([~jnp.isfinite(v).all() for v in values])

    bad = jax.jit(lambda keys: jax.lax.map(faults, keys))(jax.random.split(jax.random.key(0), 68)).any(0)
    assert not bad.any(), bad
