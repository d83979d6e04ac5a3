"""LIF against closed forms, an independent loop, finite differences of the smoothed network, and itself in parallel."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlab.systems.spiking import (
    LIF,
    RESETS,
    AdaptiveLIF,
    SpikingError,
    emitted,
    lif,
    parallel_potentials,
    potentials,
    run,
    surrogate,
    weighted_spikes,
)


def loop(decay, threshold, reset, current, gain=1.0):
    """The definition in float64 numpy: the potential after its reset is kept."""
    kept, owed, spikes, potential = np.zeros(current.shape[1:]), 0.0, [], []
    for i in current:
        u = decay * kept - owed + gain * i
        s = (u > threshold).astype(float)
        spikes.append(s)
        potential.append(u)
        kept, owed = u, 0.0
        if reset == "subtract":
            owed = threshold * s  # taken off the next step, not leaked
        elif reset == "subtract and decay":
            kept = u - threshold * s
        elif reset == "zero":
            kept = np.where(s > 0, 0.0, u)
    return np.stack(spikes), np.stack(potential)


@pytest.mark.parametrize("reset", RESETS)
def test_equals_an_independent_loop(reset, float64):
    rng = np.random.default_rng(0)
    current = rng.normal(0.2, 0.6, (80, 3, 5))
    for gain in ("one", "leak"):
        neuron = LIF(decay=0.83, threshold=0.7, reset=reset, input_gain=gain)
        s, u = jax.jit(lif)(neuron, jnp.asarray(current))
        spikes, potential = loop(0.83, 0.7, reset, current, 1.0 if gain == "one" else 1 - 0.83)
        np.testing.assert_array_equal(s, spikes)
        np.testing.assert_allclose(u, potential, rtol=1e-12, atol=1e-13)


def test_interval_between_spikes_is_the_closed_form_integer(float64):
    """Constant current, reset to 0: floor(ln(1 - theta (1 - decay)/i)/ln decay) + 1 steps, to the step; or never."""
    decay, theta = 0.95, 1.0
    current = jnp.linspace(0.0501, 1.7, 300)
    neuron = LIF(decay=decay, threshold=theta, reset="zero")
    s = np.asarray(jax.jit(lambda i: lif(neuron, jnp.broadcast_to(i, (800, *i.shape)))[0])(current))
    for j, i in enumerate(np.asarray(current)):
        fired = np.flatnonzero(s[:, j])
        expected = math.floor(math.log(1 - theta * (1 - decay) / i) / math.log(decay)) + 1
        assert fired[0] + 1 == expected
        assert np.all(np.diff(fired) == expected)
    assert np.all(np.asarray(lif(neuron, jnp.full((2000, 1), 0.05 * theta))[0]) == 0)  # at the rheobase: never


def test_interval_converges_to_continuous_time_at_first_order(float64):
    """tau v' = -v + RI, reset to 0: tau ln(RI/(RI - 1)); the error of the discrete one is at most a step."""
    drive, tau = 1.6, 10.0
    exact = tau * math.log(drive / (drive - 1))
    for dt in (0.5, 0.05, 0.005):
        neuron = LIF(decay=math.exp(-dt / tau), reset="zero", input_gain="leak")
        steps = int(4 * exact / dt)
        s = np.asarray(jax.jit(lambda i, n=neuron: lif(n, i)[0])(jnp.full((steps, 1), drive)))[:, 0]
        intervals = np.diff(np.flatnonzero(s)) * dt
        assert 0 <= intervals[0] - exact <= dt  # exact between steps, so that only the grid's rounding is left


@given(st.integers(0, 2**31), st.floats(0.1, 0.99), st.floats(0.2, 3.0))
@settings(max_examples=10, deadline=None)
def test_charge_balance(seed, decay, threshold):
    """(1 - decay) sum v = sum i - threshold N + v_0 - v_T for the potential v after a subtracting reset: any input."""
    with jax.enable_x64(True):
        current = jax.random.normal(jax.random.key(seed), (60, 4), jnp.float64)
        neuron = LIF(decay=jnp.asarray(decay), threshold=jnp.asarray(threshold), reset="subtract and decay")
        s, u = _balanced(neuron, current)
        v = u - threshold * s  # after the reset
        before = jnp.concatenate([jnp.zeros((1, 4)), v[:-1]])
        np.testing.assert_allclose(
            threshold * s.sum(0), current.sum(0) - (1 - decay) * before.sum(0) - v[-1], rtol=1e-10, atol=1e-10
        )


