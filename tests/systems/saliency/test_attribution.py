"""Completeness, closed forms, and laws that every method has to obey."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.bounds import network
from actlab.nets import MLP
from actlab.systems.saliency import (
    SaliencyError,
    class_score,
    deep_lift,
    exact_integrated_gradients,
    exact_paths,
    expected_gradients,
    gradient,
    input_times_gradient,
    integrated_gradients,
    node_values,
    quadrature_nodes,
    relevance,
    smooth_gradient,
)

INPUTS, CLASSES = 10, 3


def net(activation, bias=0.3, dtype=jnp.float64):
    """A net of two hidden layers whose biases are not 0."""
    model = MLP((INPUTS, 16, 16, CLASSES), activation, rngs=nnx.Rngs(1))
    for key, layer in zip(jax.random.split(jax.random.key(3), 3), list(model.layers), strict=True):
        layer.bias[...] = bias * jax.random.normal(key, layer.bias.shape, jnp.float32)
    graphdef, state = nnx.split(model)
    return nnx.merge(graphdef, jax.tree.map(lambda v: v.astype(dtype), state))


def examples(count=4, dtype=jnp.float64):
    return jax.random.normal(jax.random.key(0), (count, INPUTS), dtype)


LABELS = jnp.array([0, 1, 2, 0])


def test_gauss_legendre_is_complete_for_smooth_activations(float64):
    """The sum of integrated gradients is F(x) - F(0), to 1e-10 by 16 gradients; what facts foretell is near enough."""
    x = examples()
    for name in ("tanh", "softplus", "gelu", "swish"):
        model = net(al.get(name))
        score, graph = class_score(model, LABELS), network(model, (INPUTS,), jnp.float64)
        foretold = max(quadrature_nodes(graph, v) for v in x)
        assert 4 <= foretold <= 16, (name, foretold)
        maps, fewer, change = jax.jit(
            lambda x, s=score, n=foretold: (
                integrated_gradients(s, x, nodes=16),
                integrated_gradients(s, x, nodes=n),
                s(x) - s(jnp.zeros_like(x)),
            )
        )(x)
        np.testing.assert_allclose(jnp.sum(maps, 1), change, rtol=0, atol=1e-10)
        np.testing.assert_allclose(jnp.sum(fewer, 1), change, rtol=0, atol=1e-9)  # foretold for 1e-10
        assert quadrature_nodes(graph, 5 * x[0]) > quadrature_nodes(graph, x[0]) > quadrature_nodes(graph, 0.1 * x[0])


def test_nodes_are_foretold_of_smooth_activations_only():
    graph = network(MLP((INPUTS, 4, 1), al.relu, rngs=nnx.Rngs(0)), (INPUTS,))
    with pytest.raises(al.FactError, match="relu has or is known to have none.*exact_integrated_gradients"):
        quadrature_nodes(graph, examples(1, jnp.float32)[0])
    with pytest.raises(SaliencyError, match=r"tolerance = 0.0 must be between 0 and 1"):
        quadrature_nodes(graph, examples(1, jnp.float32)[0], tolerance=0.0)


def test_exact_integrated_gradients_compile_once(float64):
    """Two programs for a network, whatever the example, the row and the baseline, and however many kinks are met."""
    model = net(al.relu)
    graph = network(model, (INPUTS,), jnp.float64)
    programs = (exact_paths.preactivations, exact_paths._gradients)
    before = [p._cache_size() for p in programs]
    for scale, k in ((1.0, 0), (30.0, 1), (1e-3, 2)):
        x = scale * examples(1)[0]
        found = exact_integrated_gradients(graph, x, jnp.eye(CLASSES)[k], 0.1 * k)
        change = (model(x[None]) - model(jnp.full((1, INPUTS), 0.1 * k)))[0, k]
        np.testing.assert_allclose(found.sum(), change, rtol=1e-12, atol=1e-13)
    assert [p._cache_size() - b for p, b in zip(programs, before, strict=True)] == [1, 1]


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hard_tanh"])
def test_exact_integrated_gradients_are_complete_and_the_limit_of_quadrature(name, float64):
    model, x, start = net(al.get(name)), examples(), 0.1
    graph, score = network(model, (INPUTS,), jnp.float64), class_score(model, LABELS)
    maps = np.stack(
        [exact_integrated_gradients(graph, v, jnp.eye(CLASSES)[k], start) for v, k in zip(x, LABELS, strict=True)]
    )
    np.testing.assert_allclose(maps.sum(1), score(x) - score(jnp.full_like(x, start)), rtol=0, atol=1e-12)
    by_quadrature = jax.jit(lambda x: integrated_gradients(score, x, start, nodes=2000))(x)
    np.testing.assert_allclose(maps, by_quadrature, rtol=0, atol=2e-3)
    few = jax.jit(lambda x: integrated_gradients(score, x, start, nodes=16))(x)
    worst = np.abs(few.sum(1) - (score(x) - score(jnp.full_like(x, start)))).max()
    assert worst > 1e-5  # what quadrature misses


def test_exact_integrated_gradients_name_what_is_missing(float64):
    with pytest.raises(al.FactError, match="tanh is not known to be one.*integrated_gradients"):
        exact_integrated_gradients(network(net(al.tanh), (INPUTS,), jnp.float64), examples()[0], jnp.eye(CLASSES)[0])


def test_deep_lift_and_relevance_conserve_the_score(float64):
    x = examples(1)[0]
    row = jnp.eye(CLASSES)[1]
    for name in ("relu", "gelu", "sin"):
        graph = network(net(al.get(name)), (INPUTS,), jnp.float64)
        value, base = (node_values(graph, v)[graph.output] for v in (x, jnp.full_like(x, 0.2)))
        lifted = jax.jit(lambda x, g=graph: deep_lift(g, x, row, 0.2))(x)
        np.testing.assert_allclose(jnp.sum(lifted), (value - base)[1], rtol=1e-10)
        np.testing.assert_allclose(value, net(al.get(name))(x[None])[0], rtol=1e-12)
    plain = net(al.relu, bias=0.0)
    graph, score = network(plain, (INPUTS,), jnp.float64), class_score(plain, jnp.array([1]))
    expected = input_times_gradient(score, x[None])[0]
    np.testing.assert_allclose(jnp.sum(expected), score(x[None])[0], rtol=1e-10)  # positively homogeneous
    np.testing.assert_allclose(relevance(graph, x, row, epsilon=1e-12), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(deep_lift(graph, x, row), expected, atol=2.0)  # another path: only of the same size
    for gamma in (0.0, 0.25):
        shares = jax.jit(lambda x, g=gamma: relevance(graph, x, row, epsilon=1e-12, gamma=g))(x)
        np.testing.assert_allclose(jnp.sum(shares), score(x[None])[0], rtol=1e-8)


def test_smooth_gradient_of_relus_is_the_gaussian_gate():
    """E relu'(z + s e) = Phi(z / s), to Monte-Carlo error."""
    weights = jax.random.normal(jax.random.key(1), (INPUTS, 8)) / INPUTS**0.5
    x, s = examples(2, jnp.float32), 0.5
    score = lambda x: jnp.sum(al.relu(x @ weights), 1)  # noqa: E731
    found = jax.jit(lambda x: smooth_gradient(score, x, jax.random.key(2), deviation=s, samples=4000))(x)
    gate = jax.scipy.stats.norm.cdf(x @ weights / (s * jnp.linalg.norm(weights, axis=0, keepdims=True)))
    # A gate's deviation is at most sqrt(p (1 - p)); of their weighted sum the deviations' sum bounds it.
    error = jnp.sqrt(gate * (1 - gate)) @ jnp.abs(weights).T / 4000**0.5
    np.testing.assert_array_less(jnp.abs(found - gate @ weights.T), 3 * error)


