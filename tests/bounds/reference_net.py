"""The reference network of 4-16-16-3: weights from numpy's generator 0, and a box of radius 0.1."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import actlab.activations as al
from actlab.activations import Interval
from actlab.bounds import Network, network
from actlab.nets import MLP

DIMS = (4, 16, 16, 3)


def weights() -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    rng = np.random.default_rng(0)
    layers = []
    for i, o in zip(DIMS[:-1], DIMS[1:], strict=True):
        w = rng.standard_normal((o, i)) / np.sqrt(i)
        layers.append((w, 0.1 * rng.standard_normal(o)))
    return layers, rng.uniform(-1, 1, (1, 4))[0]


def model(name: str, dtype=jnp.float64) -> MLP:
    with jax.enable_x64(False):  # the initial weights, all replaced
        net = MLP(DIMS, al.get(name), rngs=nnx.Rngs(0))
    for layer, (w, b) in zip(net.layers, weights()[0], strict=True):
        layer.kernel, layer.bias = nnx.Param(jnp.asarray(w.T, dtype)), nnx.Param(jnp.asarray(b, dtype))
    return net


def traced(name: str, dtype=jnp.float64) -> Network:
    return network(model(name, dtype), (4,), dtype)


def box(radius: float = 0.1, dtype=jnp.float64) -> Interval:
    x = weights()[1]
    return Interval(jnp.asarray(x - radius, dtype), jnp.asarray(x + radius, dtype))