_balanced = jax.jit(lif)


@pytest.mark.parametrize("reset", RESETS)
def test_gradients_equal_autodiff_of_the_definition(reset):
    """The fast derivative against autodiff through the steps, in every leaf, detached, attached and between."""
    current = jax.random.normal(jax.random.key(0), (30, 2, 4)) + 0.2
    weights = jax.random.normal(jax.random.key(1), current.shape)

    def both(current):
        out = []
        for share in (0.0, 1.0, jnp.asarray(0.3)):
            neuron = LIF(surrogate=surrogate("sigmoid", 6.0), reset_gradient=share, reset=reset)
            fast, slow = (
                jax.grad(lambda n, i, f=f: jnp.sum(weights * f(n, i)), (0, 1), allow_int=True)(neuron, current)
                for f in (lambda n, i: lif(n, i)[0], run)
            )
            out.append((fast, slow))
        return out

    for fast, slow in jax.jit(both)(current):
        for a, b in zip(jax.tree.leaves(fast), jax.tree.leaves(slow), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(jnp.max(jnp.abs(b))))


@pytest.mark.parametrize("reset", RESETS)
def test_spikes_summed_as_they_come(reset, float64):
    """Values and derivatives in every leaf, forward, reverse and second ones: those of the spikes written down."""
    current = jax.random.normal(jax.random.key(0), (20, 2, 4), jnp.float64) + 0.2
    weights = jax.random.normal(jax.random.key(1), (20,), jnp.float64)
    moved = jax.random.normal(jax.random.key(2), current.shape, jnp.float64)

    def summed(n, i, w):
        total, u = weighted_spikes(n, i, w)
        return jnp.sum(total**2) + jnp.mean(u**2)

    def written(n, i, w):
        s, u = lif(n, i)
        return jnp.sum(jnp.tensordot(w, s, axes=1) ** 2) + jnp.mean(u**2)

    def of(f, neuron):
        def alone(i):  # the neuron is no argument: the loop that keeps no slopes
            return f(neuron, i, weights)

        twice = jax.jvp(jax.grad(alone), (current,), (moved,))
        forward = jax.jvp(alone, (current,), (moved,))
        return (
            f(neuron, current, weights),
            jax.grad(f, (0, 1, 2), allow_int=True)(neuron, current, weights),
            twice,
            forward,
        )

    for share in (0.0, 1.0):
        neuron = LIF(surrogate=surrogate("arctan", 3.0), reset_gradient=share, reset=reset, smooth=share > 0)
        found, wanted = jax.jit(lambda n=neuron: (of(summed, n), of(written, n)))()
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    batched = jax.vmap(lambda i: weighted_spikes(neuron, i, weights)[0], 1, 0)(current)
    np.testing.assert_allclose(batched, weighted_spikes(neuron, current, weights)[0], rtol=1e-12)


def test_a_decay_of_each_unit_scales_its_input():
    current = jax.random.normal(jax.random.key(0), (12, 2, 4)) + 0.4
    neuron = LIF(decay=jnp.asarray([0.5, 0.6, 0.7, 0.8]), input_gain="leak", reset="subtract and decay")
    steps = run(neuron, current)
    np.testing.assert_array_equal(lif(neuron, current)[0], steps)
    np.testing.assert_array_equal(weighted_spikes(neuron, current, jnp.ones(12))[0], steps.sum(0))


def test_weights_of_spikes_are_read_in_the_dtype_of_the_input():
    total, u = weighted_spikes(LIF(), jnp.full((5, 3), 1.5, jnp.bfloat16), jnp.ones(5))
    assert total.dtype == u.dtype == jnp.bfloat16
    np.testing.assert_array_equal(total.astype(jnp.float32), 5)


