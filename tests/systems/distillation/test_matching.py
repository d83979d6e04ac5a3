"""Products against dense derivatives, directions against their expectations, and what facts foretell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.nets import MLP
from actlab.systems.distillation import (
    DistillationError,
    IncapableStudentWarning,
    Recipe,
    capability,
    contest,
    derivatives,
    directions,
    estimated_errors,
    hint,
    is_smooth,
    matching_loss,
    relative_errors,
    sizes,
    soft_and_hard,
    soft_targets,
    warn_incapable,
)
from actlab.training import seed_keys

ROWS, INPUTS, OUTPUTS = 7, 4, 3


def net(activation, seed=0):
    return MLP((INPUTS, 8, OUTPUTS), activation, rngs=nnx.Rngs(seed))


def test_products_are_those_of_the_dense_derivatives(float64):
    x = jax.random.normal(jax.random.key(0), (ROWS, INPUTS), jnp.float64)
    single = net(al.swish)
    model = nnx.merge(nnx.graphdef(single), jax.tree.map(lambda v: v.astype(jnp.float64), nnx.state(single)))
    u, v = directions(jax.random.key(1), x, OUTPUTS)

    @jax.jit
    def both(x):
        one = lambda row: model(row[None])[0]  # noqa: E731
        dense = model(x), jax.vmap(jax.jacobian(one))(x), jax.vmap(jax.hessian(one))(x)
        return derivatives(model, x, u, v), dense

    found, (value, jacobian, hessian) = both(x)
    np.testing.assert_allclose(np.linalg.norm(u, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found.value, value, rtol=1e-12)
    np.testing.assert_allclose(found.gradient, np.einsum("ro,roi->ri", u, jacobian), rtol=1e-10, atol=1e-13)
    expected = np.einsum("ro,roij,rj->ri", u, hessian, v)
    np.testing.assert_allclose(found.curvature, expected, rtol=1e-10, atol=1e-13)


def test_directions_are_unit_vectors_of_independent_signs():
    x = jnp.zeros((2000, 70))  # three words of 32 signs, the last cut
    u, v = jax.jit(lambda key: directions(key, x, 1))(jax.random.key(0))
    np.testing.assert_allclose(np.abs(v), 70**-0.5, rtol=1e-6)
    assert set(np.unique(u)) == {-1.0, 1.0}
    correlation = 70 * np.asarray(v).T @ np.asarray(v) / 2000
    np.testing.assert_allclose(correlation, np.eye(70), atol=5 / 2000**0.5)  # of rows as of columns
    np.testing.assert_allclose(70 * np.mean(v[1:] * v[:-1]), 0, atol=5 / (2000 * 70) ** 0.5)


def test_mean_squares_along_directions_are_frobenius_norms():
    """E |u . dH v|^2 = |dH|_F^2 / (outputs inputs), and the estimate of the errors converges to them."""
    x = jax.random.normal(jax.random.key(0), (ROWS, INPUTS))
    student, teacher = net(al.tanh), net(al.gelu, 1)
    exact = jax.jit(lambda x: relative_errors(student, teacher, x))(x)
    estimate = jax.jit(lambda k: estimated_errors(student, teacher, x, k, 4000))(jax.random.key(2))
    np.testing.assert_allclose(estimate, exact, rtol=0.03)
    same = jax.jit(lambda x: relative_errors(teacher, teacher, x))(x)
    assert all(float(e) == 0 for e in same)


def test_each_term_is_in_the_teachers_own_size():
    """Twice the teacher, twice the student: the same loss; and a constant student errs by about 1 in each."""
    x = jax.random.normal(jax.random.key(0), (200, INPUTS))
    teacher, student = net(al.tanh, 1), net(al.tanh, 2)

    def loss(factor, student, order=2):
        large = lambda x: factor * teacher(x)  # noqa: E731
        size = sizes(large, x, jax.random.key(5), order)
        weights = {"jacobian": 1.0, "curvature": 1.0, "order": order}
        return matching_loss(lambda x: factor * student(x), large, x, jax.random.key(3), size, **weights)

    mean = jnp.mean(teacher(x), 0, keepdims=True)
    constant = lambda x: jnp.broadcast_to(mean, (x.shape[0], OUTPUTS))  # noqa: E731
    one, large = jax.jit(lambda: (loss(1.0, student), loss(32.0, student)))()
    np.testing.assert_allclose(large, one, rtol=1e-5)
    nothing, values = jax.jit(lambda: (loss(1.0, constant), loss(1.0, constant, 0)))()
    np.testing.assert_allclose(nothing, 3, rtol=0.2)
    np.testing.assert_allclose(values, 1, rtol=1e-5)
    with pytest.raises(DistillationError, match="order = 3"):
        loss(1.0, student, 3)


def test_facts_foretell_what_cannot_be_matched():
    assert capability("relu").hessian == 1
    assert capability("relu").jacobian == 0
    assert capability("leaky_relu").hessian == 1
    for smooth in ("tanh", "gelu", "softplus", "sin"):
        assert capability(smooth).hessian == 0
    with pytest.warns(IncapableStudentWarning, match="cannot match curvature.*exactly 1"):
        warn_incapable("relu", 2)
    warn_incapable("relu", 1)
    with pytest.raises(al.FactError, match="surrogate"):
        capability(al.heaviside.with_surrogate(al.surrogates.sigmoid))
    assert is_smooth(al.tanh)
    assert not is_smooth(al.relu)


@pytest.mark.exhaustive
def test_what_was_foretold_is_measured_and_matching_helps():
    small = Recipe(teacher=(8, 8), student=(16,), points=60, test_points=200, steps=1500, weight_scale=1.5)
    keys = seed_keys((0, 1))
    flat = jax.vmap(contest("relu", small, (0, 2)))(keys)
    np.testing.assert_array_equal(flat.hessian, 1.0)
    smooth = jax.vmap(contest("tanh", small, (0, 2)))(keys)
    assert np.all(smooth.hessian[:, 1] < 0.5 * smooth.hessian[:, 0])
    assert np.all(smooth.hessian[:, 1] < 0.3)


def test_soft_targets_and_hints_by_their_definitions():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    for temperature in (1.0, 3.0):
        p, q = (np.exp(v / temperature) / np.exp(v / temperature).sum(1, keepdims=True) for v in (teacher, student))
        expected = temperature**2 * np.mean(np.sum(p * np.log(p / q), 1))
        found = soft_targets(jnp.asarray(student, jnp.float32), jnp.asarray(teacher, jnp.float32), temperature)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    labels = jnp.array([0, 1, 2, 3, 0])
    a, b = (jnp.asarray(v, jnp.float32) for v in (student, teacher))
    np.testing.assert_allclose(soft_and_hard(a, b, labels, hard=0.0), soft_targets(a, b), rtol=1e-6)
    np.testing.assert_allclose(hint(a, a, jnp.eye(4)), 0, atol=1e-7)
    np.testing.assert_allclose(hint(0 * a + b.mean(0, keepdims=True), b, jnp.eye(4)), 1, rtol=1e-5)
    for wrong in (lambda: soft_targets(a, b, 0.0), lambda: soft_and_hard(a, b, labels, hard=1.5)):
        with pytest.raises(DistillationError, match="must be"):
            wrong()
