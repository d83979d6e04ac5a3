"""Agreement with captum and quantus on fixed nets, to 1e-5; peer_values.py made the values, and says of what."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name
from peer_values import BASELINE, FILE, SHARES, SIDE, convolutional, dense, nearby_images

import actlab.activations as al
from actlab.bounds import network
from actlab.systems.saliency import (
    class_score,
    complexity,
    deep_lift,
    effective_complexity,
    gini,
    grad_cam,
    gradient,
    infidelity_at,
    input_times_gradient,
    integrated_gradients,
    noisy_linear_imputation,
    perturbation_curve,
    rank_correlation,
    relevance,
    road,
    sensitivity_at,
)

VALUES = json.loads(FILE.read_text(encoding="utf-8"))
TOLERANCE = 1e-5


def assert_agree(found, theirs):
    assert found.keys() == theirs.keys()
    for name, value in found.items():
        np.testing.assert_allclose(np.asarray(value, np.float64), theirs[name], rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("name", ["relu", "tanh", "softplus"])
def test_methods_agree_with_captum(name, float64):
    net, f = dense(), al.get(name)

    def model(x):
        *hidden, last = zip(net["kernels"], net["biases"], strict=True)
        for kernel, bias in hidden:
            x = f(x @ kernel + bias[None])
        return x @ last[0] + last[1][None]

    graph = network(model, (net["x"].shape[1],), jnp.float64)

    @jax.jit
    def found(x, labels, disturbances):
        score, rows = class_score(model, labels), jax.nn.one_hot(labels, 3, dtype=x.dtype)
        maps = gradient(score, x)
        values = {
            "gradient": maps,
            "input times gradient": input_times_gradient(score, x),
            "integrated gradients": integrated_gradients(score, x, BASELINE, nodes=16),
            "deep lift": jax.vmap(lambda x, row: deep_lift(graph, x, row, BASELINE))(x, rows),
            "infidelity": infidelity_at(score, x, maps, disturbances),
            "largest sensitivity": sensitivity_at(lambda x: gradient(score, x), x, x[None] + disturbances),
        }
        if name == "relu":
            shared = lambda **rule: jax.vmap(lambda x, row: relevance(graph, x, row, **rule))(x, rows)  # noqa: E731
            values["relevance, epsilon"] = shared(epsilon=1e-9)
            values["relevance, gamma"] = shared(epsilon=1e-9, gamma=0.25)
        return values

    arguments = (jnp.asarray(net["x"]), jnp.asarray(net["labels"]), jnp.asarray(net["disturbances"]))
    assert_agree(found(*arguments), VALUES[f"captum, {name}"])


def images_net():
    net = convolutional()

    def model(x):
        for i, (kernel, bias) in enumerate(zip(net["kernels"], net["biases"], strict=True), 1):
            dimensions = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(x, jnp.asarray(kernel), (1, 1), "VALID", dimension_numbers=dimensions)
            x = checkpoint_name(al.relu(x + bias[None, None, None]), f"convolution_{i}")
        return jnp.mean(x, (1, 2)) @ net["last"]

    return model, jnp.asarray(net["x"]), jnp.asarray(net["labels"]), jnp.asarray(net["maps"])


def test_grad_cam_agrees_with_captum(float64):
    model, x, labels, _ = images_net()
    score = class_score(model, labels)
    found = jax.jit(lambda x: {f"grad-cam {i}": grad_cam(score, x, f"convolution_{i}") for i in (1, 2)})(x)
    assert_agree(found, VALUES["captum, places"])


def test_measures_agree_with_quantus(float64):
    model, x, labels, maps = images_net()
    key = jax.random.key(0)

    @jax.jit
    def found(x, maps, points):
        score = class_score(model, labels)
        rank = jnp.argsort(jnp.argsort(-maps.reshape(len(x), -1), axis=1), axis=1).reshape(x.shape[:3])
        darkest = jnp.min(x, (1, 2, 3), keepdims=True)  # what quantus calls black
        removed = [rank < int(share * SIDE**2) for share in SHARES]
        return {
            "gini": gini(maps),
            "complexity": complexity(maps),
            "effective complexity": effective_complexity(maps, 0.5),
            "deletion": perturbation_curve(score, x, maps, baseline=darkest, steps=8)[1:].T,
            "road": jnp.mean(road(model, x, labels, maps, key, shares=SHARES, noise=0.0), axis=1),
            "imputation": jnp.stack([noisy_linear_imputation(x, gone, key, noise=0.0) for gone in removed]),
            "rank correlation": rank_correlation(maps, x),
            "largest sensitivity": sensitivity_at(lambda x: gradient(score, x), x, points),
        }

    assert_agree(found(x, maps, x[None] + nearby_images()), VALUES["quantus"])
