"""Surrogates: declared area, peak, integral of h^2, reach, tail and support against quadrature; steps; conventions."""

import math
from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.spiking import LIF, SHAPES, SpikingError, spike, surrogate

FINITE = [name for name in SHAPES if name != "straight_through"]
BETAS = (1.0, 7.5)
CASES = [(name, beta) for name in FINITE for beta in BETAS]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
# Panels that double in width, with every kink at an edge: 1/beta and 1/(2 beta) times powers of two.
EDGES = np.concatenate([[0.0], 2.0 ** np.arange(-12, 44)])
HALF = 0.5 * np.diff(EDGES)[:, None]
Z = np.ravel(EDGES[:-1, None] + HALF + HALF * NODES[None])
W = np.ravel(HALF * WEIGHTS[None])


@pytest.fixture(scope="module")
def portraits():
    """h, h^2 and the step of every case on the quadrature's nodes, z = beta x > 0; in float64, one program."""
    with jax.enable_x64(True):

        def all_of(z):
            made = {case: surrogate(*case, scale=1.5) for case in CASES}
            return {
                c: (s.evaluate(z / c[1]), s.evaluate(-z / c[1]), s.step(z / c[1]), s.step(-z / c[1]))
                for c, s in made.items()
            }

        return jax.device_get(jax.jit(all_of)(jnp.asarray(Z)))


@pytest.mark.parametrize("case", CASES)
def test_shape_facts_equal_quadrature(portraits, case):
    h, mirrored, step, below = portraits[case]
    facts = surrogate(*case, scale=1.5).shape_facts
    w, x = W / case[1], Z / case[1]
    np.testing.assert_allclose(mirrored, h, rtol=1e-12)  # even
    assert np.all(h >= 0)
    assert np.all(np.diff(h) <= 1e-15)  # unimodal at 0
    np.testing.assert_allclose(2 * np.sum(w * h), facts.area, rtol=1e-6)
    np.testing.assert_allclose(2 * np.sum(w * h**2), facts.square, rtol=1e-6)
    np.testing.assert_allclose(h[0], facts.peak, rtol=2e-3)
    assert np.max(h) <= facts.peak * (1 + 1e-12)
    reach = np.max(x * h)
    assert reach <= facts.reach * (1 + 1e-12)
    assert reach >= 0.97 * facts.reach
    assert np.all(h[x > facts.support * (1 + 1e-12)] == 0)
    far = (x * case[1] > 2.0**30) & (x * case[1] < 2.0**40)
    if math.isfinite(facts.tail):
        slope = np.diff(np.log(h[far])) / np.diff(np.log(x[far]))
        np.testing.assert_allclose(slope, -facts.tail, rtol=1e-4)
    else:
        assert np.all(h[far] == 0)
    np.testing.assert_allclose(step + below, facts.area, rtol=1e-6)  # from 0 to the area, half at the threshold
    np.testing.assert_allclose([below[-1], step[-1]], [0.0, facts.area], atol=1e-6 * facts.area)