def test_finite_differences_on_the_smoothed_network(float64):
    """With smooth spikes and an attached reset the gradient is that of the function; forward and reverse agree."""
    current = jax.random.normal(jax.random.key(2), (12, 3), jnp.float64)
    for reset in RESETS:
        neuron = LIF(surrogate=surrogate("arctan", 3.0), reset_gradient=1.0, reset=reset, smooth=True)

        def loss(scale, n=neuron):
            return jnp.sum(lif(replace(n, decay=0.8 * scale), scale * current)[0] ** 2)

        one, e = jnp.asarray(1.0), 1e-6
        slope, reverse = jax.jit(lambda s, f=loss: (jax.jvp(f, (s,), (jnp.ones_like(s),))[1], jax.grad(f)(s)))(one)
        np.testing.assert_allclose(reverse, slope, rtol=1e-10)
        numeric = jax.jit(lambda s, f=loss, e=e: (f(s + e) - f(s - e)) / (2 * e))(one)
        np.testing.assert_allclose(slope, numeric, rtol=1e-7)


def test_second_derivatives_equal_those_of_the_steps_written_out(float64):
    neuron = LIF(surrogate=surrogate("gaussian", 2.0), reset_gradient=1.0)
    current = jax.random.normal(jax.random.key(3), (5, 2), jnp.float64)
    hessian = jax.jit(jax.hessian(lambda i: jnp.sum(potentials(neuron, i) ** 2)))(current)
    slow = jax.jit(jax.hessian(lambda i: jnp.sum(_stepped(neuron, i) ** 2)))(current)
    np.testing.assert_allclose(hessian, slow, rtol=1e-9, atol=1e-10)


def _stepped(neuron, current):
    u, found = jnp.zeros(current.shape[1:], current.dtype), []
    for i in current:
        u, _ = neuron.advance(u, i)
        found.append(u)
    return jnp.stack(found)


def test_parallel_in_time_is_the_loop_bit_for_bit_on_ten_thousand_sequences():
    """2,500 random sequences of 200 steps for each of the four resets, 11 to 64 % of whose steps spike."""
    current = 0.5 * jax.random.normal(jax.random.key(0), (200, 2500)) + 0.15

    def all_of(current):
        return [
            (potentials(n, current), parallel_potentials(n, current)) for n in (LIF(reset=r, decay=0.9) for r in RESETS)
        ]

    for u, found in jax.jit(all_of)(current):
        np.testing.assert_array_equal(np.asarray(u).view(np.int32), np.asarray(found.potentials).view(np.int32))
        assert found.sweeps < 200
        assert 0.1 < float(emitted(LIF(), u).mean())


def test_parallel_in_time_has_the_same_derivative():
    neuron = LIF(surrogate=surrogate("sigmoid", 4.0), reset_gradient=1.0)
    current = jax.random.normal(jax.random.key(5), (40, 6))

    def gradient(parallel):
        return jax.grad(lambda i: jnp.sum(emitted(neuron, potentials(neuron, i, parallel=parallel)) * current))

    a, b = jax.jit(lambda i: (gradient(False)(i), gradient(True)(i)))(current)
    np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def test_adaptive_threshold():
    """Without strength it is the LIF; with it, intervals grow to a steady value."""
    current = jnp.full((400, 1), 0.4)
    plain, adapting, none = jax.jit(
        lambda i: (run(LIF(), i), run(AdaptiveLIF(strength=3.0), i), run(AdaptiveLIF(strength=0.0), i))
    )(current)
    np.testing.assert_array_equal(none, plain)
    intervals = np.diff(np.flatnonzero(adapting[:, 0]))
    assert intervals[-1] > 1.5 * intervals[0]
    # In the steady state a is the rate to first order, and the threshold 1 + 3 a.
    rate = np.asarray(adapting)[200:, 0].mean()
    mean_interval = 1 / rate
    theta = 1 + 3.0 * rate
    assert mean_interval == pytest.approx(np.log(1 - theta * 0.1 / 0.4) / np.log(0.9), rel=0.35)


def test_recurrent_weights_are_seen_one_step_later():
    spikes = run(
        LIF(reset="none", decay=0.0), jnp.zeros((5, 2)).at[0, 0].set(2.0), jnp.asarray([[0.0, 2.0], [0.0, 0.0]])
    )
    np.testing.assert_array_equal(spikes, [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]])


def test_refusals():
    with pytest.raises(SpikingError, match="decay = 1.5 must be between"):
        LIF(decay=1.5)
    with pytest.raises(SpikingError, match="reset_gradient = 2.0"):
        LIF(reset_gradient=2.0)
