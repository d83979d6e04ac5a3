import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import Activation, Interval

GRID = np.concatenate([np.linspace(-30, 30, 2003) + 1e-3 * math.pi, [-1e6, -1e3, 1e3, 1e6], np.geomspace(1e-12, 1, 60)])
GRID = np.sort(np.concatenate([GRID, -GRID]))


def random_expression(rng: np.random.Generator, depth: int) -> Activation:
    """A random tree of the algebra over the zoo."""
    if depth == 0:
        return rng.choice(np.array(list(al.ZOO.values()), dtype=object))
    inner = random_expression(rng, depth - 1)
    scale, shift = float(rng.normal() * 2), float(rng.normal())
    match rng.integers(7):
        case 0:
            return al.compose(inner, random_expression(rng, int(rng.integers(depth))))
        case 1:
            return al.sum(inner, random_expression(rng, int(rng.integers(depth))))
        case 2:
            return al.mix(inner, random_expression(rng, int(rng.integers(depth))), weight=float(rng.uniform()))
        case 3:
            return al.affine(inner, scale=scale, shift=shift, input_scale=float(rng.normal()), input_shift=shift)
        case 4:
            return al.negate(inner)
        case 5:
            slope = inner.facts.slope
            if slope is None or not math.isfinite(slope.magnitude) or inner.facts.smoothness == -1:
                return al.affine(inner, scale=scale)
            return al.bounded_slope(inner, lower=0.2, upper=1.7)
        case _:
            image = inner.facts.range
            if image is None or not math.isfinite(image.magnitude):
                return al.compose(al.tanh, inner)
            return al.bounded_range(inner, lower=-0.5, upper=2.0)


def inside(interval: Interval | None, values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Whether the finite values lie inside, up to the rounding of float64 at their scale."""
    if interval is None:
        return np.ones(values.shape, bool)
    slack = 1e-9 * (1 + np.abs(values) + scale)
    return ~np.isfinite(values) | ((values >= interval.lower - slack) & (values <= interval.upper + slack))


@pytest.mark.slow
@pytest.mark.parametrize("batch", [pytest.param(b, marks=pytest.mark.exhaustive) if b >= 2 else b for b in range(10)])
def test_facts_of_200_random_expressions_contain_the_truth(batch: int, float64: None) -> None:
    rng = np.random.default_rng(batch)
    expressions = [random_expression(rng, int(rng.integers(1, 4))) for _ in range(20)]
    x = jnp.asarray(GRID)
    results = jax.jit(lambda x: [(e(x), e.slope(x), e.curvature(x)) for e in expressions])(x)
    for expression, (value, slope, curvature) in zip(expressions, results, strict=True):
        facts = expression.facts
        sizes = np.abs(GRID)
        for name, interval, found in (
            ("range", facts.range, value),
            ("slope", facts.slope, slope),
            ("curvature", facts.curvature, curvature),
        ):
            bad = ~inside(interval, np.asarray(found), 1e-6 * sizes)
            assert not bad.any(), (expression, name, interval, GRID[bad][:3], np.asarray(found)[bad][:3])
        if facts.increasing and np.all(np.isfinite(value)):
            assert np.all(np.diff(value) >= -1e-9 * (1 + np.abs(value[1:])) - 1e-12 * sizes[1:]), expression


def test_composition_is_the_mathematicians() -> None:
    f = al.compose(al.tanh, al.affine(scale=0.5))
    chex.assert_trees_all_close(f(jnp.array([2.0])), jnp.tanh(jnp.array([1.0])))


def test_facts_are_tight_where_theory_says_so() -> None:
    f = al.affine(al.tanh, scale=-3.0, shift=1.0, input_scale=0.5)
    assert f.facts.range.lower == pytest.approx(-2.0, abs=1e-12)
    assert f.facts.range.upper == pytest.approx(4.0, abs=1e-12)
    assert f.facts.slope.lower == pytest.approx(-1.5, abs=1e-12)
    assert f.facts.slope.upper == 0.0
    assert f.facts.monotone == "strictly decreasing"
    assert al.sum(al.tanh, al.identity).facts.slope.upper == 2.0
    assert al.sum(al.tanh, al.sigmoid).facts.range.upper == 2.0
    assert al.compose(al.sigmoid, al.tanh).facts.range.upper == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-12)
    assert al.mix(al.relu, al.identity, weight=0.9).facts.slope.lower == pytest.approx(0.1, abs=1e-12)
    assert al.mix(al.relu, al.identity, weight=0.9).facts.monotone == "strictly increasing"


def test_kinks_move_with_the_input() -> None:
    assert al.affine(al.relu, input_scale=2.0, input_shift=-3.0).facts.kinks == pytest.approx((1.5,))
    assert al.compose(al.relu, al.softplus).facts.kinks == ()
    assert al.compose(al.relu, al.gelu).facts.kinks is None


def test_inverse_of_a_composition() -> None:
    f = al.compose(al.sigmoid, al.affine(scale=2.0, shift=1.0))
    x = jnp.linspace(-2.0, 2.0, 9)
    np.testing.assert_allclose(f.facts.inverse(f(x)), x, atol=1e-5)


def test_rebuilt_expressions_do_not_retrace_and_their_leaves_train() -> None:
    traces = []

    @jax.jit
    def apply(f: Activation, x: jax.Array) -> jax.Array:
        traces.append(1)
        return f(x)

    for scale in (1.0, 2.0, 3.0):
        apply(al.sum(al.affine(al.tanh, scale=scale), al.relu), jnp.ones(3))
    assert len(traces) == 1
    gradient = jax.grad(lambda f: f(jnp.ones(3)).sum())(al.affine(al.tanh, scale=2.0))
    assert float(jax.tree.leaves(gradient)[0]) == pytest.approx(3 * math.tanh(1), rel=1e-6)


def test_facts_under_a_traced_parameter() -> None:
    slopes = jax.vmap(lambda s: al.affine(al.tanh, scale=s).facts.slope)(jnp.array([1.0, -2.0]))
    np.testing.assert_allclose(slopes.lower, [0.0, -2.0], atol=1e-6)
    np.testing.assert_allclose(slopes.upper, [1.0, 0.0], atol=1e-6)


def test_a_jump_is_never_a_bounded_slope() -> None:
    assert al.compose(al.heaviside, al.tanh).facts.lipschitz() == math.inf
    assert al.sum(al.heaviside, al.tanh).facts.smoothness == -1


def test_surrogates_and_standing_pass_through() -> None:
    spike = al.heaviside.with_surrogate(al.sigmoid)
    assert al.compose(al.tanh, spike).facts.gradient == "surrogate"
    mine = al.activation(lambda x: x)
    assert al.sum(mine, al.tanh).facts.standing == "unknown"
    assert al.compose(al.tanh, mine).facts.standing == "declared"


def test_refusals() -> None:
    with pytest.raises(ValueError, match="compose needs at least one"):
        al.compose()
    for weight in (1.5, np.float32(1.5), jnp.asarray([0.5, 1.5])):
        with pytest.raises(ValueError, match=r"weight = .*1.5.* is outside \[0, 1\]"):
            al.mix(al.relu, al.tanh, weight=weight)
    with pytest.raises(TypeError, match="input_scale and input_shift need an inner"):
        al.affine(input_scale=2.0)
