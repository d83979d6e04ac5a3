"""One table of all activations x the laws that their facts and derivatives obey, in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo_table import CASES, EXACT, GRID, away, kinks, portraits

import actlab.activations as al

each = pytest.mark.parametrize("name", CASES)
each_exact = pytest.mark.parametrize("name", EXACT)
# Bounds that are true but not attained, each with its reason.
LOOSE = {
    ("swish(beta=0.0)", "slope"): "x/2: the slope bounds are those of every other beta",
    ("leaky_relu(negative_slope=1.0)", "slope"): "",
    ("hill(n=0.7)", "range"): "1 - 3e-6 at the end of the grid",
}


@each
@pytest.mark.parametrize("fact", ["range", "slope", "curvature"])
def test_facts_contain_every_value(name, fact):
    interval = getattr(CASES[name].facts, fact)
    if interval is None:
        pytest.skip("unknown")
    values = portraits()[name][fact]
    values = values if fact == "range" else values[away(CASES[name], 0.0)]
    slack = 1e-13 * np.maximum(1, np.abs(values))
    outside = (values < interval.lower - slack) | (values > interval.upper + slack) | np.isnan(values)
    assert not outside.any(), (interval, values[outside][:3], GRID[: outside.size][outside][:3])


def extremum(act, values, where, best):
    """The least or largest value, by the parabola through it and its neighbours where it is interior; else as it is."""
    at = np.flatnonzero(where)[best(values[where])]
    near = [np.searchsorted(GRID, GRID[at] - 6e-4), at, np.searchsorted(GRID, GRID[at] + 4e-4)]
    if abs(GRID[at]) > 11 or np.abs(kinks(act) - GRID[at]).min(initial=1) < 2e-3:
        return values[at], False
    a, b, c = np.polyfit(GRID[near] - GRID[at], values[near] - values[at], 2)
    return values[at] + (c - b * b / (4 * a) if abs(a) > 1e-3 else 0), abs(a) > 1e-3


@each_exact
@pytest.mark.parametrize("fact", ["range", "slope", "curvature"])
def test_facts_are_tight(name, fact):
    interval = getattr(CASES[name].facts, fact)
    if interval is None or (name, fact) in LOOSE:
        pytest.skip("unknown, or not attained")
    values = portraits()[name][fact]
    where = away(CASES[name], 0.0) | (fact == "range")
    for end, best in ((interval.lower, np.argmin), (interval.upper, np.argmax)):
        attained, interior = extremum(CASES[name], values, where, best)
        if math.isinf(end):
            assert abs(attained) > 10, (end, attained)
        else:  # at a limit or a kink: as near as the grid comes
            assert abs(end - attained) <= (1e-8 if interior else 1e-6) * max(1, abs(end)), (end, attained)


@each_exact
def test_closed_form_slope_is_the_derivative_of_the_formula(name):
    where = away(CASES[name], 1e-12) & (np.abs(GRID) < 12)
    p = portraits()[name]
    wrong = ~np.isclose(p["slope"], p["autodiff"], rtol=1e-9, atol=1e-11) & where
    ties = (
        wrong & ~np.roll(wrong, 1) & ~np.roll(wrong, -1)
    )  # single points: autodiff halves the slope of a tied maximum
    assert not (wrong & ~ties).any(), GRID[wrong][:5]
    assert ties.sum() <= 2, GRID[ties]


@each_exact
@pytest.mark.parametrize("what", ["slope", "curvature", "third"])
def test_derivatives_match_central_differences(name, what):
    p = portraits()[name]
    where = away(CASES[name], 0.3) & (np.abs(GRID) < 6)  # powers of x have no bounded higher derivatives at their kink
    size = max(1.0, np.abs(p["range"][where]).max(), np.abs(p[what][where]).max())
    np.testing.assert_allclose(p[what][where], p[f"{what} by differences"][where], rtol=1e-7, atol=1e-8 * size)


@each_exact
def test_the_slope_at_a_kink_lies_between_its_neighbours(name):
    slopes = portraits()[name]["slope"]
    for kink in kinks(CASES[name]):
        at = np.searchsorted(GRID, kink)
        low, high = sorted((slopes[at - 1], slopes[at + 1]))
        assert low - 1e-9 <= slopes[at] <= high + 1e-9, (kink, low, slopes[at], high)


@each
def test_monotone_as_declared(name):
    values, order = portraits()[name]["range"], CASES[name].facts.monotone
    steps = np.diff(values[np.isfinite(values)])
    slack = 1e-14 * np.maximum(1, np.abs(values[np.isfinite(values)][1:]))
    inner = np.diff(values[np.abs(GRID) < 3])[np.diff(GRID[np.abs(GRID) < 3]) > 1e-4]
    if order in ("nondecreasing", "strictly increasing"):
        assert (steps >= -slack).all()
    elif order in ("nonincreasing", "strictly decreasing"):
        assert (steps <= slack).all()
    elif order == "none":
        assert (steps > slack).any()
        assert (steps < -slack).any()
    if order.startswith("strictly"):
        assert (inner != 0).all()


@each
def test_inverse_undoes_the_function(name, float64):
    inverse = CASES[name].facts.inverse
    if inverse is None:
        pytest.skip("no closed form")
    x = GRID[(np.abs(GRID) < 4) & (portraits()[name]["slope"] > 1e-3)][::50]
    y = CASES[name](jnp.asarray(x))
    np.testing.assert_allclose(inverse(y), x, rtol=1e-9, atol=1e-9)


def parametric() -> dict:
    return {name: act for name, act in EXACT.items() if act.parameters}


def test_parameters_differentiate(float64):
    x = jnp.asarray(np.concatenate([np.linspace(-4, 4, 37) + 0.013, [0.3, -0.3, 30.0, -30.0]]))
    acts = {k: jax.tree.map(lambda v: jnp.asarray(v, jnp.float64), act) for k, act in parametric().items()}

    def derivative(act, evaluate):
        ones = jax.tree.map(jnp.ones_like, act)
        return jax.jvp(evaluate, (act,), (ones,))[1]

    def difference(act, evaluate):
        up, down = jax.tree.map(lambda v: v + 1e-6, act), jax.tree.map(lambda v: v - 1e-6, act)
        return (evaluate(up) - evaluate(down)) / 2e-6

    @jax.jit
    def both(acts):
        of = {"value": lambda a: a(x), "slope": lambda a: a.slope(x)}
        return {k: {n: (derivative(a, e), difference(a, e)) for n, e in of.items()} for k, a in acts.items()}

    for name, table in both(acts).items():
        for what, (exact, approximate) in table.items():
            np.testing.assert_allclose(exact, approximate, rtol=1e-5, atol=1e-7, err_msg=f"{name} {what}")


@pytest.mark.parametrize("name", [n for n, a in al.ZOO.items() if len(a.definition.derivatives) > 1])
def test_reverse_mode_keeps_only_x(name):
    x = jnp.linspace(-3.0, 3.0, 1024)
    _, backward = jax.vjp(al.ZOO[name], x)
    kept = {id(leaf): leaf.nbytes for leaf in jax.tree.leaves(backward) if leaf.size > 1}
    vectors = [np.asarray(v, np.float32) for v in al.ZOO[name].parameters.values() if np.ndim(v)]
    assert sum(kept.values()) <= x.nbytes + sum(v.nbytes for v in vectors)
