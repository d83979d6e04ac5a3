"""Scalar bijectors: finite numbers inside the proved bounds for every finite float, and back within the bound."""

from dataclasses import dataclass, replace

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_table import SCALARS, TRANSFORMS

import actlab.activations as al
from actlab.systems.flows import Composite, Copies, Inverted, PerFeature, RationalQuadratic, Squash, bijector
from actlab.systems.flows.elementwise import Elementwise, Sloped, preimage, value_and_log_slope

FAR = np.geomspace(1e-44, 3e38, 200)
PATTERNS = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint32).view(np.float32)
POINTS = np.concatenate([np.linspace(-30, 30, 4001), FAR, -FAR, [0.0], PATTERNS[np.isfinite(PATTERNS)]])


def members(dtype) -> dict[str, Elementwise]:
    """Scalar bijectors, and one member of every transform."""
    key = jax.random.key(3)
    chosen = {n: t.bind(2.0 * jax.random.normal(key, (t.outputs, 1), dtype)) for n, t in TRANSFORMS.items()}
    return SCALARS | {f"transform: {n}": Elementwise(a) for n, a in chosen.items()}


FEW = ("leaky_relu", "bent_identity", "softplus in [0.8, 1.25]", "transform: mixture", "transform: spline")
"""An inverse in closed form, with a kink and without one, and by each of the three ways of solving."""


def some(dtype, which: str) -> dict[str, Elementwise]:
    return {n: b for n, b in members(dtype).items() if (n in FEW) == (which == "few")}


SOME = pytest.mark.parametrize("which", ["few", pytest.param("rest", marks=pytest.mark.exhaustive)])
"""Every inverse costs seconds of compilation."""


@SOME
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.exhaustive)])
def test_round_trips_log_determinants_and_bounds(dtype, which):
    with jax.enable_x64(dtype is np.float64):
        x = jnp.asarray(POINTS, dtype)
        table = some(dtype, which)

        def of_one(b):
            (y, log_det), pull = jax.vjp(b.forward_and_log_det, x)
            slope, bend = (pull((jnp.full_like(x, a), jnp.full_like(x, 1 - a)))[0] for a in (1, 0))
            back, inverse_log_det = b.inverse_and_log_det(y)
            return (y, log_det, back, inverse_log_det, slope, bend), b.round_trip_bound(x)

        found = jax.device_get(jax.jit(lambda t: {n: of_one(b) for n, b in t.items()})(table))
        a_priori = {n: b.a_priori_round_trip_bound(x) for n, b in table.items() if n in SCALARS}
    largest = np.finfo(dtype).max / 64
    for name, (values, bound) in found.items():
        assert all(np.isfinite(v).all() for v in values), name
        y, log_det, back, inverse_log_det = values[:4]
        order = np.argsort(POINTS)
        rounding = 0 if name in SCALARS else 8 * np.finfo(dtype).eps * np.abs(y[order][1:])  # sums are not monotone
        assert (np.diff(y[order]) >= -rounding).all(), name
        lower, upper = (float(v) for v in (table[name].log_det_bounds.lower, table[name].log_det_bounds.upper))
        slack = 4 * np.finfo(dtype).eps * max(abs(lower), abs(upper), 1)
        assert log_det.min() >= lower - slack, name
        assert log_det.max() <= upper + slack, name
        inside = (np.abs(POINTS) < largest) & (np.abs(y) < largest)
        error = np.abs(back - np.asarray(x))[inside]
        assert (error <= bound[inside]).all(), (name, np.max(error / bound[inside]))
        if name in a_priori:
            assert (np.asarray(a_priori[name])[inside] >= 0.99 * bound[inside]).all(), name
        # Images that underflow come back as 0, and a float's neighbour can lie on the other side of a kink.
        near = (np.abs(POINTS) < 20) & (np.abs(POINTS) > 1e3 * np.finfo(np.float32).tiny)
        kinks = 2 if "leaky" in name else 0
        allowed = 2e3 * np.finfo(dtype).eps ** 0.9
        if "sine" in name:  # whose slope turns quickly where it is small: log f' moves by f''/f' times the error in x
            allowed = allowed + (3.0 - 0.05) / 2 / 0.05 * bound[near]
        wrong = np.abs(log_det + inverse_log_det)[near] > allowed
        assert wrong.sum() <= kinks, name


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", list(members(np.float32)))
def test_no_float_gives_nan_or_infinity(name):
    """1e7 random bit patterns forward and 1e6 back, values and gradients; log-determinants inside their bounds."""
    chosen = members(np.float32)[name]
    lower, upper = (float(v) + s for v, s in zip(_ends(chosen), (-1e-6, 1e-6), strict=True))

    @jax.jit
    def forward_faults(key):
        x = jax.lax.bitcast_convert_type(jax.random.bits(key, (1_000_000,), jnp.uint32), jnp.float32)
        x = jnp.where(jnp.isfinite(x), x, 0)
        value, pull = jax.vjp(lambda v: chosen.forward_and_log_det(v), x)
        ones = jnp.ones_like(x)
        slope, bend = pull((ones, 0 * ones))[0], pull((0 * ones, ones))[0]
        finite = [jnp.isfinite(v).all() for v in (*value, slope, bend)]
        return ~jnp.stack([*finite, ((value[1] >= lower) & (value[1] <= upper)).all()])

    @jax.jit
    def inverse_faults(key):
        y = jax.lax.bitcast_convert_type(jax.random.bits(key, (1_000_000,), jnp.uint32), jnp.float32)
        y = jnp.where(jnp.isfinite(y), y, 0)
        value, slope = jax.jvp(chosen.inverse_and_log_det, (y,), (jnp.ones_like(y),))
        return ~jnp.stack([jnp.isfinite(v).all() for v in (*value, *slope)])

    keys = jax.random.split(jax.random.key(0), 10)
    faults = np.asarray(jax.lax.map(forward_faults, keys))
    assert not faults.any(), faults.any(0)
    assert not np.asarray(inverse_faults(keys[0])).any()


