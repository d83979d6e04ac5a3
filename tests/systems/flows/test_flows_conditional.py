"""Conditional flows, sampling, training and the flow as a head of the uncertainty system."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flow_table import flows, shaken

from actlab.nets import Head
from actlab.systems.flows import TOYS, Conditioned, FlowHead, Mixture, coupling_flow, train_flow
from actlab.systems.uncertainty.model import HeadedMLP

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.mark.parametrize(
    "names", [("autoregressive",), pytest.param(("spline", "mixture", "residual"), marks=pytest.mark.exhaustive)]
)
def test_samples_have_the_density_that_log_prob_gives(names):
    key = jax.random.key(1)
    condition = jnp.array([0.5, -1.0])
    each = jnp.broadcast_to(condition, (50, 2))

    @jax.jit
    def run(flow):
        x, found = flow.sample_and_log_prob(key, (50,), condition)
        return x, found, flow.sample(key, (50,), condition), [flow.log_prob(x, c) for c in (each, -each, condition)]

    for name, flow in flows(2, 2, 2, names).items():
        x, found, again, (log_prob, elsewhere, for_all) = jax.device_get(run(flow))
        np.testing.assert_allclose(log_prob, found, rtol=1e-3, atol=3e-3, err_msg=name)
        assert (log_prob != elsewhere).any(), name
        np.testing.assert_array_equal(again, x)
        np.testing.assert_allclose(for_all, log_prob, rtol=1e-5)


def test_batches_of_any_shape_and_transformations_agree():
    flow = flows(2, 2, 2, ("mixture",))["mixture"]
    x, c = jax.random.normal(jax.random.key(0), (4, 5, 2)), jax.random.normal(jax.random.key(1), (4, 5, 2))

    @jax.jit
    def run(flow):
        mapped = jax.vmap(jax.vmap(flow.log_prob))(x, c)
        hessian = jax.hessian(flow.log_prob)(x[0, 0], c[0, 0])
        return flow.log_prob(x, c), mapped, flow.log_prob(x[0, 0], c[0, 0]), hessian

    whole, mapped, single, hessian = jax.device_get(run(flow))
    assert whole.shape == (4, 5)
    np.testing.assert_allclose(mapped, whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(single, whole[0, 0], rtol=1e-4, atol=1e-5)
    assert jax.eval_shape(flow.log_prob, x[:0], c[:0]).shape == (0, 5)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-4)


def test_as_a_distrax_distribution():
    flow = flows(2, 2, 2, ("spline",))["spline"]
    condition = jnp.array([0.3, -0.5])
    density = flow.distribution(condition)
    assert isinstance(density, distrax.Distribution)
    chain = distrax.Chain([distrax.Block(distrax.Tanh(), 1), Conditioned(flow.bijector, condition)])

    @jax.jit
    def run(key):
        x = density.sample(seed=key, sample_shape=(6,))
        return density.log_prob(x), flow.log_prob(x, condition), chain.forward_and_log_det(0.1 * x)

    with jax.numpy_rank_promotion("allow"):  # distrax relies on it
        found, expected, (y, log_det) = run(jax.random.key(0))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert y.shape == (6, 2)
    assert log_det.shape == (6,)
    with pytest.raises(ValueError, match=r"a condition of shape \(2,\)"):
        flow.distribution()


def test_a_flow_head_is_a_density_and_trains_in_the_uncertainty_system():
    head = FlowHead(Mixture(4))
    assert isinstance(head, Head)
    raw = jax.random.normal(jax.random.key(0), (3, head.outputs))
    y = jnp.linspace(-40.0, 40.0, 8001)
    nll = jax.jit(jax.vmap(lambda r: head.nll(jnp.broadcast_to(r, (y.size, head.outputs)), y)))
    log_density = -nll(raw)
    np.testing.assert_allclose(jnp.exp(log_density).sum(1) * (y[1] - y[0]), 1, atol=1e-3)
    both = jax.jit(lambda y: (head.distribution(raw).log_prob(y), head.nll(raw, y)))(y[4000:4003])
    np.testing.assert_allclose(both[0], -both[1], atol=1e-4)
    model = HeadedMLP(1, (8,), "swish", head, rngs=nnx.Rngs(jax.random.key(1)))
    x = jnp.linspace(-1.0, 1.0, 32)[:, None]

    def loss(model):
        return model.nll(x, jnp.sin(3 * x[:, 0])).mean()

    graphdef, parameters, rest = nnx.split(model, nnx.Param, ...)
    step = jax.jit(jax.value_and_grad(lambda p: loss(nnx.merge(graphdef, p, rest))))
    before, gradient = step(parameters)
    assert step(jax.tree.map(lambda p, g: p - 0.02 * g, parameters, gradient))[0] < before


def test_toys_know_their_entropy():
    line = jnp.linspace(-6.0, 6.0, 241)
    grid = jnp.stack(jnp.meshgrid(line, line), -1)
    toys = [make() for make in TOYS]
    key = jax.random.key(0)
    found = jax.jit(lambda: [(t.log_prob(t.sample(key, 20_000)), jnp.exp(t.log_prob(grid)).sum()) for t in toys])()
    for toy, (log_prob, total) in zip(toys, found, strict=True):
        log_prob = np.asarray(log_prob, np.float64)
        error = log_prob.std() / len(log_prob) ** 0.5
        assert abs(-log_prob.mean() - toy.entropy) <= 4 * error, toy.name
        np.testing.assert_allclose(total * 0.05**2, 1, atol=1e-3, err_msg=toy.name)


def test_training_comes_near_the_entropy_of_a_conditional_normal():
    """x | c is normal of mean (c, -c) and deviations 0.5: a flow is to find -log-likelihood 2 log(0.5 sqrt(2 pi e))."""
    c = jax.random.normal(jax.random.key(0), (4000, 1))
    x = jnp.concatenate([c, -c], -1) + 0.5 * jax.random.normal(jax.random.key(1), (4000, 2))

    @jax.jit
    def run(key):
        start = coupling_flow(key, 2, conditions=1, layers=2, hidden=(16,), transform=Mixture(3))
        flow = train_flow(key, start, x[:3000], c[:3000], steps=300, learning_rate=1e-2)[0]
        return start, flow, -flow.log_prob(x[3000:], c[3000:]).mean()

    start, flow, found = run(jax.random.key(3))
    truth = 2 * np.log(0.5 * np.sqrt(2 * np.pi * np.e))
    assert truth - 0.08 < found < truth + 0.08
    order = start.bijector.layers.parts[0].order
    np.testing.assert_array_equal(flow.bijector.layers.parts[0].order, order)


def test_bounds_hold_after_a_training_that_goes_wild():
    flow = shaken(flows(2, 2, 2, ("mixture",))["mixture"], size=30.0)
    x, c = 100 * jax.random.normal(jax.random.key(1), (2, 2000, 2))

    @jax.jit
    def run(flow):
        log_det, bounds = flow.bijector.forward_log_det_jacobian(x, c), flow.log_det_bounds
        return bounds.lower, log_det.min(), log_det.max(), bounds.upper

    assert (np.diff(np.stack(run(flow))) >= 0).all()
