"""Slope and range lie where the constructions say: for every leaf, every input, and in floats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al

X = np.concatenate([np.linspace(-15, 15, 6001), [-1e6, -200.0, -60.0, 60.0, 200.0, 1e6]])

SLOPED = {
    "softplus": al.bounded_slope(al.softplus, lower=0.1, upper=2.0),
    "tanh": al.bounded_slope(al.tanh, lower=0.5, upper=1.5),
    "swish": al.bounded_slope(al.swish.bind(beta=2.0), lower=0.3, upper=1.0),
    "relu": al.bounded_slope(al.relu, lower=0.01, upper=1.0),
    "elu": al.bounded_slope(al.elu, lower=0.2, upper=4.0),
    "boltzmann": al.bounded_slope(al.boltzmann.bind(k=0.25), lower=-1.0, upper=1.0),
    "sine": al.bounded_slope(al.sine, lower=0.0, upper=3.0),
    "negative": al.bounded_slope(al.erf, lower=-2.0, upper=-0.5),
    "leaky": al.bounded_slope(al.leaky_relu, lower=0.2, upper=1.0),
    "nested": al.bounded_slope(al.bounded_slope(al.gelu, lower=0.1, upper=1.0), lower=0.5, upper=2.0),
}
RANGED = {
    "tanh": al.bounded_range(al.tanh, lower=2.0, upper=5.0),
    "sigmoid": al.bounded_range(al.sigmoid, lower=-0.1, upper=0.7),
    "sin": al.bounded_range(al.sin, lower=1e-3, upper=1.0),
    "hill": al.bounded_range(al.hill.bind(n=3.0), lower=0.5, upper=2.0),
    "capped": al.capped_positive(upper=3.0),
    "floored": al.capped_positive(upper=8.0, lower=0.01),
}
ALL = SLOPED | {f"range of {k}": v for k, v in RANGED.items()}


def portrait(act, x):
    return {"range": act(x), "slope": act.slope(x), "curvature": act.curvature(x)}


@pytest.fixture(scope="module")
def portraits():
    with jax.enable_x64(True):
        run = jax.jit(lambda x: {name: portrait(act, x) for name, act in ALL.items()})
        return jax.device_get(run(jnp.asarray(X)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("fact", ["range", "slope", "curvature"])
def test_facts_contain_the_truth_and_are_attained(portraits, name, fact):
    interval, values = getattr(ALL[name].facts, fact), portraits[name][fact]
    slack = 1e-12 * np.maximum(1, np.abs(values))
    assert ((values >= interval.lower - slack) & (values <= interval.upper + slack)).all()
    for end, attained in ((interval.lower, values.min()), (interval.upper, values.max())):
        if np.isinf(end):
            assert abs(attained) > 1e3
        else:
            assert abs(end - attained) <= 1e-3 * max(1, abs(end)), (end, attained)


@pytest.mark.parametrize("name", ALL)
def test_the_slope_is_the_derivative(portraits, name, float64):
    act, h, x = ALL[name], 1e-6, X[np.abs(X) < 15]
    x = x[np.min([np.abs(x - float(k)) for k in act.facts.kinks], axis=0, initial=1.0) > 1e-3]
    difference = (act(jnp.asarray(x + h)) - act(jnp.asarray(x - h))) / (2 * h)
    np.testing.assert_allclose(act.slope(jnp.asarray(x)), difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
def test_monotone_and_smooth_as_the_slope_says(portraits, name):
    facts = ALL[name].facts
    if facts.monotone == "strictly increasing":
        assert facts.slope.lower >= 0
        assert (np.diff(portraits[name]["range"][:6001]) > 0).all()
    if facts.monotone == "strictly decreasing":
        assert facts.slope.upper < 0
    inner = getattr(ALL[name], "inner")  # noqa: B009
    assert facts.kinks == inner.facts.kinks
    assert facts.smoothness == inner.facts.smoothness


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda: al.bounded_slope(al.gcu, lower=0.1, upper=1.0), al.FactError, "slope in"),
        (lambda: al.bounded_slope(lambda x: x * x, lower=0.1, upper=1.0), al.FactError, "unknown slope"),
        (lambda: al.bounded_slope(al.identity, lower=0.1, upper=1.0), al.FactError, "line"),
        (lambda: al.bounded_slope(al.tanh, lower=1.0, upper=1.0), ValueError, "lower < upper"),
        (lambda: al.bounded_slope(al.tanh, lower=0.0, upper=float("inf")), ValueError, "finite"),
        (lambda: al.bounded_range(al.relu, lower=0.1, upper=1.0), al.FactError, "sigmoid, tanh"),
        (lambda: al.bounded_range(al.tanh, lower=3.0, upper=1.0), ValueError, "lower < upper"),
        (lambda: al.capped_positive(upper=-1.0), ValueError, "lower < upper"),
        (lambda: al.capped_positive(upper=1.0, lower=-1.0), ValueError, "lower >= 0"),
    ],
)
def test_refusals_say_what_is_wrong(build, error, says):
    with pytest.raises(error, match=says):
        build()


TRAINED = {
    "slope": al.bounded_slope(al.swish, lower=0.1, upper=2.0),
    "signed slope": al.bounded_slope(al.tanh, lower=-0.5, upper=2.0),
    "from zero": al.bounded_slope(al.softplus, lower=0.0, upper=1.0),
    "range": al.bounded_range(al.boltzmann, lower=-1.0, upper=2.0),
    "capped": al.capped_positive(upper=3.0, lower=0.1),
}


def test_one_lower_end_of_many_may_be_zero():
    head = al.capped_positive(upper=3.0, lower=np.array([0.0, 0.1]))
    np.testing.assert_allclose(head(jnp.full((2,), -100.0)), [0.0, 0.1])
    assert np.all(np.asarray(jax.tree.map(lambda v: v - 50.0, head.unconstrained()).constrained().lower) >= 0)


@pytest.mark.parametrize("name", TRAINED)
def test_unconstrained_leaves_come_back(name):
    act = TRAINED[name]
    back = act.unconstrained().constrained()
    for a, b in zip(jax.tree.leaves(act), jax.tree.leaves(back), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_facts_hold_for_every_value_of_the_leaves(name):
    leaves, structure = jax.tree.flatten(TRAINED[name].unconstrained())
    scale = np.array([0.3, 3.0, 30.0, 300.0])[np.arange(64) % 4]
    raw = np.random.default_rng(0).normal(size=(len(leaves), 64)) * scale
    raw[:-2] = np.clip(raw[:-2], -5, 5)  # the inner function's own parameters: not so far that it exceeds the dtype
    x = jnp.linspace(-8.0, 8.0, 257)

    @jax.jit
    @jax.vmap
    def outcome(leaves):
        act = jax.tree.unflatten(structure, leaves).constrained()
        assert TRAINED[name].facts.monotone in (act.facts.monotone, "strictly increasing", "nondecreasing")
        facts = act.facts
        gradient = jax.grad(lambda a: jnp.sum(jnp.square(a(x) / 1e9)))(act)
        return portrait(act, x), facts.range, facts.slope, gradient

    values, extent, slope, gradient = jax.device_get(outcome([jnp.asarray(r, jnp.float32) for r in raw]))
    slack = 1e-5 * np.maximum(1, np.abs(slope.upper))[:, None]
    assert (slope.lower <= slope.upper).all()
    assert (values["slope"] >= slope.lower[:, None] - slack).all()
    assert (values["slope"] <= slope.upper[:, None] + slack).all()
    extent = [np.broadcast_to(np.asarray(e)[..., None], (64, 1)) for e in (extent.lower, extent.upper)]
    assert (values["range"] >= extent[0]).all()
    assert (values["range"] <= extent[1]).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((values, gradient)))
    if name in ("slope", "capped"):
        assert (slope.lower >= 0).all()
        assert (values["slope"] >= 0).all()


def test_gradients_of_leaves_match_differences(float64):
    act = al.bounded_slope(al.boltzmann.bind(k=jnp.asarray(0.7)), lower=jnp.asarray(0.2), upper=jnp.asarray(1.7))
    x = jnp.linspace(-3, 3, 31)
    ones = jax.tree.map(jnp.ones_like, act)
    exact = jax.jvp(lambda a: a(x), (act,), (ones,))[1]
    up, down = (jax.tree.map(lambda v, s=s: v + s * 1e-6, act) for s in (1, -1))
    np.testing.assert_allclose(exact, (up(x) - down(x)) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.exhaustive
def test_sixteen_bits_stay_inside_and_monotone():
    bits = np.arange(2**16, dtype=np.uint16)
    for dtype in (jnp.bfloat16, jnp.float16):
        x = jax.lax.bitcast_convert_type(jnp.asarray(bits), dtype)
        x = jnp.sort(x[jnp.isfinite(x)])
        for name in ("capped", "floored", "tanh"):
            act = RANGED[name]
            y, slope, curvature = (np.asarray(v, np.float32) for v in (act(x), act.slope(x), act.curvature(x)))
            low, high = (float(jnp.asarray(v, dtype)) for v in (act.facts.range.lower, act.facts.range.upper))
            assert y.min() >= low
            assert y.max() <= high
            assert (np.diff(y) >= 0).all()
            assert (slope >= 0).all()
            assert np.isfinite(curvature).all()
        for name in ("softplus", "swish", "tanh"):
            slope = np.asarray(SLOPED[name].slope(x), np.float32)
            low, high = (float(jnp.asarray(v, dtype)) for v in (SLOPED[name].lower, SLOPED[name].upper))
            assert slope.min() >= low
            assert slope.max() <= high


def test_ends_per_feature_follow_the_last_axis():
    act = al.bounded_slope(al.tanh, lower=jnp.array([0.1, 0.5, 0.9]), upper=2.0)
    x = jnp.linspace(-2, 2, 12).reshape(4, 3)
    each = [al.bounded_slope(al.tanh, lower=v, upper=2.0)(x[:, i]) for i, v in enumerate((0.1, 0.5, 0.9))]
    np.testing.assert_allclose(act(x), jnp.stack(each, 1), rtol=1e-6)


def test_one_trace_for_many_ends():
    traces = []

    @jax.jit
    def run(act, x):
        traces.append(1)
        return act(x)

    for upper in (1.0, 2.0, 3.0):
        run(al.bounded_slope(al.softplus, lower=0.5, upper=jnp.asarray(upper)), jnp.ones(3))
    assert len(traces) == 1
