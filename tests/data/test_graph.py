"""Graphs and sparse matrices against dense numpy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlab.data.graph import Graph
from actlab.data.sparse import GraphError, Sparse

LINKS = np.array([[0, 1], [1, 2], [2, 0], [3, 4]])


def dense_adjacency(links: np.ndarray, nodes: int) -> np.ndarray:
    a = np.zeros((nodes, nodes))
    for i, j in links:
        a[i, j] = a[j, i] = 1
    return a


@jax.jit
def dense_operators(graph: Graph) -> tuple[jax.Array, ...]:
    operators = graph.adjacency, graph.normalized(), graph.normalized(2.5), graph.walk()
    adjacency, normalized, lazier, walk = (m.dense() for m in operators)
    return adjacency, graph.degrees(), normalized, lazier, walk, graph.stationary()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**31))
def test_operators_are_the_dense_formulas(nodes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    links = np.argwhere(np.triu(rng.random((nodes, nodes)) < 0.4, 1))
    # Isolated nodes and a count that no operator looks at: graphs of one shape share a compiled program.
    graph, a = replace(Graph.from_links(links, 7).padded(7, 42), count=0), dense_adjacency(links, 7)
    loops = a + np.eye(7)
    d = loops.sum(1)
    adjacency, degrees, normalized, lazier, walk, stationary = (np.asarray(found) for found in dense_operators(graph))
    np.testing.assert_array_equal(adjacency, a)
    np.testing.assert_array_equal(degrees, a.sum(1))
    np.testing.assert_allclose(normalized, loops / np.sqrt(np.outer(d, d)), atol=1e-6)
    np.testing.assert_allclose(lazier, (a + 2.5 * np.eye(7)) / np.sqrt(np.outer(d + 1.5, d + 1.5)), atol=1e-6)
    np.testing.assert_allclose(walk, loops / d[:, None], atol=1e-6)
    np.testing.assert_allclose(stationary @ walk, stationary, atol=1e-6)


def test_links_in_both_directions_or_twice_are_one() -> None:
    once, often = Graph.from_links(LINKS, 6), Graph.from_links(np.concatenate([LINKS, LINKS[:, ::-1]]), 6)
    assert (once.count, often.count) == (4, 4)
    np.testing.assert_array_equal(once.adjacency.dense(), often.adjacency.dense())


def test_isolated_nodes_and_the_empty_graph() -> None:
    assert Graph.from_links(np.zeros((0, 2), int), 3).normalized().dense().tolist() == np.eye(3).tolist()
    graph = Graph.from_links(LINKS, 6)
    x = jnp.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal((graph.walk() @ x)[5], x[5])
    assert (graph.adjacency @ x)[5].tolist() == [0.0, 0.0]


def test_padding_changes_nothing() -> None:
    graph = Graph.from_links(LINKS, 6)
    padded = graph.padded(9, 20)
    x = jax.random.normal(jax.random.key(0), (6, 3))
    more = jnp.pad(x, ((0, 3), (0, 0)))
    products = jax.jit(lambda graph, x: [make(graph) @ x for make in (Graph.normalized, Graph.walk, Graph.with_loops)])
    for larger, exact in zip(products(padded, more), products(graph, x), strict=True):
        np.testing.assert_allclose(larger[:6], exact, atol=1e-6)
    for loop in (0.0, float("inf")):
        with pytest.raises(GraphError, match=f"loop = {loop} must be positive and finite"):
            graph.normalized(loop)
    with pytest.raises(GraphError, match="nodes = 3"):
        graph.padded(3, 20)
    with pytest.raises(GraphError, match="entries = 2"):
        graph.padded(6, 2)


def test_product_and_its_derivatives_are_the_dense_ones() -> None:
    rng = np.random.default_rng(0)
    full = rng.normal(size=(5, 4)) * (rng.random((5, 4)) < 0.5)
    rows, columns = np.nonzero(full)
    order = rng.permutation(len(rows))
    sparse = Sparse.of(rows[order], columns[order], full[rows, columns][order], (5, 4))
    x, g = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((4, 3), (5, 3)))

    def total(values, x):
        y = sparse.with_values(values) @ x
        return jnp.sum(g * y), y

    (by_values, by_x), y = jax.jit(jax.grad(total, (0, 1), has_aux=True))(sparse.values, x)
    np.testing.assert_allclose(y, full @ x, atol=1e-5)
    np.testing.assert_allclose(by_x, full.T @ g, atol=1e-5)
    np.testing.assert_allclose(by_values, np.asarray(g @ x.T)[sparse.rows, sparse.columns], atol=1e-5)
    _, forward = jax.jvp(lambda x: sparse @ x, (x,), (2 * x,))
    np.testing.assert_allclose(forward, 2 * full @ x, atol=1e-5)
    assert (sparse @ x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_rows_longer_than_a_piece_and_empty_rows() -> None:
    rng = np.random.default_rng(1)
    counts = [0, 1, 7, 8, 9, 0, 40]
    full = np.zeros((7, 60))
    for row, count in enumerate(counts):
        full[row, rng.choice(60, count, replace=False)] = rng.normal(size=count)
    sparse, x = Sparse.of(*np.nonzero(full), full[np.nonzero(full)], full.shape), rng.normal(size=(60, 3))
    x = jnp.asarray(x, jnp.float32)

    @jax.jit
    def found(sparse: Sparse, x: jax.Array) -> tuple[jax.Array, ...]:
        batch = jax.vmap(lambda x: sparse @ x)(jnp.stack([x, 2 * x]))
        product = jax.jacfwd(jax.grad(lambda x: jnp.sum((sparse @ x) ** 2) / 2))(x)
        return sparse @ x, replace(sparse, pieces=None) @ x, batch[1] / 2, product[:, 0, :, 0]

    *products, square = found(sparse, x)
    for product in products:
        np.testing.assert_allclose(product, full @ x, atol=1e-4)
    np.testing.assert_allclose(square, full.T @ full, atol=1e-4)


def test_dropped_links_go_in_both_directions() -> None:
    links = np.argwhere(np.triu(np.ones((30, 30)), 1))
    a = np.asarray(Graph.from_links(links, 30).drop_links(jax.random.key(0), 0.3).adjacency.dense())
    np.testing.assert_array_equal(a, a.T)
    assert a.sum() / 2 / len(links) == pytest.approx(0.7, abs=0.08)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph.from_links([[0, 0]], 3), "linked to itself"),
        (lambda: Graph.from_links([[0, 3]], 3), "must lie in"),
        (lambda: Graph.from_links([[0.5, 1.0]], 3), "integers"),
        (lambda: Sparse.of([0, 0], [1, 1], [1.0, 2.0], (2, 2)), "given twice"),
        (lambda: Sparse.of([0, 0], [1], [1.0], (2, 2)), "shapes"),
    ],
)
def test_bad_graphs_are_refused(make, message) -> None:
    with pytest.raises(GraphError, match=message):
        make()