def _ends(chosen):
    return chosen.log_det_bounds.lower, chosen.log_det_bounds.upper


@SOME
def test_derivatives_of_the_inverse_are_implicit(which, float64):
    y = jnp.linspace(-7.0, 7.0, 57)

    def of_one(b):
        x, slope = jax.jvp(b.inverse, (y,), (jnp.ones_like(y),))
        return slope, jnp.exp(-b.forward_log_det_jacobian(x))

    few = ("leaky_relu", "transform: spline")  # a closed form, a quadratic equation
    table = {n: b for n, b in members(np.float64).items() if (n in few) == (which == "few")}
    found = jax.jit(lambda t: {n: of_one(b) for n, b in t.items()})(table)
    for name, (slope, expected) in found.items():
        np.testing.assert_allclose(slope, expected, rtol=1e-10, err_msg=name)


def test_inverses_and_their_derivatives_are_finite_at_the_largest_floats(quick_compilation):
    """Where copies of an unbounded activation overflow, and (y - b) / a does."""
    y = jnp.asarray(np.concatenate([FAR, -FAR]), jnp.float32)
    table = {n: members(np.float32)[f"transform: {n}"] for n in ("affine", "copies")}
    ones = jnp.ones_like(y)
    found = jax.jit(lambda t: {n: jax.jvp(b.inverse_and_log_det, (y,), (ones,)) for n, b in t.items()})(table)
    for name, values in found.items():
        assert all(jnp.isfinite(v).all() for v in jax.tree.leaves(values)), name


