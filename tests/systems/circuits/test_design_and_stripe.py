"""Inverse design and inference by gradients; the stripe in a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.circuits import (
    design_pulse,
    design_times,
    feed_forward_loop,
    infer,
    loop_log_gain,
    pulse,
    random_start,
    simulate,
    stripe,
)

WANTED = jnp.asarray([[0.339674692400, 10.84559449], [0.703750593936, 3.145421904], [1.814644429249, 1.175956343]])


@pytest.mark.exhaustive
def test_designs_reach_the_three_reference_pulses_from_random_starts():
    keys = jax.random.split(jax.random.key(0), 20)
    times = design_times(steps=160)

    @jax.jit
    def designs(wanted):
        return jax.vmap(lambda k: design_pulse(random_start(k), wanted[0], wanted[1], times, 20))(keys)

    found = jax.lax.map(designs, WANTED)
    reached = np.asarray(found.error) < 1e-3
    assert reached.mean(axis=1).min() >= 0.9
    # A design is a loop: made again with steps twice as fine it has the pulse that it was made for.
    K = {name: v[1, int(np.argmax(reached[1]))] for name, v in found.parameters.items()}
    again = pulse(feed_forward_loop("I1", **K), {"X": jnp.float32(1)}, design_times(steps=800))
    np.testing.assert_allclose([again.peak_time, again.overshoot], WANTED[1], rtol=1.2e-3)


def test_parameters_are_inferred_from_a_trajectory(float64):
    times = jnp.linspace(0, 6, 31)

    def made(log_K):
        K_xz, K_yz = jnp.exp(log_K)  # of K_xy and K_yz only one can be told from one step of X
        return feed_forward_loop("I1", K_xz=K_xz, K_yz=K_yz)

    truth = jnp.log(jnp.asarray([0.4, 0.2]))
    observed = simulate(made(truth), {"X": 1.0}, times).levels["Z"]
    fit = jax.jit(lambda x: infer(made, x, {"X": 1.0}, times, observed, iterations=30))(jnp.zeros(2))
    np.testing.assert_allclose(fit.x, truth, atol=1e-8)
    assert float(jnp.max(jnp.abs(fit.residual))) < 1e-9


def test_stripe_stands_where_the_log_gain_is_zero_and_shifts_with_the_amplitude(float64):
    loop = feed_forward_loop("I1", K_xy=1.0, K_xz=1.0, K_yz=0.1)
    s = jnp.linspace(0, 12, 241)
    low, high = (jax.jit(lambda a: stripe(loop, a, 1.5, s))(a) for a in (20.0, 40.0))
    X = 20.0 * np.exp(-float(low.position) / 1.5)
    assert float(loop_log_gain(loop, X)) == pytest.approx(0, abs=1e-9)
    assert float(low.profile.max()) <= float(low.height)
    for end in ("position", "near", "far"):
        assert float(getattr(high, end) - getattr(low, end)) == pytest.approx(1.5 * np.log(2), abs=1e-9)
    assert 0 < float(low.near) < float(low.position) < float(low.far)
    np.testing.assert_allclose(np.interp([low.near, low.far], s, low.profile), float(low.height) / 2, rtol=2e-2)


def test_a_coherent_loop_makes_no_stripe(float64):
    found = jax.jit(lambda: stripe(feed_forward_loop("C1"), 20.0, 1.0, jnp.linspace(0, 9, 91)))()
    assert np.isnan(found.position)
