"""Chains and the boxes pushed through them: sampled, and beside sound bounds; convolutions as products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.activations import FactError, Interval
from actlab.bounds import interval_bounds, network
from actlab.nets import Architecture, BoxError, Chain, boxes, logits_by_products
from actlab.nets.boxes import convolved, elementwise_image
from actlab.nets.chain import mean_absolute_slope

MIRRORED = al.affine(al.tanh, scale=-1.0)
IMAGE = Architecture((6, 6, 2), ((4, 3, 2), (4, 2, 1)), (8,), 3)


def final(net: Chain, middle, radius):
    *_, last = boxes(net, middle, radius)
    return last


@pytest.mark.parametrize(
    "f",
    ["relu", "tanh", "gelu", "sin", al.maxmin, al.crelu, pytest.param(MIRRORED, marks=pytest.mark.exhaustive)],
    ids=str,
)
def test_boxes_hold_all_features_and_agree_with_sound_bounds(f) -> None:
    net = Chain(IMAGE, f, rngs=nnx.Rngs(0))
    x = jax.random.uniform(jax.random.key(1), (3, 6, 6, 2))
    graphdef, weights, rest = nnx.split(net, nnx.Param, ...)
    noise = jax.random.uniform(jax.random.key(2), (100, 1, 6, 6, 2), minval=-0.05, maxval=0.05)

    @jax.jit
    def both(weights: nnx.State) -> tuple:
        net = nnx.merge(graphdef, weights, rest)
        graph = network(net.features, (6, 6, 2))
        sound = jax.vmap(lambda a, b: interval_bounds(graph, Interval(a, b)))(x - 0.05, x + 0.05)
        seen = net.features((jnp.concatenate([noise, 0.05 * jnp.sign(noise)]) + x[None]).reshape(-1, 6, 6, 2))
        return final(net, x, jnp.full_like(x, 0.05)), seen.reshape(200, 3, -1), sound

    (middle, half), seen, sound = both(weights)
    assert jnp.all(jnp.abs(seen - middle[None]) <= half[None] + 1e-5)
    # Of gelu, sin and the composition (its scale is traced here, so its order unknown) ours is looser; of maxmin, which
    # is written with relu there, tighter.
    if f in ("relu", "tanh", al.crelu):
        np.testing.assert_allclose(sound.lower, middle - half, atol=3e-4)
        np.testing.assert_allclose(sound.upper, middle + half, atol=3e-4)


@pytest.mark.parametrize("name", ["gelu", "swish", "sin", "gaussian", "tanh", "mish", "softplus"])
def test_images_of_intervals_hold_a_dense_grid(name: str) -> None:
    f = al.resolve(name)
    lower = jnp.linspace(-6.0, 5.0, 111)[:, None]
    width = jnp.array([0.0, 1e-3, 0.1, 0.7, 2.0, 9.0])[None, :]
    low, high = jax.jit(elementwise_image)(f, lower, lower + width)
    grid = f(lower[..., None] + width[..., None] * jnp.linspace(0.0, 1.0, 101)[None, None, :])
    assert jnp.all(low <= grid.min(axis=-1) + 1e-6)
    assert jnp.all(high >= grid.max(axis=-1) - 1e-6)
    assert jnp.all((high - low)[:, :3] <= (grid.max(axis=-1) - grid.min(axis=-1))[:, :3] + 0.02)


@pytest.mark.parametrize(("side", "stride"), [(1, 1), (3, 1), (4, 2), (5, 2), (3, 3), (2, 3)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_convolutions_by_products_are_convolutions(side, stride, padding) -> None:
    x = jax.random.normal(jax.random.key(0), (2, 9, 7, 3))
    kernel = jax.random.normal(jax.random.key(1), (side, side, 3, 5))
    ours = convolved(x, kernel, stride, padding)
    theirs = jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("architecture", [IMAGE, Architecture((6, 6, 2), ((8, 2, 2),), (8,), 3, "cayley")])
def test_a_chain_is_the_same_net_by_products_and_plain(architecture) -> None:
    net = Chain(architecture, al.maxmin, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (4, 6, 6, 2))
    np.testing.assert_allclose(net(x), logits_by_products(net, x), atol=1e-5)
    np.testing.assert_allclose(net(x), net.plain()(x), atol=1e-5)
    np.testing.assert_allclose(net.plain()(x), logits_by_products(net.plain(), x), atol=1e-5)
    kernel, bias = net.last_weights
    np.testing.assert_allclose(net(x), net.features(x) @ kernel + bias[None], atol=1e-5)


@pytest.mark.parametrize("f", ["relu", "softplus"])
def test_the_interval_start_keeps_the_widths_of_boxes(f) -> None:
    net = Chain(Architecture((300,), hidden=(300, 300, 300)), f, rngs=nnx.Rngs(0), start="interval")
    x = jax.random.normal(jax.random.key(1), (8, 300))
    widths = [jnp.mean(half) for _, half in boxes(net, x, jnp.full_like(x, 1e-3))][:-1]
    assert all(0.4e-3 < w < 2.5e-3 for w in widths), widths


def test_mean_absolute_slopes() -> None:
    assert mean_absolute_slope(al.relu) == pytest.approx(0.5, abs=1e-3)
    assert mean_absolute_slope(al.identity) == pytest.approx(1.0, abs=1e-6)
    assert mean_absolute_slope(al.maxmin) == 1.0


def test_what_cannot_be_pushed_or_built_is_named() -> None:
    x = jnp.zeros((1, 4))
    with pytest.raises(BoxError, match=r"householder.*maxmin, groupsort and crelu"):
        final(Chain(Architecture((4,), hidden=(4,)), al.householder(jnp.ones(2)), rngs=nnx.Rngs(0)), x, x)
    unknown = al.activation(lambda z: z * jnp.exp(-z * z))
    with pytest.raises(FactError, match="not monotone"):
        elementwise_image(unknown, x, x)
    with pytest.raises(FactError, match="not monotone"):  # x cos x: slope and curvature are known, and unbounded
        elementwise_image(al.gcu, x, x)
    with pytest.raises(ValueError, match="stride is their side"):
        Architecture((6, 6, 2), ((4, 3, 2),), linear="cayley")
    with pytest.raises(ValueError, match="all must be positive"):
        Architecture((6, 6, 2), hidden=(0,))