def test_derivatives_of_the_inverse_in_a_parameter(float64):
    """Against central differences; and of second order."""
    y, transform = jnp.linspace(-7.0, 7.0, 15), TRANSFORMS["mixture"]
    raw = jax.random.normal(jax.random.key(0), (transform.outputs, 1))
    move = jax.random.normal(jax.random.key(1), raw.shape)

    def solved(t):
        return preimage(transform.bind(raw + t * move), y)

    def slope(t):
        return jax.jvp(solved, (t,), (1.0,))[1]

    run = jax.jit(lambda t: (solved(t), slope(t), jax.jvp(slope, (t,), (1.0,))[1]))
    (_, derivative, second), (above, steeper, _), (below, flatter, _) = (run(t) for t in (0.0, 1e-5, -1e-5))
    np.testing.assert_allclose(derivative, (above - below) / 2e-5, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(second, (steeper - flatter) / 2e-5, rtol=1e-6, atol=1e-8)


def test_composes_with_distrax():
    ours = SCALARS["softplus in [0.8, 1.25]"]
    chain = distrax.Chain([distrax.ScalarAffine(0.5, 2.0), distrax.Inverse(ours)])
    x = jnp.linspace(-3.0, 3.0, 12).reshape(3, 4)
    density = distrax.Transformed(distrax.Normal(jnp.zeros(4), jnp.ones(4)), ours)

    def sampled(key):
        return density.sample_and_log_prob(seed=key, sample_shape=(5,))

    (y, log_det), (expected, slope) = jax.jit(lambda: (chain.forward_and_log_det(x), ours.inverse_and_log_det(x)))()
    np.testing.assert_allclose(y, 0.5 + 2 * expected, rtol=1e-5)
    np.testing.assert_allclose(log_det, slope + np.log(2), rtol=1e-5, atol=1e-6)
    assert distrax.Block(ours, 1).forward_log_det_jacobian(x).shape == (3,)
    with jax.numpy_rank_promotion("allow"):  # distrax relies on it
        sample, log_prob = jax.jit(sampled)(jax.random.key(0))
        np.testing.assert_allclose(jax.jit(density.log_prob)(sample), log_prob, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(jax.jit(Inverted(ours).forward)(x), expected)


def test_bijectors_are_pytrees():
    """Leaves are parameters: mapped, differentiated, passed through jit; a trained slope keeps its bounds."""

    def slope_at_zero(lower):
        b = bijector(al.bounded_slope(al.softplus, lower=lower, upper=2.0))
        return b.forward_log_det_jacobian(jnp.zeros(()))

    lowers = jnp.array([0.1, 0.5, 1.0])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(slope_at_zero)))(lowers)
    np.testing.assert_allclose(values, np.log((lowers + 2) / 2), rtol=1e-5)
    np.testing.assert_allclose(slopes, 1 / (lowers + 2), rtol=1e-5)
    b = SCALARS["leaky_relu"]
    np.testing.assert_allclose(jax.jit(lambda b, x: b.forward(x))(b, jnp.ones(3)), b.forward(jnp.ones(3)), rtol=1e-6)
    value = jax.jit(jax.grad(lambda raw: TRANSFORMS["bounded slope"].bind(raw).evaluate(jnp.ones(1)).sum()))
    gradient = value(jnp.zeros((5, 1)))
    assert (np.asarray(gradient)[:2] != 0).all()  # both bounds of the slope are learned


def test_the_spline_is_that_of_distrax():
    key = jax.random.key(4)
    theirs = distrax.RationalQuadraticSpline(jax.random.normal(key, (16,)), -3.0, 3.0, "identity")
    ours = Elementwise(
        RationalQuadratic(*(v[:, None] for v in (theirs._x_pos, theirs._y_pos, theirs._knot_slopes)), 1e-4, 1e4)
    )
    x = jnp.linspace(-4.0, 4.0, 301)
    with jax.numpy_rank_promotion("allow"):  # distrax relies on it
        expected = jax.jit(theirs.forward_and_log_det)(x)
    for found, value in zip(jax.jit(ours.forward_and_log_det)(x), expected, strict=True):
        np.testing.assert_allclose(found, value, atol=3e-5)


def test_slopes_of_transforms_stay_in_their_bounds_for_every_raw_number(float64, quick_compilation):
    """Also for raw numbers far out, by finite differences and by the derivative."""
    x = jnp.broadcast_to(jnp.linspace(-6.0, 6.0, 301)[:, None], (301, 20))

    def of_one(transform):
        raw = jax.random.normal(jax.random.key(5), (transform.outputs, 1, 20))
        return jax.vmap(lambda size: value_and_log_slope(transform.bind(size * raw), x))(sizes)

    sizes = jnp.array([0.0, 1.0, 30.0, 1e6])
    found = jax.device_get(jax.jit(lambda: {n: of_one(t) for n, t in TRANSFORMS.items()})())
    for name, (y, log_slope) in found.items():
        transform, slope = TRANSFORMS[name], np.exp(log_slope)
        assert slope.min() >= transform.lower * (1 - 1e-9), name
        assert slope.max() <= transform.upper * (1 + 1e-9), name
        rough = np.diff(y, axis=1) / 0.04
        scale = 1e-9 * (1 + np.abs(y).max(1, keepdims=True))  # differences of large numbers
        assert (rough >= transform.lower * (1 - 1e-6) - scale).all(), name
        assert (rough <= transform.upper * (1 + 1e-6) + scale).all(), name


