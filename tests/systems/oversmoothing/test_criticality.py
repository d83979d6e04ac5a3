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


def signal_power(name: str, critical: bool) -> np.ndarray:
    """The mean square of each layer's differences within the pairs, over the first's."""
    net, operator = GraphNet(20, 32, 3, 42, name, rngs=nnx.Rngs(0)), operator_for("gcn", GRAPH)
    if critical:
        set_critical(jax.random.key(1), net, operator, X)
    states = np.asarray(net.states(operator, X))
    odd = states[..., :16] - states[..., 16:]
    power = np.mean(odd**2, axis=(1, 2))
    return power / power[0]


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "gaussian", "softplus"])
def test_power_is_kept(name: str) -> None:
    power = signal_power(name, critical=True)
    assert np.all((power > 0.2) & (power < 5))


def test_published_weights_lose_it() -> None:
    assert signal_power("relu", critical=False)[-1] < 1e-3


def test_pairing_of_relu_and_of_an_even_function() -> None:
    assert (float(pairing(al.get("relu")).slope), float(pairing(al.get("relu")).centre)) == pytest.approx(
        (0.5, 0.0), abs=1e-4
    )
    assert abs(float(pairing(al.get("gaussian")).centre)) > 0.2
    with pytest.raises(ValueError, match="constant"):
        pairing(al.as_activation(lambda x: 0.0 * x))


def test_other_nets_are_refused() -> None:
    operator = operator_for("gcn", GRAPH)
    odd = GraphNet(20, 5, 3, 4, "tanh", rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="even"):
        set_critical(jax.random.key(0), odd, operator, X)
    residual = GraphNet(20, 6, 3, 4, "tanh", rngs=nnx.Rngs(0), residual=True)
    with pytest.raises(ValueError, match="plain"):
        set_critical(jax.random.key(0), residual, operator, X)
