"""Integrators against closed forms: order, stiffness, events and their derivatives, delays, equilibria."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.dynamics import DelayError, crossing, equilibrium, extreme, integrate, rk4, rk4_delayed, rk4_fold

pytestmark = pytest.mark.usefixtures("float64")


def oscillator(t, y):
    return {"x": y["v"], "v": -y["x"]}


def test_fixed_steps_are_of_fourth_order_also_where_uneven():
    @functools.partial(jax.jit, static_argnums=0)
    def error(steps):
        times = 3 * jnp.linspace(0, 1, steps + 1) ** 1.5
        y = rk4(oscillator, {"x": 0.0, "v": 1.0}, times)
        return jnp.max(jnp.abs(y["x"] - jnp.sin(times)))

    assert float(error(40) / error(80)) == pytest.approx(16, rel=0.1)


def test_folding_keeps_what_is_observed():
    last, top = rk4_fold(
        oscillator,
        {"x": 0.0, "v": 1.0},
        jnp.linspace(0, 3, 301),
        lambda top, t, y, rate: jnp.maximum(top, y["x"] + 0 * rate["x"]),
        jnp.zeros(()),
    )
    np.testing.assert_allclose(last["x"], np.sin(3.0), atol=1e-9)
    np.testing.assert_allclose(top, 1.0, atol=2e-5)


def test_stiff_steps_are_few():
    def relaxing(t, y):
        return -1e5 * (y - jnp.cos(t))

    times = jnp.linspace(0, 2, 3)
    found = jax.jit(lambda: integrate(relaxing, jnp.zeros(()), times, method="kvaerno5"))()
    np.testing.assert_allclose(found.states[1:], np.cos(times[1:]), atol=2e-5)
    assert found.steps < 400  # explicit steps would be 1e5 and more


def value_at_one(rate, derivatives):
    times = jnp.asarray([0.0, 0.4, 1.0])
    found = integrate(lambda t, y: -rate * y, jnp.ones(()), times, rtol=1e-8, max_steps=64, derivatives=derivatives)
    return found.states[1:]


def test_adaptive_steps_and_their_forward_derivative():
    value, slope = jax.jit(lambda r: jax.jvp(lambda r: value_at_one(r, "forward"), (r,), (jnp.ones(()),)))(2.0)
    np.testing.assert_allclose(value, np.exp([-0.8, -2.0]), rtol=1e-6)  # inside too: nothing is interpolated
    np.testing.assert_allclose(slope, [-0.4 * np.exp(-0.8), -np.exp(-2.0)], rtol=1e-5)


def test_reverse_derivative_of_adaptive_steps():
    slope = jax.jit(jax.grad(lambda r: value_at_one(r, "reverse")[1]))(2.0)
    np.testing.assert_allclose(slope, -np.exp(-2.0), rtol=1e-6)


def test_events_and_their_derivatives():
    def times_of(w):
        def field(t, y):
            return {"x": w * y["v"], "v": -w * y["x"]}

        times = jnp.linspace(0.0, 3.0, 301)
        states = rk4(field, {"x": 0.0, "v": 1.0}, times)
        top = extreme(field, times, states, lambda y: y["x"])
        low = extreme(field, times, states, lambda y: y["v"], largest=False)
        half = crossing(field, times, states, lambda y: y["x"], 0.5)
        never = crossing(field, times, states, lambda y: y["x"], 2.0)
        return jnp.stack([top.time, top.state["x"], half.time, low.time, never.time])

    w = 1.3
    found, slopes = jax.jit(lambda w: (times_of(w), jax.jacfwd(times_of)(w)))(w)
    np.testing.assert_allclose(found[:4], [np.pi / 2 / w, 1, np.pi / 6 / w, np.pi / w], atol=1e-8)
    np.testing.assert_allclose(slopes[:3], [-np.pi / 2 / w**2, 0, -np.pi / 6 / w**2], atol=1e-7)
    assert np.isnan(found[4])


def test_an_extreme_at_an_end_is_none():
    times = jnp.linspace(0.0, 1.0, 11)
    states = {"x": times, "v": jnp.ones(11)}
    found = jax.jit(lambda: extreme(lambda t, y: {"x": y["v"], "v": 0 * y["v"]}, times, states, lambda y: y["x"]))()
    assert not found.found
    assert np.isnan(found.time)


def test_delayed_growth_against_the_method_of_steps():
    # y' = -y(t - 1), y = 1 before: 1 - t, then 1 - t + (t-1)^2/2, then one cubic more.
    def error(steps):
        def field(t, y, past):
            return jax.tree.map(jnp.negative, past[0])

        times, y = rk4_delayed(field, {"y": 1.0}, 3.0 / steps, steps, (1.0,))
        exact = (
            1 - times + jnp.where(times > 1, (times - 1) ** 2 / 2, 0) - jnp.where(times > 2, (times - 2) ** 3 / 6, 0)
        )
        return float(jnp.max(jnp.abs(y["y"] - exact)))

    assert error(30) < 1e-14  # polynomials of this degree are exact


def test_delayed_steps_are_of_fourth_order_and_two_delays_agree_with_one():
    def end(steps, delays=(1.0, 2.0), used=0):
        def field(t, y, past):
            return -past[used] * (1 + y)

        return rk4_delayed(field, jnp.asarray(0.5), 4.0 / steps, steps, delays)[1][-1]

    a, b, c = end(32), end(64), end(128)
    assert float((a - b) / (b - c)) == pytest.approx(16, rel=0.2)
    assert float(end(32, used=1)) == pytest.approx(float(end(32, (2.0,))), rel=1e-12)
    assert float(end(32, used=1)) != pytest.approx(float(a), rel=1e-3)
    with pytest.raises(DelayError, match="no positive multiple of the step"):
        rk4_delayed(lambda t, y, past: -past[0], jnp.asarray(1.0), 0.3, 4, (1.0,))


def test_equilibrium_and_its_derivative():
    def root(a):
        return equilibrium(lambda y: {"u": a / (1 + y["u"] ** 2) - y["u"]}, {"u": jnp.asarray(3.0)})["u"]

    value, slope = jax.jit(jax.value_and_grad(root))(2.0)
    np.testing.assert_allclose(value, 1.0, rtol=1e-15)
    np.testing.assert_allclose(slope, 0.25, rtol=1e-14)  # 1/(1+u^2) over 1 + 2 a u/(1+u^2)^2
