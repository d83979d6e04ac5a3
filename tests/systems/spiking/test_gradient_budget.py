"""The gradient budget is never violated in a thousand random nets, and is tight where layers are uncoupled."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from actlab.systems.spiking import LIF, SpikingError, emitted, lif, potentials, run, surrogate
from actlab.systems.spiking.budget import advice, gradient_budget, potential_bound

TIMES, INPUTS, HIDDEN, CLASSES, NETS = 20, 6, 5, 3, 250
FORMS = [
    ("subtract", "sigmoid", True),
    ("subtract and decay", "superspike", False),
    ("zero", "arctan", True),
    ("none", "triangle", False),
]
KERNEL = np.full(TIMES, 1 / TIMES)


def test_never_violated_in_a_thousand_random_nets():
    """Two spiking layers, 250 random nets for each of 4 forms: weights, decay, threshold, beta and share at random."""

    def draw(key):
        k = jax.random.split(key, 7)
        numbers = jax.random.uniform(k[0], (4,))
        shapes = ((INPUTS, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, CLASSES), (HIDDEN, HIDDEN), (HIDDEN, HIDDEN))
        size = 10 ** jax.random.uniform(k[1], minval=-1.0, maxval=0.5)
        matrices = [size * jax.random.normal(q, s) for q, s in zip(k[2:], shapes, strict=True)]
        decay, theta, share = 0.5 + 0.49 * numbers[0], 0.5 + numbers[1], jnp.round(numbers[2])
        return matrices, decay, theta, 10 ** (2 * numbers[3]), share, jax.random.bernoulli(k[0], 0.3, (TIMES, INPUTS))

    def gradients(form, drawn):
        reset, name, recurrent = form
        (first, second, last, own1, own2), decay, theta, beta, share, spikes = drawn
        neuron = LIF(decay, theta, surrogate(name, beta), share, reset)
        own = (own1, own2) if recurrent else ()

        def loss(weights):
            (first, second, last), own = weights
            s = spikes.astype(jnp.float32)
            for kernel, v in zip((first, second), own or (None, None), strict=True):
                s = run(neuron, s @ kernel, v)
            return optax.softmax_cross_entropy_with_integer_labels(jnp.mean(s, 0) @ last, jnp.asarray(1))

        found = jax.grad(loss)(((first, second, last), own))
        through = jax.vmap(lambda s, i: jax.grad(lambda v: potentials(neuron, i[:, None], v[None])[-1, 0])(s))
        moved = through(jnp.zeros(HIDDEN), (spikes.astype(jnp.float32) @ first).T)
        return jax.tree.map(lambda g: jnp.sqrt(jnp.sum(g**2)), found), jnp.max(jnp.abs(moved))

    keys = jax.random.split(jax.random.key(0), (len(FORMS), NETS))
    every = jax.jit(
        lambda keys: [
            jax.vmap(lambda k, f=f: (d := draw(k), gradients(f, d)))(k) for f, k in zip(FORMS, keys, strict=True)
        ]
    )
    checked = 0
    for (reset, name, recurrent), (drawn, (norms, moved)) in zip(FORMS, jax.device_get(every(keys)), strict=True):
        matrices, decay, theta, beta, share, spikes = drawn
        for i in range(NETS):
            neuron = LIF(float(decay[i]), float(theta[i]), surrogate(name, float(beta[i])), float(share[i]), reset)
            first, second, last, own1, own2 = (np.asarray(m[i]) for m in matrices)
            own = (own1, own2) if recurrent else ()
            budget = gradient_budget(
                neuron,
                (first, second, last),
                own,
                readout_kernel=KERNEL,
                inputs=np.linalg.norm(spikes[i].astype(float), axis=1),
            )
            slack = 1 + 1e-4
            (g1, g2, g3), g_own = norms
            assert g1[i] <= slack * budget.layers[0].weights
            assert g2[i] <= slack * budget.layers[1].weights
            assert g3[i] <= slack * budget.readout
            for layer, g in zip(budget.layers, g_own, strict=False):
                assert g[i] <= slack * layer.recurrent
            assert moved[i] <= slack * potential_bound(neuron, TIMES) + 1e-30
            checked += 1
    assert checked == 1000


def test_tight_for_an_uncoupled_layer():
    """Detached: |du_T/du_0| is decay^T, the bound. Attached and held at the threshold: within 3 times of it."""
    detached = LIF(decay=0.9, surrogate=surrogate("sigmoid", 100.0))
    current = jnp.full((30, 1), 0.3)
    moved = jax.grad(lambda v: potentials(detached, current, v[None])[-1, 0])(jnp.zeros(()))
    assert float(moved) == pytest.approx(potential_bound(detached, 30), rel=1e-4)
    attached = LIF(decay=0.9, surrogate=surrogate("sigmoid", 25.0), reset_gradient=1.0)
    # 0.1 a step holds the potential just below the threshold, where every step has nearly the largest factor.
    held = jnp.full((10, 1), 0.1 - 1e-5)
    moved = jax.grad(lambda v: potentials(attached, held, v[None])[-1, 0])(jnp.asarray(1 - 1e-4))
    bound = potential_bound(attached, 10)
    assert bound == pytest.approx((25 / 4 - 0.9) ** 10)
    assert bound / 3 < abs(float(moved)) <= bound


def test_explosion_in_time_needs_an_attached_reset_and_a_slope_beyond_the_critical_one():
    """|dL/dW| of 100 inputs, 8 % active, 128 neurons: over T from 100 to 300 flat, save attached at beta = 25."""

    def norm(beta, share, times):
        keys = jax.random.split(jax.random.key(3), 3)
        x = jax.random.bernoulli(keys[0], 0.08, (times, 16, 100)).astype(jnp.float32)
        weights = 0.25 * jax.random.normal(keys[1], (100, 128))
        last = jax.random.normal(keys[2], (128, 10)) / 128**0.5
        neuron = LIF(surrogate=surrogate("sigmoid", beta), reset_gradient=share)

        def loss(w):
            logits = 10 * jnp.mean(lif(neuron, x @ w)[0], 0) @ last
            return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(16) % 10).mean()

        return jnp.linalg.norm(jax.grad(loss)(weights))

    cases = [(b, w) for b in (5.0, 25.0) for w in (0.0, 1.0)]
    found = jax.jit(lambda: jnp.asarray([[norm(b, w, t) for t in (100, 300)] for b, w in cases]))()
    growth = dict(zip(cases, np.asarray(found[:, 1] / found[:, 0]), strict=True))
    assert all(growth[case] < 1.3 for case in cases[:3])  # detached at both slopes, attached below beta_crit = 7.6
    assert growth[25.0, 1.0] > 2.5


def test_overflow_is_infinite_and_refusals():
    steep = LIF(surrogate=surrogate("sigmoid", 100.0), reset_gradient=1.0)
    assert potential_bound(steep, 300) == math.inf
    budget = gradient_budget(steep, (np.eye(3), np.eye(3)), readout_kernel=np.full(300, 1 / 300), inputs=np.zeros(300))
    assert budget.layers[0].weights == 0  # no input, no gradient
    assert "detach" in advice(steep)
    assert "at most 0.9" in advice(LIF())
    with pytest.raises(SpikingError, match="1 recurrent matrices for 2"):
        gradient_budget(LIF(), (np.eye(2),) * 3, (np.eye(2),), readout_kernel=np.ones(3), inputs=np.ones(3))
    with pytest.raises(SpikingError, match="worst of the units"):
        potential_bound(LIF(decay=np.asarray([0.5, 0.9])), 3)


def test_a_readout_without_hidden_layers_is_bounded_by_its_inputs():
    inputs = 10 * np.random.default_rng(0).random((TIMES, INPUTS)).astype(np.float32)
    weights = np.zeros((INPUTS, CLASSES), np.float32)

    def loss(w):
        return optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(inputs.mean(0)) @ w, jnp.asarray(1))

    found = float(jnp.linalg.norm(jax.grad(loss)(jnp.asarray(weights))))
    budget = gradient_budget(LIF(), (weights,), readout_kernel=KERNEL, inputs=np.linalg.norm(inputs, axis=1))
    assert budget.layers == ()
    assert 2 < found <= budget.readout


def test_emitted_spikes_are_bounded_by_the_peak():
    neuron = LIF(surrogate=surrogate("gaussian", 7.0))
    slopes = jax.vmap(jax.grad(lambda u: emitted(neuron, u)))(jnp.linspace(-1, 3, 101))
    assert float(jnp.max(slopes)) <= 7.0 / math.sqrt(math.pi) * (1 + 1e-6)
