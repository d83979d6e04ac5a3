"""The dual activation and the kernels of wide nets: arc-cosine and arcsine laws, Price's theorem, finite nets."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.signal import QuadratureError, correlation_map, dual, kernels, moments

CORRELATIONS = np.array([-1.0, -1 + 1e-9, -0.5, 0.0, 0.3, 0.9, 0.9999, 1 - 1e-10, 1.0])
INPUTS = np.random.default_rng(0).normal(size=(5, 7)) * np.array([[0.3], [1.0], [1.0], [2.0], [5.0]])


def arc_cosine(p, q, c):
    """Cho & Saul 2009, degrees 1 and 0."""
    angle = np.arccos(c)
    return np.sqrt(p * q) * (np.sin(angle) + (np.pi - angle) * c) / (2 * np.pi), (np.pi - angle) / (2 * np.pi)


def arcsine(p, q, c):
    """Williams 1998."""
    covariance = np.sqrt(p * q) * c
    inside = 2 * covariance / np.sqrt((1 + 2 * p) * (1 + 2 * q))
    return 2 / np.pi * np.arcsin(inside), 4 / np.pi / np.sqrt((1 + 2 * p) * (1 + 2 * q) - 4 * covariance**2)


CLOSED = {"relu": (al.relu, arc_cosine), "erf": (al.erf, arcsine)}


@pytest.mark.parametrize("name", ["relu", pytest.param("erf", marks=pytest.mark.exhaustive)])
def test_closed_forms(name: str) -> None:
    f, closed = CLOSED[name]
    p, q = np.array([[1.0], [1.7], [30.0]]), np.array([[1.0], [0.3], [4.0]])
    found, (value, slope) = dual(f, p, q, CORRELATIONS), closed(p, q, CORRELATIONS)
    scale = np.maximum(1.0, np.sqrt(p * q))
    np.testing.assert_allclose(found.value / scale, value / scale, atol=1e-12)
    slope = np.broadcast_to(slope, found.slope.shape)
    np.testing.assert_allclose(found.slope, slope, atol=1e-7 if name == "relu" else 1e-12)  # arccos loses half at 1


@pytest.mark.exhaustive
def test_several_kinks_and_none() -> None:
    """At correlation 0 the means multiply; at 1 the moments come back; at -1 it is E[f(u) f(-u)]."""
    for f in (al.hard_tanh, al.affine(al.relu, input_shift=0.7)):
        m, shifted = moments(f, 0.0, 1.3), dual(f, 1.69, 1.69, np.array([0.0, 1 - 1e-13, 1.0]))
        np.testing.assert_allclose(shifted.value, [m.first**2, m.second, m.second], rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(shifted.slope[1:], m.slope_second, rtol=1e-5)


def test_an_unknown_kink_is_noticed() -> None:
    unknown = al.activation(lambda x: jnp.abs(x - 0.3), name="unknown")
    with pytest.raises(QuadratureError, match="relative error"):
        dual(unknown, 1.0, 1.0, 0.5)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        dual(al.relu, 0.0, 1.0, 0.5)
    with pytest.raises(ValueError, match="correlation"):
        dual(al.relu, 1.0, 1.0, 1.5)
    with pytest.raises(ValueError, match="at least 1"):
        kernels(al.relu, INPUTS, 0)


def test_traced_it_agrees_and_its_derivative_is_prices_theorem_up_to_correlation_one() -> None:
    c = jnp.array([-0.7, 0.2, 0.95, 1.0])
    f = al.affine(al.relu, input_shift=0.1)
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(lambda c: dual(f, 1.5, 0.8, c).value)))(c)
    exact = dual(f, 1.5, 0.8, np.asarray(c, np.float64))
    np.testing.assert_allclose(value, exact.value, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(slope, math.sqrt(1.2) * exact.slope, rtol=2e-4)


def test_the_correlation_map_keeps_one_and_its_slope_there_is_chi() -> None:
    c = np.array([1 - 1e-7, 1.0])
    mapped = correlation_map(al.tanh, c, 0.9, 1.4, 0.1)
    q = 1.4 * moments(al.tanh, 0.0, math.sqrt(0.9)).second + 0.1
    assert mapped[1] == pytest.approx(1.0, abs=1e-14)
    chi = 1.4 * moments(al.tanh, 0.0, math.sqrt(0.9)).slope_second
    assert (mapped[1] - mapped[0]) / 1e-7 == pytest.approx(chi * 0.9 / q, rel=1e-5)


def recursion(closed, inputs, depth, weights, biases):
    nngp = weights * inputs @ inputs.T / inputs.shape[1] + biases
    ntk = nngp
    for _ in range(depth):
        d = np.diagonal(nngp)
        p, q = np.meshgrid(d, d, indexing="ij")
        c = np.clip(nngp / np.sqrt(p * q), -1, 1)
        np.fill_diagonal(c, 1.0)
        value, slope = closed(p, q, c)
        nngp = weights * value + biases
        ntk = nngp + weights * slope * ntk
    return nngp, ntk


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", CLOSED)
def test_kernels_of_depth_three_against_closed_forms(name: str) -> None:
    f, closed = CLOSED[name]
    found, expected = kernels(f, INPUTS[1:], 3, 1.8, 0.1), recursion(closed, INPUTS[1:], 3, 1.8, 0.1)
    np.testing.assert_allclose(found.nngp, expected[0], rtol=1e-11)
    np.testing.assert_allclose(found.ntk, expected[1], rtol=1e-11)


def test_kernels_inside_jit() -> None:
    traced = jax.jit(lambda x: kernels(al.tanh, x, 2, 1.5, 0.05))(jnp.asarray(INPUTS[:3], jnp.float32))
    exact = kernels(al.tanh, INPUTS[:3], 2, 1.5, 0.05)
    np.testing.assert_allclose(traced.nngp, exact.nngp, rtol=1e-4)
    np.testing.assert_allclose(traced.ntk, exact.ntk, rtol=1e-4)


@pytest.mark.exhaustive
def test_finite_nets_come_near_both_kernels() -> None:
    f = al.gelu
    width, x, weights, biases = 512, jnp.asarray(INPUTS[1:4], jnp.float32), 1.5, 0.1

    def net(parameters, x):
        for i, (w, b) in enumerate(parameters):
            h = f(x) if i else x
            x = math.sqrt(weights / h.shape[-1]) * h @ w + math.sqrt(biases) * b[None]
        return x[:, 0]

    def one(key):
        sizes = (7, width, width, 1)
        keys = jax.random.split(key, 6)
        shapes = list(zip(sizes[:-1], sizes[1:], strict=True))
        parameters = [
            (jax.random.normal(keys[2 * i], s), jax.random.normal(keys[2 * i + 1], s[1:])) for i, s in enumerate(shapes)
        ]
        jacobian = jax.jacrev(net)(parameters, x)
        flat = jnp.concatenate([j.reshape(3, -1) for j in jax.tree.leaves(jacobian)], axis=1)
        output = net(parameters, x)
        return flat @ flat.T, output[:, None] * output[None, :]

    keys = jax.random.split(jax.random.key(3), 16)
    ntk, _ = jax.lax.map(one, keys)
    exact = kernels(f, np.asarray(x), 2, weights, biases)
    scale = np.sqrt(np.outer(np.diag(exact.ntk), np.diag(exact.ntk)))
    np.testing.assert_allclose(np.asarray(ntk.mean(0)) / scale, exact.ntk / scale, atol=0.03)
    hidden = functools.partial(features, f, weights, biases)
    found = np.mean([hidden(k, np.asarray(x), 65536) for k in range(4)], axis=0)
    exact = kernels(f, np.asarray(x), 1, weights, biases)
    scale = np.sqrt(np.outer(np.diag(exact.nngp), np.diag(exact.nngp)))
    np.testing.assert_allclose(found / scale, exact.nngp / scale, atol=0.015)


def features(f, weights, biases, seed, x, width):
    """The covariance of the outputs of a net with one hidden layer, given that layer."""
    rng = np.random.default_rng(seed)
    h = math.sqrt(weights / x.shape[1]) * x @ rng.normal(size=(x.shape[1], width)) + math.sqrt(biases) * rng.normal(
        size=width
    )
    hidden = np.asarray(f(jnp.asarray(h, jnp.float32)), np.float64)
    return weights * hidden @ hidden.T / width + biases
