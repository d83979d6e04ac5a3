"""Certificates: exact on linear nets, never refuted by attacks on trained ones; planted false ones are refuted."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.activations import FactError
from actlab.nets import Architecture, Chain
from actlab.systems.robustness import (
    Attack,
    Recipe,
    activation_of,
    attacked_accuracy,
    box_margins,
    certified,
    certified_activation,
    problem,
    spared,
    train_net,
    trained_net,
)
from actlab.systems.robustness.arm import digit_images
from actlab.systems.robustness.attack import Norm

IMAGES = digit_images(0)
UNIT = np.float32(1 / 255)
X, Y = IMAGES.x_train.astype(np.float32) * UNIT, IMAGES.y_train
X_TEST, Y_TEST = IMAGES.x_test.astype(np.float32) * UNIT, IMAGES.y_test
RECIPE = Recipe("interval", 0.06, steps=250, learning_rate=5e-3)
DENSE = Architecture((8, 8, 1), hidden=(32, 32))


@functools.cache
def net(name: str, method: str) -> Chain:
    recipe = replace(RECIPE, method=method, radius=0.6 if method == "lipschitz" else RECIPE.radius)
    architecture = replace(DENSE, linear="cayley") if method == "lipschitz" else DENSE
    train = jax.jit(lambda key: train_net(key, architecture, activation_of(name), recipe, X, Y))
    return trained_net(train(jax.random.key(0)))


def test_radii_of_a_linear_net_are_the_exact_ones() -> None:
    linear = Chain(Architecture((8, 8, 1)), "relu", rngs=nnx.Rngs(0))
    linear.last.kernel[...] = linear.last.kernel[...] / 4
    x = 0.25 + 0.5 * X_TEST[:60]
    y = np.asarray(jnp.argmax(linear(jnp.asarray(x)), axis=1), np.int32)
    kernel, logits = np.asarray(linear.last.kernel[...], float), np.asarray(linear(jnp.asarray(x)), float)
    norms: tuple[tuple[Norm, int], ...] = (("l2", 2), ("linf", 1))
    for norm, dual in norms:
        exact = np.array(
            [
                min((z[k] - z[j]) / np.linalg.norm(kernel[:, k] - kernel[:, j], dual) for j in range(10) if j != k)
                for z, k in zip(logits, y, strict=True)
            ]
        )
        radii = (0.0, 0.05, 0.1, 0.2)
        found = certified(linear, x, y, norm, radii)
        assert np.all(found.radius <= exact * (1 + 1e-6) + 1e-6)
        tolerance = 1e-4 if norm == "l2" else 0.2 / 2**6 + 1e-4  # of the bisection
        inside = exact < 0.2
        assert np.all(found.radius[inside] >= exact[inside] - tolerance - 1e-3 * exact[inside])
        sure = np.abs(exact[:, None] - np.array(radii)) > 1e-4
        np.testing.assert_array_equal(found.holds[sure], (exact[:, None] > np.array(radii))[sure])


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("relu", "interval"),
        pytest.param("gelu", "interval", marks=pytest.mark.exhaustive),
        pytest.param("tanh", "crown", marks=pytest.mark.exhaustive),
        ("maxmin", "lipschitz"),
        pytest.param("softplus", "lipschitz", marks=pytest.mark.exhaustive),
    ],
)
def test_no_attack_refutes_a_certificate(name: str, method: str) -> None:
    norm, radii = ("l2", (0.0, 0.2, 0.4, 0.8)) if method == "lipschitz" else ("linf", (0.0, 0.02, 0.04, 0.08))
    trained = net(name, method)
    found = certified(trained, X_TEST, Y_TEST, norm, radii, "linear" if method == "crown" else "interval")
    stands = spared(trained, X_TEST, Y_TEST, norm, radii, jax.random.key(1), Attack(20, 1))
    assert not np.any(found.holds & ~stands)
    assert np.all(np.diff(found.accuracy) <= 0)
    assert np.all(found.radius[found.holds[:, -1]] >= radii[-1])
    assert np.all(found.radius[~found.holds[:, 0]] == 0)
    assert found.clean > 0.8
    assert found.accuracy[2] > 0.4  # worth refuting
    # The same attack refutes radii of the exact size of what it finds: a certificate three times too large is caught.
    wrong = found.radius[:, None] * 3 > np.array(radii)[None]
    assert np.any(wrong & ~stands)


@pytest.mark.exhaustive
def test_linear_bounds_certify_no_less_than_intervals() -> None:
    trained, radius = net("tanh", "crown"), np.full(len(X_TEST), 0.07)
    interval = box_margins(trained, X_TEST, Y_TEST, radius)
    linear = box_margins(trained, X_TEST, Y_TEST, radius, "linear")
    assert np.all(linear >= interval)
    assert np.sum(linear > 0) > np.sum(interval > 0)


def test_float32_boxes_reach_beyond_the_radius() -> None:
    # In float64, at the exact corners of a ball in real numbers, the margin is never below the certified one.
    trained = net("relu", "interval")
    radius = np.full(len(X_TEST), 0.03)
    bound = box_margins(trained, X_TEST, Y_TEST, radius)
    with jax.enable_x64(True):
        layers = [
            (np.asarray(v.kernel[...], float), np.asarray(v.bias[...], float)) for v in list(trained.layers)[1::2]
        ]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (100, 1, 64))
    z = np.clip(X_TEST.reshape(1, -1, 64).astype(float) + 0.03 * signs, 0, 1)
    for number, (kernel, bias) in enumerate(layers):
        z = z @ kernel + bias
        z = np.maximum(z, 0) if number < len(layers) - 1 else z
    own = np.take_along_axis(z, Y_TEST[None, :, None], axis=2)
    margin = np.min(np.where(np.arange(10) == Y_TEST[None, :, None], np.inf, own - z), axis=(0, 2))
    assert np.all(bound <= margin)


def test_certified_training_certifies_more_than_plain_training() -> None:
    shares = [certified(net("relu", m), X_TEST, Y_TEST, "linf", (0.04,)).accuracy[0] for m in ("plain", "interval")]
    assert shares[1] > shares[0] + 0.2
    # An attack bounds it from above, whatever the training.
    tried = attacked_accuracy(
        net("relu", "plain"), X_TEST, Y_TEST, "linf", (0.04, 0.0), jax.random.key(0), Attack(10, 0)
    )
    assert shares[0] <= tried[0] < tried[1]


def test_schedules_and_refusals() -> None:
    recipe = Recipe("interval", 0.1, steps=100, warm=0.1, ramp=0.4)
    np.testing.assert_allclose([recipe.grown(s) for s in (0, 10, 30, 50, 99)], [0, 0, 0.5, 1, 1], atol=1e-6)
    with pytest.raises(ValueError, match="warm \\+ ramp at most 1"):
        Recipe(warm=0.7, ramp=0.7)
    with pytest.raises(ValueError, match="radii not negative"):
        certified(net("relu", "interval"), X_TEST, Y_TEST, "l2", (-0.1,))
    with pytest.raises(ValueError, match="needs orthogonal layers"):
        problem(jax.random.key(0), DENSE, "relu", Recipe("lipschitz", 0.5))
    with pytest.raises(FactError, match="how far outputs move"):
        certified_activation(al.activation(lambda z: z**3))
    with pytest.raises(FactError, match="finite Lipschitz constant"):
        certified_activation(al.swiglu)
