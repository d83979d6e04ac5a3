"""The law of collapse on a ring with chords and on Cora, and the wide net's covariance against simulation."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

import actlab.activations as al
from actlab.data.citation import load_citation
from actlab.data.graph import Graph
from actlab.systems.oversmoothing.kernel import collapse_depth, dual, kernel_spread
from actlab.systems.oversmoothing.law import ROUNDING_FLOOR, variance_law

EIGHT = ("tanh", "sigmoid", "softplus", "gelu", "swish", "mish", "sin", "erf")


def ring(nodes: int) -> Graph:
    i = np.arange(nodes)
    return Graph.from_links(
        np.concatenate([np.stack([i, (i + 1) % nodes], 1), np.stack([i[::3], (i[::3] + 7) % nodes], 1)]), nodes
    )


def largest(folder: Path, name: str) -> Graph:
    data = load_citation(folder, name)
    shape = (data.nodes, data.nodes)
    labels = connected_components(coo_matrix((np.ones(len(data.links)), data.links.T), shape=shape), directed=False)[1]
    inside = labels == np.bincount(labels).argmax()
    number = np.cumsum(inside) - 1
    return Graph.from_links(number[data.links[inside[data.links[:, 0]]]], int(inside.sum()))


def worst(graph: Graph, names: tuple[str, ...]) -> dict[str, float]:
    """The largest relative error of a factor of each activation, over the layers above the rounding floor."""
    field = 0.5 + 0.05 * jax.random.normal(jax.random.key(0), (graph.nodes,))
    # The graph is an argument: of a constant XLA would fold what is computed from it, slowly.
    laws = jax.jit(lambda graph, x: {name: variance_law(al.get(name), graph, x, 40) for name in names})(graph, field)
    found = {}
    for name, law in laws.items():
        seen = np.asarray(law.variances) > ROUNDING_FLOOR
        assert seen.sum() >= 10
        found[name] = float(np.max(np.abs(np.asarray(law.measured) / np.asarray(law.predicted) - 1)[seen]))
    return found


@pytest.mark.usefixtures("float64")
def test_law_on_a_ring() -> None:
    assert max(worst(ring(60), ("tanh", "sigmoid")).values()) < 0.02


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("data", ["cora", "citeseer"])
def test_law_within_one_percent_for_eight_activations(data: str, shared_data: Path) -> None:
    graph = largest(shared_data, data)
    assert {name: e for name, e in worst(graph, EIGHT).items() if e > 0.01} == {}


@pytest.mark.usefixtures("float64")
def test_dual_activation_of_relu_is_the_arc_cosine_kernel() -> None:
    rho = np.array([-0.9, 0.0, 0.5, 0.99, 0.9999])
    covariances = np.ones((5, 2, 2))
    covariances[:, 0, 1] = covariances[:, 1, 0] = rho
    found = np.asarray(jax.jit(lambda k: jax.lax.map(lambda one: dual(al.get("relu"), one), k))(covariances))
    exact = (np.sqrt(1 - rho**2) + (np.pi - np.arccos(rho)) * rho) / (2 * np.pi)
    np.testing.assert_allclose(found[:, 0, 1], exact, atol=2e-4)
    np.testing.assert_allclose(found[:, 0, 0], 0.5, atol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("float64")
def test_predicted_collapse_depth_at_width_256() -> None:
    graph, width, depth = ring(40), 256, 30
    walk, weights = graph.walk(), graph.stationary()
    x = jax.random.normal(jax.random.key(0), (40, 30))
    px = walk @ x
    start = px @ px.T / 30
    f = al.get("tanh")
    variances = {"weight_variance": 1.3, "bias_variance": 0.3}
    between, total = jax.jit(lambda *given: kernel_spread(f, *given, **variances, depth=depth))(walk, start, weights)

    def simulated(key):
        first, later = jax.random.split(key)
        z = px @ jax.random.normal(first, (30, width)) / jnp.sqrt(30.0)

        def layer(z, key):
            w_key, b_key = jax.random.split(key)
            w = jnp.sqrt(1.3 / width) * jax.random.normal(w_key, (width, width))
            z = (walk @ f(z)) @ w + jnp.sqrt(0.3) * jax.random.normal(b_key, (1, width))
            m = weights @ z
            v = jnp.mean(weights @ jnp.square(z - m[None]))
            return z, v / (v + jnp.mean(m**2))

        return jax.lax.scan(layer, z, jax.random.split(later, depth))[1]

    measured = collapse_depth(jax.jit(jax.vmap(simulated))(jax.random.split(jax.random.key(1), 3)), 1e-2) + 1
    predicted = collapse_depth(between / total, 1e-2)
    assert np.isfinite(predicted)
    assert predicted == pytest.approx(measured.mean(), rel=0.2)


def test_collapse_depth_interpolates() -> None:
    assert collapse_depth([1.0, 0.1, 0.001], 0.01) == pytest.approx(1.5)
    assert collapse_depth([1.0, 0.5], 0.01) == np.inf
