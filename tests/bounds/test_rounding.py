"""What floating point does: exact values lie inside, by exact rational arithmetic; products run at full precision."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from actlab.activations import Interval
from actlab.bounds import interval_bounds, linear_bounds, network


def exact(w: np.ndarray, x: np.ndarray) -> Fraction:
    """Sum of products of float32 numbers: each is an integer times 2^-200."""
    scaled = [np.ldexp(v.astype(np.float64), 100) for v in (w, x)]
    assert all(np.all(v == np.trunc(v)) for v in scaled)  # no term so small that the scaling leaves a fraction
    integers = [[int(term) for term in v] for v in scaled]
    return Fraction(sum(a * b for a, b in zip(*integers, strict=True)), 2**200)


def test_dot_product_of_2000_terms_is_enclosed_1000_times():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((2000, 1000)).astype(np.float32)
    x = rng.standard_normal(2000).astype(np.float32)
    net = network(lambda v: v @ jnp.asarray(w), (2000,))
    point = Interval(jnp.asarray(x), jnp.asarray(x))
    executed = np.asarray(jnp.asarray(x)[None] @ jnp.asarray(w))[0]
    truth = [exact(column, x) for column in w.T]
    for found in (interval_bounds(net, point), linear_bounds(net, point, specification=jnp.eye(1000))):
        lower, upper = np.asarray(found.lower), np.asarray(found.upper)
        inside = [
            Fraction(float(lo)) <= value <= Fraction(float(hi))
            for lo, hi, value in zip(lower, upper, truth, strict=True)
        ]
        assert sum(inside) == 1000
        assert np.all((lower <= executed) & (executed <= upper))
    found = interval_bounds(net, point)
    assert np.max((found.upper - found.lower) / (np.abs(x) @ np.abs(w))) < 1e-3


def test_convolution_is_enclosed():
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((3, 3, 64, 8)).astype(np.float32)
    x = rng.standard_normal((6, 6, 64)).astype(np.float32)

    def layer(v, k):
        return jax.lax.conv_general_dilated(v, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    net = network(lambda v: layer(v, jnp.asarray(kernel)), x.shape)
    found = interval_bounds(net, Interval(jnp.asarray(x), jnp.asarray(x)))
    with jax.enable_x64(True):
        truth = np.asarray(layer(jnp.asarray(x[None], jnp.float64), jnp.asarray(kernel, jnp.float64))[0])
    assert np.all((np.asarray(found.lower, float) <= truth) & (truth <= np.asarray(found.upper, float)))


def test_every_product_runs_at_full_precision():
    rng = np.random.default_rng(2)
    w, k = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((32, 4), (3, 3, 1, 2)))

    def model(v):
        y = jax.lax.conv_general_dilated(v, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jnp.maximum(jnp.maximum(y, 0).reshape(1, -1) @ w, 0) @ w[:4]

    net = network(model, (4, 4, 1))
    box = Interval(jnp.zeros((4, 4, 1)), jnp.ones((4, 4, 1)))
    for bounds in (interval_bounds, linear_bounds):
        text = jax.jit(lambda b, bounds=bounds: bounds(net, b)).lower(box).as_text()
        products = [line for line in text.splitlines() if "dot_general" in line or "stablehlo.convolution" in line]
        assert products
        assert all("HIGHEST" in line for line in products)