def test_refuses_what_is_not_invertible():
    with pytest.raises(al.FactError, match=r"a flow must be invertible: needs slope > 0, but relu .*bounded_slope"):
        bijector(al.relu)
    with pytest.raises(al.FactError, match="invertible"):
        Copies(al.tanh)
    with pytest.raises(al.FactError, match="unknown slope"):
        bijector(al.as_activation(lambda x: x + 0.1 * jnp.sin(x)))


def test_squash_saturates_inside_its_interval_with_finite_gradients():
    unit = Squash(-1.0, 3.0)
    x = jnp.asarray(POINTS, jnp.float32)

    @jax.jit
    def run(x):
        (y, log_det), pull = jax.vjp(unit.forward_and_log_det, x)
        slope, bend = (pull((jnp.full_like(x, a), jnp.full_like(x, 1 - a)))[0] for a in (1, 0))
        return y, log_det, slope, bend, unit.inverse(y)

    found = run(x)
    assert ((found[0] > -1) & (found[0] < 3)).all()
    assert all(jnp.isfinite(v).all() for v in found)
    back = jnp.asarray(unit.inverse(jnp.array([-1.0, 3.0, 1.0])))
    assert jnp.isfinite(back).all()
    near = jnp.linspace(-5.0, 5.0, 101)
    _, log_det, slope, _, again = run(near)
    np.testing.assert_allclose(again, near, atol=1e-4)
    np.testing.assert_allclose(log_det, np.log(slope), atol=1e-4)


def test_per_feature_activations_sum_their_log_slopes():
    each = PerFeature(al.bounded_slope(al.tanh, lower=jnp.array([[0.5], [0.2]]), upper=2.0), 2)
    x = jnp.array([[0.0, 0.0], [1e3, 1e3]])
    found = jax.jit(each.forward_log_det_jacobian)(x)
    np.testing.assert_allclose(found, [np.log(4), np.log(0.1)], rtol=1e-5)
    bounds = each.log_det_bounds
    np.testing.assert_allclose([bounds.lower, bounds.upper], [np.log(0.1), np.log(4)], rtol=1e-5)


@dataclass(frozen=True, eq=False, repr=False)
class Line(Sloped):
    """`scale x` with whatever is said of it."""

    scale: float
    said: dict
    name = family = "line"

    def evaluate(self, x):
        return self.scale * x

    @property
    def facts(self) -> al.Facts:
        slope = al.Interval(self.scale, self.scale)
        return replace(
            al.Facts(al.REALS, slope, al.Interval(0.0, 0.0), (), al.SMOOTH, "strictly increasing"), **self.said
        )


def test_a_composite_knows_what_its_members_know():
    first, bent = Line(2.0, {"inverse": lambda y: y / 2}), Line(3.0, {"kinks": (1.0,), "smoothness": 0})
    facts = Composite((first, bent), 6.0, 7.0).facts
    assert (facts.kinks, facts.smoothness, facts.gradient) == ((0.5,), 0, "exact")
    assert (facts.slope, facts.range, facts.monotone) == (al.Interval(6.0, 7.0), al.REALS, "strictly increasing")
    proved, declared, taught = (Line(1.0, said) for said in ({"standing": "proved"}, {}, {"gradient": "surrogate"}))
    unknown = Line(1.0, {"standing": "unknown", "kinks": None, "smoothness": None})
    found = [Composite(m, 1.0, 1.0).facts for m in ((proved, proved), (declared, proved), (proved, unknown, declared))]
    assert [f.standing for f in found] == ["proved", "declared", "unknown"]
    assert [f.kinks for f in found] == [(), (), None]
    assert [f.smoothness for f in found] == [al.SMOOTH, al.SMOOTH, None]
    assert Composite((proved, taught, declared), 1.0, 1.0).facts.gradient == "surrogate"
