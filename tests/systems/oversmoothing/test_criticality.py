"""Critical weights keep the power of the signal through 40 layers; published ones do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.data.graph import Graph
from actlab.nets.graph import GraphNet, operator_for
from actlab.systems.oversmoothing import pairing, set_critical

# A ring: its second eigenvalue is near 1, as a citation graph's.
GRAPH = Graph.from_links(np.stack([np.arange(60), (np.arange(60) + 1) % 60], 1), 60)
X = jnp.asarray(np.random.default_rng(0).random((60, 20)), jnp.float32)


NAMES = ("relu", "tanh", "gelu", "gaussian", "softplus")


def signal_power(x: jax.Array, name: str, critical: bool) -> jax.Array:
    """The mean square of each layer's differences within the pairs, over the first's."""
    net, operator = GraphNet(20, 32, 3, 42, name, rngs=nnx.Rngs(0)), operator_for("gcn", GRAPH)
    if critical:
        set_critical(jax.random.key(1), net, operator, x)
    states = net.states(operator, x)
    power = jnp.mean(jnp.square(states[..., :16] - states[..., 16:]), axis=(1, 2))
    return power / power[0]


def test_critical_weights_keep_power_and_published_ones_lose_it() -> None:
    kept, lost = jax.jit(lambda x: ([signal_power(x, n, True) for n in NAMES], signal_power(x, "relu", False)))(X)
    for power in kept:
        assert power.shape == (41,)
        assert bool(jnp.all((power > 0.2) & (power < 5)))
    assert float(lost[-1]) < 1e-3


def test_pairing_of_relu_and_of_an_even_function() -> None:
    pairs = jax.jit(lambda: [(p.slope, p.centre) for p in (pairing(al.get("relu")), pairing(al.get("gaussian")))])()
    relu, gaussian = ([float(v) for v in pair] for pair in pairs)
    assert relu == pytest.approx([0.5, 0.0], abs=1e-4)
    assert abs(gaussian[1]) > 0.2
    with pytest.raises(ValueError, match="constant"):
        pairing(al.as_activation(lambda x: 0.0 * x))


def test_other_nets_are_refused() -> None:
    def start(width: int, **options: bool) -> None:
        net = GraphNet(20, width, 3, 4, "tanh", rngs=nnx.Rngs(0), **options)
        set_critical(jax.random.key(0), net, operator_for("gcn", GRAPH), X)

    with pytest.raises(ValueError, match="even"):
        jax.eval_shape(lambda: start(5))
    with pytest.raises(ValueError, match="plain"):
        jax.eval_shape(lambda: start(6, residual=True))
