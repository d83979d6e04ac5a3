"""Whole networks: nothing sampled, nor found by ascent, escapes; vmap = loop; gradients finite; refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.activations import FactError, Interval
from actlab.bounds import (
    UnsupportedLayerError,
    curvature_radius,
    hessian_bound,
    interval_bounds,
    jacobian_bounds,
    linear_bounds,
    lipschitz_bound,
    lipschitz_radius,
    local_lipschitz_bound,
    margins,
    network,
    optimized_linear_bounds,
)
from actlab.nets import MLP, ConvNet

SHAPE = (6, 6, 2)
ACTIVATIONS = ["relu", "tanh", "gelu", "softplus", "hard_tanh", "sin", "leaky_relu", "heaviside", "mish"]


class Everything(nnx.Module):
    """Convolution, fixed batch statistics, residual addition, both pools, dropout, a vector activation."""

    def __init__(self, activation, rngs):
        self.first = nnx.Conv(2, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, use_running_average=True, rngs=rngs)
        self.second = nnx.Conv(4, 4, (3, 3), rngs=rngs)
        self.last = nnx.Linear(4, 6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, deterministic=True)
        self.f = nnx.data(activation)
        self.norm.mean[...] = jnp.linspace(-0.2, 0.3, 4)
        self.norm.var[...] = jnp.linspace(0.5, 2.0, 4)

    def __call__(self, x):
        x = self.f(self.norm(self.first(x)))
        x = x + self.f(self.second(x))
        x = nnx.avg_pool(nnx.max_pool(x, (2, 2), (2, 2)), (2, 2), (1, 1))
        x = self.dropout(jnp.mean(x, axis=(1, 2)))
        return al.maxmin(self.last(x.reshape(x.shape[0], -1)))


def box(shape, seed=0, radius=0.2):
    x = jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, shape), jnp.float32)
    return Interval(x - radius, x + radius)


def inner_hull(model, b, count=512, steps=20):
    """The values at random points, and at the ends of signed gradient ascent of every output, up and down."""
    points = jax.random.uniform(jax.random.key(0), (count, *b.lower.shape))
    points = b.lower[None] + points * (b.upper - b.lower)[None]

    @jax.jit
    def climbed(points):
        outputs = jax.eval_shape(model, points).shape[1]
        signs = jnp.tile(jnp.concatenate([jnp.eye(outputs), -jnp.eye(outputs)]), (count // (2 * outputs), 1))
        move = 0.1 * (b.upper - b.lower)[None]
        uphill = jax.grad(lambda x: jnp.sum(signs * model(x)))

        def step(_, x):
            return jnp.clip(x + move * jnp.sign(uphill(x)), b.lower[None], b.upper[None])

        return model(jax.lax.fori_loop(0, steps, step, points[: len(signs)]))

    return jnp.concatenate([model(points), climbed(points)])


def contains(found, values):
    return bool(jnp.all((found.lower[None] <= values) & (values <= found.upper[None])))


LONG = ("relu", "sin", "heaviside", "mish", "gelu")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.exhaustive) if n in LONG else n for n in ACTIVATIONS]
)
def test_nothing_escapes(name):
    f = al.get(name)
    cases = [(MLP([5, 12, 12, 3], f, rngs=nnx.Rngs(1)), (5,))]
    if name in ("relu", "gelu", "sin", "heaviside"):
        cases.append((Everything(f, nnx.Rngs(2)), SHAPE))
    for model, shape in cases:
        b, net = box(shape), network(model, shape)
        values = inner_hull(model, b) if name != "heaviside" else model(
            b.lower[None] + jax.random.uniform(jax.random.key(0), (2000, *shape)) * (b.upper - b.lower)[None]
        )  # fmt: skip
        loose, one, tight = jax.jit(
            lambda b, net=net: (
                interval_bounds(net, b),
                linear_bounds(net, b, intermediate="interval"),
                linear_bounds(net, b),
            )
        )(b)
        assert contains(loose, values)
        assert contains(one, values)
        assert contains(tight, values)
        assert jnp.all(tight.width <= loose.width)


@pytest.mark.exhaustive
def test_vmap_is_the_loop_and_jit_is_eager():
    model = ConvNet([2, 4], 3, al.gelu, rngs=nnx.Rngs(0))
    net = network(model, SHAPE)
    many = jax.tree.map(lambda *v: jnp.stack(v), *[box(SHAPE, s) for s in range(3)])
    for bounds in (interval_bounds, linear_bounds):
        one = jax.jit(lambda b, bounds=bounds: bounds(net, b))
        together, alone = jax.jit(jax.vmap(one))(many), [one(box(SHAPE, s)) for s in range(3)]
        for ends in ("lower", "upper"):
            each = np.stack([getattr(a, ends) for a in alone])
            np.testing.assert_allclose(getattr(together, ends), each, rtol=1e-5, atol=2e-6)
    small = network(MLP([3, 4, 2], al.relu, rngs=nnx.Rngs(0)), (3,))
    eager, compiled = linear_bounds(small, box((3,))), jax.jit(lambda b: linear_bounds(small, b))(box((3,)))
    np.testing.assert_allclose(eager.lower, compiled.lower, rtol=1e-5, atol=2e-6)


@pytest.mark.exhaustive
def test_gradients_are_finite():
    images = ConvNet([2, 4], 3, al.gelu, rngs=nnx.Rngs(0))
    graphdef, params = nnx.split((images, MLP([3, 4, 2], al.gelu, rngs=nnx.Rngs(0))))

    def loss(params, outward):
        images, vectors = nnx.merge(graphdef, params)
        net, small = network(images, SHAPE), network(vectors, (3,))
        width = jnp.sum(interval_bounds(net, box(SHAPE), outward=outward).width) + lipschitz_bound(small)
        return width + jnp.sum(linear_bounds(small, box((3,)), outward=outward).width)

    for gradient in (jax.jit(jax.grad(loss), static_argnums=1)(params, outward) for outward in (True, False)):
        assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))
        assert any(bool(jnp.any(g != 0)) for g in jax.tree.leaves(gradient))


@pytest.mark.exhaustive
def test_optimized_slopes_are_sound_and_no_wider():
    model = MLP([5, 10, 10, 3], al.tanh, rngs=nnx.Rngs(3))
    net, b = network(model, (5,)), box((5,))
    rows = margins(0, 3)
    found, start = (
        jax.jit(lambda b, g=g: g(net, b, specification=rows))(b)
        for g in (
            lambda n, b, specification: optimized_linear_bounds(n, b, specification=specification, steps=20),
            linear_bounds,
        )
    )
    assert contains(found, inner_hull(model, b) @ rows.T)
    assert jnp.all(found.width <= start.width + 1e-6)


@pytest.mark.parametrize("name", [pytest.param("relu", marks=pytest.mark.exhaustive), "tanh", "swish"])
def test_jacobians_and_constants_on_a_box(name):
    model = MLP([4, 10, 10, 3], al.get(name), rngs=nnx.Rngs(4))
    net, b = network(model, (4,)), box((4,))
    points = b.lower[None] + jax.random.uniform(jax.random.key(1), (400, 4)) * (b.upper - b.lower)[None]
    jacobians = jax.vmap(jax.jacobian(lambda x: model(x[None])[0]))(points)
    entries = jacobian_bounds(net, b)
    assert contains(Interval(entries.lower.T, entries.upper.T), jacobians)
    local = local_lipschitz_bound(net, b)
    assert jnp.linalg.norm(jacobians, 2, axis=(1, 2)).max() <= local <= lipschitz_bound(net) * 1.5
    assert (
        jnp.abs(jacobians).sum(2).max() <= local_lipschitz_bound(net, b, "linf") <= lipschitz_bound(net, "linf") * 1.001
    )


def test_radii_hold_against_all_classes():
    model = MLP([4, 10, 10, 3], al.softplus, rngs=nnx.Rngs(5))
    net, x = network(model, (4,)), box((4,), 3).lower
    order = jnp.argsort(model(x[None])[0])

    @jax.jit
    def radii(label):
        rows = margins(label, 3)
        return lipschitz_radius(net, x, rows), curvature_radius(net, x, rows)

    @jax.jit
    def curvatures(rows):
        hessian = jax.vmap(jax.hessian(lambda x: rows @ model(x[None])[0]))
        return hessian(jax.random.normal(jax.random.key(0), (300, 4))), hessian_bound(net, rows)

    @jax.jit
    def worst(radius, rows):
        directions = jax.random.normal(jax.random.key(1), (2000, 4))
        ball = x[None] + radius * directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
        return jnp.min(model(ball) @ rows.T)

    rows = margins(order[-1], 3)
    hessians, bound = curvatures(rows)
    assert np.all(np.linalg.norm(hessians, 2, axis=(2, 3)).max(0) <= bound)
    for radius in radii(order[-1]):
        assert radius > 0
        assert worst(radius, rows) > 0
    assert radii(order[0]) == (0, 0)


def test_a_network_without_slope_or_margin_has_radius_zero():
    net = network(lambda x: al.tanh(x) @ jnp.zeros((2, 3)), (2,))
    assert lipschitz_radius(net, jnp.ones(2), margins(0, 3)) == 0
    assert curvature_radius(net, jnp.ones(2), margins(0, 3)) == 0


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
@pytest.mark.parametrize("name", ["prelu", "softplus", "swish"])
def test_a_parameter_of_each_channel_is_its_channels_own(name, array):
    values = {"prelu": "alpha", "softplus": "beta", "swish": "beta"}
    both = al.get(name)(**{values[name]: array(np.array([0.2, 1.5], np.float32))})
    x = Interval(jnp.asarray([-1.0, -2.0]), jnp.asarray([1.5, 0.5]))
    joint = network(both, (2,))
    for bounds in (interval_bounds, linear_bounds):
        found = bounds(joint, x)
        for k, value in enumerate((0.2, 1.5)):
            alone = network(al.get(name)(**{values[name]: value}), (1,))
            own = bounds(alone, Interval(x.lower[k : k + 1], x.upper[k : k + 1]))
            np.testing.assert_allclose([found.lower[k], found.upper[k]], [own.lower[0], own.upper[0]], atol=1e-5)
    slopes = jacobian_bounds(joint, x)
    assert np.all(np.asarray(slopes.lower) <= np.diag(both.slope(x.lower)))
    assert np.all(np.asarray(slopes.upper) >= np.diag(both.slope(x.upper)))
    assert lipschitz_bound(joint, "linf") < 1.7
    if name != "prelu":
        assert np.all(np.isfinite(hessian_bound(joint, jnp.ones((1, 2)))))


class Normalized(nnx.Module):
    def __init__(self, rngs):
        self.norm = nnx.LayerNorm(4, rngs=rngs)

    def __call__(self, x):
        return self.norm(x)


def test_refusals_name_the_operation_and_a_remedy():
    with pytest.raises(UnsupportedLayerError, match="LayerNorm"):
        network(Normalized(nnx.Rngs(0)), (4,))
    with pytest.raises(UnsupportedLayerError, match=r"al\.gelu"):
        network(lambda x: jax.nn.gelu(x), (4,))
    with pytest.raises(UnsupportedLayerError, match="product of two values"):
        network(lambda x: x @ x.T, (4,))
    with pytest.raises(FactError, match="certify"):
        network(lambda x: al.activation(lambda z: z * jnp.exp(-z * z))(x), (4,))
    with pytest.raises(FactError, match="softplus"):
        hessian_bound(network(MLP([4, 5, 3], al.relu, rngs=nnx.Rngs(0)), (4,)), margins(0, 3))
    net = network(MLP([4, 5, 3], al.relu, rngs=nnx.Rngs(0)), (4,))
    with pytest.raises(ValueError, match="vmap"):
        interval_bounds(net, box((2, 4)))
    with pytest.raises(TypeError, match="bfloat16"):
        network(lambda x: x, (4,), jnp.bfloat16)
