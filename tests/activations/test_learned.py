"""Activations with vectors of coefficients against independent implementations: fits, splines of scipy, stacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline, make_interp_spline
from scipy.optimize import least_squares

import actlab.activations as al

SPLINES = {"linear": al.linear_spline, "cubic": al.cubic_spline}
each = pytest.mark.parametrize("act", SPLINES.values(), ids=SPLINES)
INNER, WIDE = np.linspace(-2, 2, 4001), np.linspace(-9, 9, 18001)


def random_coefficients(seed: int, count: int, stack: int | None = None) -> np.ndarray:
    shape = (count,) if stack is None else (stack, count)
    return np.random.default_rng(seed).normal(size=shape)


def test_the_default_of_pau_is_the_least_squares_fit_to_leaky_relu():
    x = np.linspace(-3, 3, 6001)

    def error(c):
        return np.polyval(c[5::-1], x) / (1 + np.abs(x * np.polyval(c[:5:-1], x))) - np.where(x > 0, x, 0.01 * x)

    ours = np.concatenate(list(al.pau.parameters.values()))
    fitted = least_squares(error, ours + 0.03, xtol=1e-12, ftol=1e-12, gtol=1e-12)
    assert np.sum(error(ours) ** 2) <= 2 * fitted.cost + 1e-7
    assert np.abs(error(ours)).max() < 0.034
    np.testing.assert_allclose(
        al.pau(jnp.asarray(x, jnp.float32)) - np.where(x > 0, x, 0.01 * x), error(ours), atol=1e-5
    )


@pytest.mark.parametrize("degrees", [(1, 1), (3, 2), (2, 4), (5, 4)])
def test_pau_of_any_degrees_is_the_quotient(degrees, float64):
    p, q = random_coefficients(3, degrees[0] + 1), random_coefficients(4, degrees[1])
    quotient = np.polyval(p[::-1], WIDE) / (1 + np.abs(WIDE * np.polyval(q[::-1], WIDE)))
    act = al.pau.bind(numerator=p, denominator=q)
    np.testing.assert_allclose(act(jnp.asarray(WIDE)), quotient, rtol=1e-11, atol=1e-12)


def test_the_kinks_of_pau_are_where_its_denominator_touches_one():
    kinks = al.pau.bind(denominator=np.array([-2.0, -1.0, 1.0])).facts.kinks  # Q = x (x - 2) (x + 1)
    np.testing.assert_allclose(kinks, [-1.0, 0.0, 2.0], atol=1e-12)
    assert al.pau.facts.kinks == ()
    assert al.pau.bind(denominator=jnp.zeros(3)).facts.smoothness == al.SMOOTH
    assert al.pau.facts.slope is None


def test_the_linear_spline_interpolates(float64):
    c = random_coefficients(0, 9)
    act = al.linear_spline.bind(coefficients=c, radius=2.0)
    np.testing.assert_allclose(act(jnp.asarray(INNER)), np.interp(INNER, np.linspace(-2, 2, 9), c), atol=1e-12)


def test_the_cubic_spline_is_the_sum_of_b_splines(float64):
    c = random_coefficients(1, 9)
    coefficients = np.concatenate([[2 * c[0] - c[1]], c, [2 * c[-1] - c[-2]]])
    knots = 0.5 * np.arange(-7, 8, dtype=float)
    ours = al.cubic_spline.bind(coefficients=c, radius=2.0)
    np.testing.assert_allclose(ours(jnp.asarray(INNER)), BSpline(knots, coefficients, 3)(INNER), atol=1e-12)


@pytest.mark.exhaustive
def test_the_cubic_spline_is_a_natural_spline_that_goes_on_as_a_line(float64):
    act = al.cubic_spline.bind(coefficients=random_coefficients(2, 7), radius=3.0)
    nodes = jnp.linspace(-3.0, 3.0, 7)
    natural = make_interp_spline(np.asarray(nodes), np.asarray(act(nodes)), bc_type="natural")
    x = np.linspace(-3, 3, 999)
    for order, of in enumerate((act, act.slope, act.curvature)):
        np.testing.assert_allclose(of(jnp.asarray(x)), natural(x, nu=order), atol=1e-10)
    out = jnp.asarray([3.0, 4.0, 1e6])
    np.testing.assert_allclose(act(out), act(out[0]) + act.slope(out[0]) * (out - 3), rtol=1e-12)


@each
@pytest.mark.parametrize("flat", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_facts_of_random_splines_are_the_extremes(act, flat, float64):
    stack = random_coefficients(5, 8, stack=40)
    if flat:
        stack[:, [0, -1]] = stack[:, [1, -2]]
    acts = jax.vmap(lambda c, r: act.bind(coefficients=c, radius=r))(jnp.asarray(stack), jnp.linspace(0.5, 6.0, 40))
    x = jnp.asarray(np.linspace(-7, 7, 30001))
    found = jax.vmap(lambda a: {"range": a(x), "slope": a.slope(x), "curvature": a.curvature(x)})(acts)
    facts = jax.vmap(lambda a: {name: getattr(a.facts, name) for name in ("range", "slope", "curvature")})(acts)
    for name, values in found.items():
        bounds = jax.tree.map(lambda end: jnp.broadcast_to(end, 40), facts[name])
        size = 1 + np.abs(values).max(axis=1)
        assert (values >= bounds.lower[:, None]).all(), name
        assert (values <= bounds.upper[:, None]).all(), name
        for end, attained in ((bounds.lower, values.min(axis=1)), (bounds.upper, values.max(axis=1))):
            finite = np.isfinite(end)
            assert finite.all() or (name == "range" and not flat)
            grid_error = 1e-2 if (name, act) == ("curvature", al.cubic_spline) else 2e-3
            assert (np.abs(end - attained) <= grid_error * size)[finite].all(), name


@each
def test_facts_of_a_stack_are_those_of_its_members(act):
    stack = random_coefficients(6, 5, stack=3)
    whole = jax.vmap(lambda c: act.bind(coefficients=c, radius=2.0))(jnp.asarray(stack)).facts
    for k, c in enumerate(stack):
        alone = act.bind(coefficients=c, radius=2.0).facts
        for name in ("range", "slope", "curvature"):
            a, b = getattr(whole, name), getattr(alone, name)
            np.testing.assert_allclose(np.broadcast_to(a.lower, 3)[k], b.lower, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(np.broadcast_to(a.upper, 3)[k], b.upper, rtol=1e-5, atol=1e-5)


@each
def test_order_follows_the_coefficients(act):
    def order(*c):
        return act.bind(coefficients=np.array(c)).facts.monotone

    assert order(0.0, 1.0, 1.5, 7.0) == "strictly increasing"
    assert order(0.0, 0.0, 1.5, 7.0) == "nondecreasing"
    assert order(0.0, -1.0, -1.5, -7.0) == "strictly decreasing"
    assert order(0.0, 2.0, -1.5, 7.0) == "none"
    assert act.bind(coefficients=np.array([-1.0, 0.0, 1.0])).facts.smoothness == al.SMOOTH


@each
def test_coefficients_train_and_stack(act):
    x = jnp.linspace(-2.0, 2.0, 201)
    target = jnp.sin(2 * x)
    start = act.bind(coefficients=jnp.zeros(9), radius=2.0)
    loss = jax.jit(jax.value_and_grad(lambda a: jnp.mean(jnp.square(a(x) - target))))
    fitted = start
    for _ in range(150):
        value, gradient = loss(fitted)
        fitted = fitted.bind(coefficients=fitted.parameters["coefficients"] - 3 * gradient.parameters["coefficients"])
    assert value < 0.01
    stack = jax.tree.map(lambda a, b: jnp.stack([jnp.asarray(a), jnp.asarray(b)]), start, fitted)
    np.testing.assert_allclose(jax.vmap(lambda a: a(x))(stack)[1], fitted(x), atol=1e-6)


def test_a_vector_is_no_channel_and_a_number_no_vector():
    with pytest.raises(ValueError, match="vector of coefficients"):
        al.linear_spline.bind(coefficients=1.0)
    with pytest.raises(ValueError, match="vmap over a stack"):
        al.linear_spline.bind(coefficients=jnp.zeros((2, 5)))(jnp.ones(5))
    with pytest.raises(ValueError, match="at least 3"):
        al.cubic_spline.bind(coefficients=jnp.zeros(2))(jnp.ones(5))
    assert al.linear_spline(jnp.ones((4, 7))).shape == (4, 7)


def test_rebuilt_splines_do_not_retrace():
    traces = []

    @jax.jit
    def run(act, x):
        traces.append(1)
        return act(x)

    for k in range(3):
        run(al.cubic_spline.bind(coefficients=jnp.arange(5.0) * k), jnp.ones(3))
    assert len(traces) == 1


def test_the_inverse_of_a_linear_spline(float64):
    act = al.linear_spline.bind(coefficients=np.array([-2.0, -1.0, -0.9, 0.1, 2.0]))
    x = jnp.linspace(-7.0, 7.0, 101)
    np.testing.assert_allclose(act.facts.inverse(act(x)), x, atol=1e-12)


def test_the_default_linear_spline_is_relu_in_floats():
    x = jnp.concatenate([jnp.linspace(-9.0, 9.0, 5001), jnp.asarray([1e-30, -1e-30, 1e-3, 1e30, 3e38])])
    np.testing.assert_allclose(al.linear_spline(x), al.relu(x), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("alpha_n", "beta"), [(0.8, 0.5), (0.3, 0.5), (0.5, 0.5), (0.8, -0.4), (0.8, 0.0)])
def test_the_least_value_of_xielu(alpha_n, beta, float64):
    act = al.xielu.bind(alpha_n=alpha_n, beta=beta)
    x = jnp.asarray(np.concatenate([np.linspace(-30, 5, 350001), -np.geomspace(30, 1e6, 99)]))
    least, attained = act.facts.range.lower, float(act(x).min())
    assert attained >= least
    if np.isfinite(least):
        assert attained == pytest.approx(least, abs=1e-8)
    else:
        assert attained < -1e4
