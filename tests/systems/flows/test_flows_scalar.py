"""Scalar bijectors: finite numbers inside the proved bounds for every finite float, and back within the bound."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_table import SCALARS, TRANSFORMS

import actlab.activations as al
from actlab.systems.flows import Copies, Inverted, PerFeature, RationalQuadratic, Squash, bijector
from actlab.systems.flows.elementwise import Elementwise, preimage, value_and_log_slope

FAR = np.geomspace(1e-44, 3e38, 200)
POINTS = np.concatenate([np.linspace(-30, 30, 4001), FAR, -FAR, [0.0]])


def members(dtype) -> dict[str, Elementwise]:
    """Scalar bijectors, and one member of every transform."""
    key = jax.random.key(3)
    chosen = {n: t.bind(2.0 * jax.random.normal(key, (t.outputs, 1), dtype)) for n, t in TRANSFORMS.items()}
    return SCALARS | {f"transform: {n}": Elementwise(a) for n, a in chosen.items()}


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
def test_round_trips_log_determinants_and_bounds(dtype):
    with jax.enable_x64(dtype is np.float64):
        x = jnp.asarray(POINTS, dtype)
        table = members(dtype)

        def of_one(b):
            y, log_det = b.forward_and_log_det(x)
            back, inverse_log_det = b.inverse_and_log_det(y)
            return y, log_det, back, inverse_log_det, b.round_trip_bound(x)

        found = jax.device_get(jax.jit(lambda t: {n: of_one(b) for n, b in t.items()})(table))
        a_priori = {n: b.a_priori_round_trip_bound(x) for n, b in SCALARS.items()}
    largest = np.finfo(dtype).max / 64
    for name, (y, log_det, back, inverse_log_det, bound) in found.items():
        assert all(np.isfinite(v).all() for v in (y, log_det, back, inverse_log_det)), name
        order = np.argsort(POINTS)
        assert (np.diff(y[order]) >= 0).all(), name
        lower, upper = (float(v) for v in (table[name].log_det_bounds.lower, table[name].log_det_bounds.upper))
        slack = 4 * np.finfo(dtype).eps * max(abs(lower), abs(upper), 1)
        assert log_det.min() >= lower - slack, name
        assert log_det.max() <= upper + slack, name
        inside = (np.abs(POINTS) < largest) & (np.abs(y) < largest)
        error = np.abs(back - np.asarray(x))[inside]
        assert (error <= bound[inside] + np.finfo(dtype).tiny).all(), (name, np.max(error / bound[inside]))
        if name in a_priori:
            assert (np.asarray(a_priori[name])[inside] >= 0.99 * bound[inside]).all(), name
        near = np.abs(POINTS) < 20
        # A float's neighbour can lie on the other side of a kink.
        kinks = 2 if "leaky" in name else 0
        wrong = np.abs(log_det + inverse_log_det)[near] > 2e3 * np.finfo(dtype).eps ** 0.9
        assert wrong.sum() <= kinks, name


@pytest.mark.slow
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


def test_derivatives_of_the_inverse_are_implicit(float64):
    """Against 1/f' and against central differences in a parameter."""
    y = jnp.linspace(-7.0, 7.0, 57)
    for name, b in members(np.float64).items():
        x, slope = jax.jvp(b.inverse, (y,), (jnp.ones_like(y),))
        expected = jnp.exp(-b.forward_log_det_jacobian(x))
        np.testing.assert_allclose(slope, expected, rtol=1e-10, err_msg=name)
    transform = TRANSFORMS["mixture"]
    raw = jax.random.normal(jax.random.key(0), (transform.outputs, 1))
    move = jax.random.normal(jax.random.key(1), raw.shape)

    def solved(t):
        return preimage(transform.bind(raw + t * move), y)

    derivative = jax.jvp(solved, (0.0,), (1.0,))[1]
    np.testing.assert_allclose(derivative, (solved(1e-5) - solved(-1e-5)) / 2e-5, rtol=1e-6, atol=1e-8)
    assert jnp.isfinite(jax.hessian(lambda t: solved(t).sum())(0.1))


