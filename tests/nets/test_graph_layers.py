"""Graph layers against dense numpy, permutations, padding, depth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.data.graph import Graph
from actlab.data.sparse import Sparse
from actlab.nets.graph import GraphAttention, GraphNet, InitialResidual, dropout, operator_for, pair_norm

LINKS = np.array([[0, 1], [1, 2], [2, 0], [3, 4], [1, 4]])
NODES = 6
GRAPH = Graph.from_links(LINKS, NODES)
X = np.random.default_rng(0).normal(size=(NODES, 3)).astype(np.float32)
KINDS = ("gcn", "gat", "gatv2", "gin", "gcnii")


def loops() -> np.ndarray:
    return np.asarray(GRAPH.adjacency.dense()) + np.eye(NODES)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def net(kind: str, depth: int = 4, **options) -> GraphNet:
    return GraphNet(3, 4, 2, depth, "tanh", rngs=nnx.Rngs(0), kind=kind, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_an_option_of_another_kind_of_layer_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        net(kind, **({"heads": 2} if kind in ("gcn", "gin", "gcnii") else {"alpha": 0.1}))


def test_a_plain_net_is_the_dense_formula() -> None:
    model = net("gcn")
    d = loops().sum(1)
    p, h = loops() / np.sqrt(np.outer(d, d)), X
    stacked = zip(model.hidden.kernel[...], model.hidden.bias[...], strict=True)
    layers = [(model.first.kernel[...], 0), *stacked, (model.last.kernel[...], 0)]
    for i, (kernel, bias) in enumerate(layers):
        h = p @ h @ np.asarray(kernel) + np.asarray(bias)
        h = np.tanh(h) if i < 3 else h
    found = jax.jit(lambda model, operator, x: model(operator, x))(model, operator_for("gcn", GRAPH), jnp.asarray(X))
    np.testing.assert_allclose(found, h, atol=1e-5)


@pytest.mark.parametrize("second", [False, True])
def test_attention_is_the_dense_formula(second: bool) -> None:
    layer = GraphAttention(3, 4, rngs=nnx.Rngs(1), heads=2, second=second)
    found = layer(GRAPH.with_loops(), jnp.asarray(X))
    kernel, vectors = np.asarray(layer.kernel[...]), np.asarray(layer.vectors[...])
    expected = np.zeros((NODES, 2, 2))
    for head in range(2):
        receive, send = X @ kernel[0, :, head], X @ kernel[-1, :, head]
        for i in range(NODES):
            near = np.flatnonzero(loops()[i])
            if second:
                scores = np.array([vectors[0, head] @ leaky(receive[i] + send[j]) for j in near])
            else:
                scores = np.array([leaky(vectors[0, head] @ receive[i] + vectors[1, head] @ send[j]) for j in near])
            share = np.exp(scores) / np.exp(scores).sum()
            expected[i, head] = share @ send[near]
    np.testing.assert_allclose(found, expected.reshape(NODES, 4), atol=1e-5)


def test_isomorphism_layer_is_the_dense_formula() -> None:
    model = net("gin", depth=2)
    model.first.epsilon[...] = jnp.asarray(0.3)
    first, last, h = model.first, model.last, X
    for i, layer in enumerate((first, last)):
        mixed = (1 + float(layer.epsilon[...])) * h + (loops() - np.eye(NODES)) @ h
        h = np.tanh(mixed @ np.asarray(layer.kernel[...])) @ np.asarray(layer.outer_kernel[...])
        h = np.tanh(h) if i == 0 else h
    np.testing.assert_allclose(model(operator_for("gin", GRAPH), jnp.asarray(X)), h, atol=1e-5)


def test_initial_residual_is_the_dense_formula() -> None:
    layer = InitialResidual(3, 4, alpha=0.2, decay=0.5, rngs=nnx.Rngs(0))
    start, beta = np.ones_like(X), np.log(0.5 / 4 + 1)
    mixed = 0.8 * np.asarray(GRAPH.normalized().dense()) @ X + 0.2 * start
    expected = mixed @ ((1 - beta) * np.eye(3) + beta * np.asarray(layer.kernel[...]))
    found = layer(GRAPH.normalized(), jnp.asarray(X), jnp.asarray(start), None)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nets_are_equivariant_and_blind_to_padding_and_take_sparse_features(kind: str) -> None:
    model = net(kind, depth=3, residual=True, norm="global")
    run = jax.jit(lambda operator, x, mask: model(operator, x, mask=mask))
    order = np.array([3, 0, 5, 1, 4, 2])
    place = np.argsort(order)  # old node -> new place
    mask = (jnp.arange(8) < NODES).astype(jnp.float32)

    def features(x: np.ndarray) -> Sparse:
        return Sparse.of(*np.nonzero(x), x[np.nonzero(x)], (8, 3))  # two rows of padding

    def loss(model: GraphNet, operator: Sparse) -> tuple[jax.Array, jax.Array]:
        out = model(operator, jnp.asarray(X), mask=jnp.ones(NODES))
        return jnp.sum(out**2), out

    grads, out = jax.jit(jax.grad(loss, has_aux=True))(model, operator_for(kind, GRAPH))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(nnx.state(grads, nnx.Param)))
    for links, x, expected in ((LINKS, X, out), (place[LINKS], X[order], out[order])):
        padded = run(operator_for(kind, Graph.from_links(links, NODES).padded(8, 16)), features(x), mask)
        np.testing.assert_allclose(padded[:NODES], expected, atol=1e-4)


def test_program_size_does_not_grow_with_depth() -> None:
    def lines(depth: int) -> int:
        model, operator = net("gcn", depth), operator_for("gcn", GRAPH)
        return len(str(jax.make_jaxpr(lambda x: model(operator, x))(X)).splitlines())

    assert lines(40) == lines(5)


def test_pair_norm() -> None:
    y = np.asarray(pair_norm(jnp.asarray(X), scale=2.0))
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    assert np.mean(np.sum(y**2, 1)) == pytest.approx(4.0, rel=1e-4)
    individual = np.asarray(pair_norm(jnp.asarray(X), "individual"))
    np.testing.assert_allclose(np.linalg.norm(individual, axis=1), 1.0, rtol=1e-4)


def test_dropout_keeps_the_mean_and_refuses_bad_rates() -> None:
    y = dropout(jax.random.key(0), jnp.ones((200, 200)), 0.6)
    assert float(jnp.mean(y)) == pytest.approx(1.0, abs=0.03)
    assert float(jnp.mean(y == 0)) == pytest.approx(0.6, abs=0.01)
    with pytest.raises(ValueError, match="rate"):
        dropout(jax.random.key(0), y, 1.0)


def test_bad_nets_are_refused() -> None:
    with pytest.raises(ValueError, match="depth"):
        net("gcn", depth=1)
    with pytest.raises(ValueError, match="layers of kind gat weigh no loops"):
        operator_for("gat", GRAPH, 2.0)
    with pytest.raises(ValueError, match="heads"):
        GraphAttention(3, 5, heads=2, rngs=nnx.Rngs(0))
    assert al.leaky_relu.facts.slope is not None