def test_steps_have_the_surrogate_as_derivative():
    x = jnp.asarray([-3.0, -0.4, -0.06, 0.02, 0.31, 2.5])

    def pair(x):
        every = [surrogate(name, 4.0, 0.7) for name in SHAPES]
        return [
            (jax.vmap(jax.grad(s.step))(x), s.evaluate(x), jax.vmap(jax.grad(lambda v, s=s: spike(v, s)))(x))
            for s in every
        ]

    for slope, h, backward in jax.jit(pair)(x):
        np.testing.assert_allclose(slope, h, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(backward, h, rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_finite_far_out_and_spikes_are_exact(dtype):
    x = jnp.asarray([-1e4, -50.0, -1e-3, 0.0, 1e-3, 50.0, 1e4], dtype)

    def both(x):
        every = [surrogate(name, 100.0) for name in SHAPES]
        return [(s.evaluate(x), s.step(x), s.slope(x), spike(x, s)) for s in every]

    for h, step, slope, s in jax.jit(both)(x):
        chex.assert_tree_all_finite((h, step, slope))
        assert h.dtype == s.dtype == dtype
        np.testing.assert_array_equal(np.asarray(s, np.float32), [0, 0, 0, 0, 1, 1, 1])


def test_normalizations_conventions_and_refusals():
    unit = surrogate("superspike", 25.0).unit_area()
    assert unit.shape_facts.area == pytest.approx(1.0)
    assert unit.shape_facts.peak == pytest.approx(12.5)
    assert surrogate("sigmoid", 8.0).unit_peak().shape_facts.area == pytest.approx(0.5)
    assert unit.facts.range.upper == pytest.approx(12.5)
    assert surrogate("boxcar", 2.0).facts.kinks == (-0.25, 0.25)
    betas = jnp.asarray([1.0, 4.0])
    np.testing.assert_allclose(jax.vmap(lambda b: surrogate("sigmoid", b)(jnp.zeros(())))(betas), betas / 4)
    np.testing.assert_allclose(surrogate("sigmoid", betas)(jnp.zeros((3, 2))), np.tile(betas / 4, (3, 1)))
    with pytest.raises(SpikingError, match="known: fast_sigmoid"):
        surrogate("sigmiod")
    with pytest.raises(SpikingError, match="positive and finite"):
        surrogate("sigmoid", 0.0)
    for wrong in (jnp.asarray([2.0, 0.0]), np.float32(-1), math.nan):
        with pytest.raises(SpikingError, match="positive and finite"):
            surrogate("sigmoid", wrong)
    with pytest.raises(SpikingError, match="infinite area"):
        surrogate("straight_through").unit_area()


@pytest.mark.parametrize("beta", [0.0, -2.0, math.inf, jnp.asarray([1.0, 0.0])])
def test_a_beta_put_in_outside_of_its_domain_is_refused_where_it_is_used(beta):
    wrong, x = replace(surrogate("fast_sigmoid"), beta=beta), jnp.ones(2)
    uses = (
        lambda: wrong(x),
        lambda: wrong.step(x),
        lambda: wrong.shape_facts,
        lambda: wrong.facts,
        wrong.unit_area,
        wrong.unit_peak,
        lambda: jax.jit(lambda v: spike(v, wrong))(x),
        lambda: jax.grad(lambda v: LIF(surrogate=wrong).advance(v, x)[1].sum())(x),
    )
    for use in uses:
        with pytest.raises(SpikingError, match=r"beta = .* must be positive and finite"):
            use()


def test_gradients_and_axes_of_a_surrogate_are_no_surrogates():
    h = surrogate("sigmoid", 2.0)
    slope = jax.grad(lambda h: h(jnp.asarray(1.5)))(h)
    assert float(slope.beta) < 0
    axes = replace(h, beta=0, scale=None)
    swept = jax.vmap(lambda h: h(jnp.zeros(())), in_axes=(axes,))(replace(h, beta=jnp.asarray([1.0, 4.0])))
    np.testing.assert_allclose(swept, [0.25, 1.0])


def test_a_random_neuron_s_gradient_is_the_surrogate():
    """P(s = 1) = sigmoid(beta u): the mean surrogate gradient is the derivative of the mean output, exactly."""
    s = surrogate("sigmoid", 6.0)
    u = jnp.linspace(-1.0, 1.0, 11)
    probability = al.sigmoid(6.0 * u)
    np.testing.assert_allclose(s(u), 6.0 * probability * (1 - probability), rtol=1e-4)
    np.testing.assert_allclose(s.step(u), probability, rtol=1e-6)


def test_surrogate_gradients_of_two_layers_are_those_of_no_loss():
    """Around a closed path the surrogate gradient of one layer sums to 0, as a gradient's does; of two it does not."""
    s = surrogate("sigmoid", 3.0)

    def one(v):
        return spike(0.8 * v[0] - 0.5 * v[1], s)

    def two(v):
        hidden = spike(jnp.asarray([0.4, -0.3]) * v - 0.1, s)
        return spike(jnp.sum(jnp.asarray([0.7, -1.1]) * hidden) + 0.2 * v[0], s)

    angle = 2 * jnp.pi * (jnp.arange(2000) + 0.5) / 2000
    path = jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
    step = jnp.stack([-jnp.sin(angle), jnp.cos(angle)], -1) * (2 * jnp.pi / 2000)

    def circulation(f):
        return jnp.sum(jax.vmap(jax.grad(f))(path) * step)

    once, twice = jax.jit(lambda: (circulation(one), circulation(two)))()
    assert abs(once) < 1e-4
    assert abs(twice) > 1e-2