def test_composes_with_distrax():
    ours = SCALARS["softplus in [0.8, 1.25]"]
    chain = distrax.Chain([distrax.ScalarAffine(0.5, 2.0), ours, distrax.Inverse(ours), distrax.Inverse(ours)])
    x = jnp.linspace(-3.0, 3.0, 12).reshape(3, 4)
    y, log_det = chain.forward_and_log_det(x)
    expected, slope = ours.inverse_and_log_det(x)
    np.testing.assert_allclose(y, 0.5 + 2 * expected, rtol=1e-5)
    np.testing.assert_allclose(log_det, slope + np.log(2), rtol=1e-5, atol=1e-6)
    block = distrax.Block(ours, 1)
    assert block.forward_log_det_jacobian(x).shape == (3,)
    density = distrax.Transformed(distrax.Normal(jnp.zeros(4), jnp.ones(4)), ours)
    with jax.numpy_rank_promotion("allow"):  # distrax relies on it
        sample, log_prob = density.sample_and_log_prob(seed=jax.random.key(0), sample_shape=(5,))
        np.testing.assert_allclose(density.log_prob(sample), log_prob, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(Inverted(ours).forward(y), ours.inverse(y))


def test_bijectors_are_pytrees():
    """Leaves are parameters: mapped, differentiated, passed through jit; a trained slope keeps its bounds."""

    def slope_at_zero(lower):
        b = bijector(al.bounded_slope(al.softplus, lower=lower, upper=2.0))
        return b.forward_log_det_jacobian(jnp.zeros(()))

    lowers = jnp.array([0.1, 0.5, 1.0])
    np.testing.assert_allclose(jax.vmap(slope_at_zero)(lowers), np.log((lowers + 2) / 2), rtol=1e-5)
    np.testing.assert_allclose(jax.grad(slope_at_zero)(0.5), 1 / 2.5, rtol=1e-5)
    b = SCALARS["swish in [0.1, 2]"]
    np.testing.assert_allclose(jax.jit(lambda b, x: b.forward(x))(b, jnp.ones(3)), b.forward(jnp.ones(3)), rtol=1e-6)
    gradient = jax.grad(lambda raw: TRANSFORMS["bounded slope"].bind(raw).evaluate(jnp.ones(1)).sum())(
        jnp.zeros((5, 1))
    )
    assert (np.asarray(gradient)[:2] != 0).all()  # both bounds of the slope are learned


def test_the_spline_is_that_of_distrax():
    key = jax.random.key(4)
    theirs = distrax.RationalQuadraticSpline(jax.random.normal(key, (16,)), -3.0, 3.0, "identity")
    ours = Elementwise(
        RationalQuadratic(*(v[:, None] for v in (theirs._x_pos, theirs._y_pos, theirs._knot_slopes)), 1e-4, 1e4)
    )
    x = jnp.linspace(-4.0, 4.0, 301)
    for found, expected in zip(ours.forward_and_log_det(x), theirs.forward_and_log_det(x), strict=True):
        np.testing.assert_allclose(found, expected, atol=3e-5)


def test_slopes_of_transforms_stay_in_their_bounds_for_every_raw_number(float64):
    """Also for raw numbers far out, by finite differences and by the derivative."""
    x = jnp.linspace(-6.0, 6.0, 301)
    for name, transform in TRANSFORMS.items():
        for size in (0.0, 1.0, 30.0, 1e6):
            raw = size * jax.random.normal(jax.random.key(5), (transform.outputs, 1, 20))
            y, log_slope = value_and_log_slope(transform.bind(raw), jnp.broadcast_to(x[:, None], (301, 20)))
            slope = jnp.exp(log_slope)
            assert slope.min() >= transform.lower * (1 - 1e-9), (name, size)
            assert slope.max() <= transform.upper * (1 + 1e-9), (name, size)
            rough = jnp.diff(y, axis=0) / (x[1] - x[0])
            scale = 1e-9 * (1 + jnp.abs(y).max(0, keepdims=True))  # differences of large numbers
            assert (rough >= transform.lower * (1 - 1e-6) - scale).all(), (name, size)
            assert (rough <= transform.upper * (1 + 1e-6) + scale).all(), (name, size)


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
    y, log_det = unit.forward_and_log_det(x)
    assert ((y > -1) & (y < 3)).all()
    assert jnp.isfinite(log_det).all()
    slope = jax.vmap(jax.grad(unit.forward))(x)
    bend = jax.vmap(jax.grad(unit.forward_log_det_jacobian))(x)
    assert jnp.isfinite(slope).all()
    assert jnp.isfinite(bend).all()
    back = jnp.asarray(unit.inverse(jnp.array([-1.0, 3.0, 1.0])))
    assert jnp.isfinite(back).all()
    near = jnp.linspace(-5.0, 5.0, 101)
    np.testing.assert_allclose(unit.inverse(unit.forward(near)), near, atol=1e-4)
    np.testing.assert_allclose(
        unit.forward_log_det_jacobian(near), np.log(jax.vmap(jax.grad(unit.forward))(near)), atol=1e-4
    )


def test_per_feature_activations_sum_their_log_slopes():
    each = PerFeature(al.bounded_slope(al.tanh, lower=jnp.array([[0.5], [0.2]]), upper=2.0), 2)
    x = jnp.array([[0.0, 0.0], [1e3, 1e3]])
    np.testing.assert_allclose(each.forward_log_det_jacobian(x), [np.log(4), np.log(0.1)], rtol=1e-5)
    bounds = each.log_det_bounds
    np.testing.assert_allclose([bounds.lower, bounds.upper], [np.log(0.1), np.log(4)], rtol=1e-5)
