"""Gradients in random nets of width 400 against chi_1, layer by layer."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import critical_point, gradient_growth, predicted_gradient_growth

NAMES = ("tanh", "erf", "elu", "selu", "gelu", "swish", "mish", "relu")
SCALES = (1.0, 0.8)
"""Weight variances, in critical ones: where gradients keep their size, and where they vanish."""
NETS, DEPTH = 6, 30

one_of = al.activation(
    lambda x, which=0.0: jax.lax.switch(which.astype(int), [al.get(name) for name in NAMES], x), name="one of several"
)
"""The activations as one with a parameter, so that one program serves all."""


@pytest.mark.exhaustive
def test_the_gradient_norm_grows_as_predicted_in_nets_of_width_400() -> None:
    biases = np.array([0.0 if name == "relu" else 0.05 for name in NAMES])
    points = [critical_point(al.get(name), b) for name, b in zip(NAMES, biases, strict=True)]
    starts = np.array([p.q for p in points])
    weights = np.array([[s * p.weight_variance for s in SCALES] for p in points])

    def growth(which, weights, bias, start):
        f = one_of.bind(which=which)
        measure = lambda w: gradient_growth(jax.random.key(7), f, w, bias, start=start, nets=NETS, depth=DEPTH)  # noqa: E731
        return jax.vmap(measure)(weights).gradient

    arguments = [jnp.asarray(a, jnp.float32) for a in (np.arange(len(NAMES)), weights, biases, starts)]
    measured = np.asarray(jax.jit(lambda *a: jax.lax.map(lambda one: growth(*one), a))(*arguments), np.float64)
    for i, name in enumerate(NAMES):
        for j, scale in enumerate(SCALES):
            f = one_of.bind(which=float(i))  # every kink is at 0, where a panel of the quadrature ends anyway
            predicted = predicted_gradient_growth(f, weights[i, j], biases[i], start=starts[i], depth=DEPTH)
            missed, error = measured[i, j].mean() - predicted, measured[i, j].std(ddof=1) / math.sqrt(NETS)
            assert abs(missed) <= max(0.015, 3 * error), (name, scale, missed, error)


def test_the_variance_settles_at_the_predicted_fixed_point() -> None:
    point = critical_point(al.tanh, 0.05)
    grown = gradient_growth(
        jax.random.key(1), al.tanh, point.weight_variance, 0.05, start=2.0, width=200, depth=20, nets=8
    )
    assert np.mean(np.asarray(grown.variance)) == pytest.approx(point.q, rel=0.1)