def test_expected_gradients_are_complete_on_average():
    x, rows = examples(2, jnp.float32), examples(64, jnp.float32) + 1
    score = class_score(net(al.tanh, dtype=jnp.float32), LABELS[:2])
    many = class_score(net(al.tanh, dtype=jnp.float32), jnp.repeat(LABELS[:2], 64))
    found = jax.jit(lambda x: expected_gradients(score, x, rows, jax.random.key(5), samples=6000))(x)
    mean = jnp.mean(many(jnp.tile(rows, (2, 1))).reshape(2, 64), 1)
    np.testing.assert_allclose(jnp.sum(found, 1), score(x) - mean, atol=0.1)


def test_linear_scores_are_explained_by_their_coefficients():
    coefficients = jnp.arange(1.0, 1.0 + INPUTS)
    score = lambda x: x @ coefficients  # noqa: E731
    x = examples(2, jnp.float32)
    np.testing.assert_allclose(gradient(score, x), jnp.stack([coefficients] * 2), rtol=1e-6)
    np.testing.assert_allclose(integrated_gradients(score, x, nodes=1), x * coefficients[None], rtol=1e-5)
    for wrong in (
        lambda: integrated_gradients(score, x, nodes=0),
        lambda: smooth_gradient(score, x, jax.random.key(0), samples=0),
        lambda: expected_gradients(score, x, x, jax.random.key(0), samples=0),
    ):
        with pytest.raises(SaliencyError, match="must be at least 1|samples = 0|nodes = 0"):
            wrong()
