"""Layers: what each may depend on, mixing matrices, residual layers, and stacks that compile as one layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_table import shaken

import actlab.activations as al
from actlab.systems.flows import (
    Affine,
    autoregressive_flow,
    coupling_flow,
    elementwise_flow,
    mixing,
    perceptron,
    residual,
)
from actlab.systems.flows.coupling import Autoregressive, Coupling


def test_couplings_copy_the_first_features_and_move_the_rest_by_them():
    net = perceptron(jax.random.key(0), (2, 8, 6), "tanh")
    layer = shaken(Coupling(net, Affine(), 5, 2))
    jacobian = np.asarray(jax.jacfwd(layer.forward)(jnp.arange(5.0)))
    np.testing.assert_array_equal(jacobian[:2], np.eye(5)[:2])
    moved = jacobian[2:, 2:]
    assert (moved == np.diag(np.diag(moved))).all()
    assert (jacobian[2:, :2] != 0).all()
    # The closed form of an affine coupling.
    x = jnp.array([[0.3, -1.0, 2.0, 0.5, -0.7]])
    raw = layer.conditioner(x[:, :2].T).reshape(2, 3)
    log_scale = raw[0] / (1 + jnp.abs(raw[0]) / np.log(50.0))
    y, log_det = layer.forward_and_log_det(x)
    np.testing.assert_allclose(y[0, 2:], x[0, 2:] * jnp.exp(log_scale) + raw[1], rtol=1e-5)
    np.testing.assert_allclose(log_det[0], log_scale.sum(), rtol=1e-5)


@pytest.mark.parametrize("conditions", [0, 2])
def test_autoregression_is_triangular(conditions):
    layer = autoregressive_flow(
        jax.random.key(0), 4, layers=1, hidden=(16, 16), conditions=conditions, transform=Affine(), activation="tanh"
    )
    layer = shaken(layer).bijector.layer(0).parts[1]
    assert isinstance(layer, Autoregressive)
    condition = jnp.ones(conditions) if conditions else None
    jacobian = np.asarray(jax.jacfwd(lambda x: layer.forward(x, condition))(jnp.arange(4.0)))
    assert (np.triu(jacobian, 1) == 0).all()
    assert (jacobian[np.tril_indices(4)] != 0).all()
    if conditions:
        by_condition = np.asarray(jax.jacfwd(lambda c: layer.forward(jnp.arange(4.0), c))(condition))
        assert (by_condition != 0).all()


@pytest.mark.parametrize("kind", ["lu", "orthogonal", "cayley", "permutation"])
def test_mixing_is_linear_with_the_log_determinant_of_its_matrix(kind, float64):
    layer = shaken(mixing(kind, jax.random.key(1), 5))
    x = jax.random.normal(jax.random.key(2), (7, 5))
    matrix = jax.jacfwd(layer.forward)(jnp.zeros(5))
    y, log_det = layer.forward_and_log_det(x)
    np.testing.assert_allclose(y, x @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1], atol=1e-12)
    np.testing.assert_allclose(layer.inverse(y), x, atol=1e-11)
    if kind != "lu":
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-12)
    assert layer.inverse_lipschitz >= (1 - 1e-12) / np.linalg.svd(matrix, compute_uv=False)[-1]
    bounds = layer.log_det_bounds
    assert float(bounds.lower) - 1e-12 <= float(log_det[0]) <= float(bounds.upper) + 1e-12


def test_residual_layers_contract_whatever_their_net_has_learned(float64):
    layer = shaken(residual(jax.random.key(0), 3, hidden=(8,), lipschitz=0.8), size=20.0)
    x = 3 * jax.random.normal(jax.random.key(1), (300, 3))
    jacobian = jax.vmap(jax.jacfwd(layer.forward))(x)
    singular = jnp.linalg.svd(jacobian - jnp.eye(3)[None], compute_uv=False)
    assert 0.05 < singular.max() <= 0.8
    y, log_det = layer.forward_and_log_det(x)
    back, inverse_log_det = layer.inverse_and_log_det(y)
    np.testing.assert_allclose(back, x, atol=1e-13 * 100)
    np.testing.assert_allclose(log_det + inverse_log_det, 0, atol=1e-12)
    # The derivative of the inverse, and of its log-determinant, against differences.
    towards = jax.random.normal(jax.random.key(2), y.shape)
    slope = jax.jvp(layer.inverse, (y,), (towards,))[1]
    rough = (layer.inverse(y + 1e-6 * towards) - layer.inverse(y - 1e-6 * towards)) / 2e-6
    assert np.median(np.abs(slope - rough)) < 1e-8  # elu bends at 0
    gradient = jax.grad(lambda layer: layer.inverse(y).sum())(layer)
    assert all(jnp.isfinite(v).all() for v in jax.tree.leaves(gradient))


def test_the_estimate_of_a_residual_log_determinant_is_off_by_its_proved_bias_at_most(float64):
    layer = residual(jax.random.key(3), 4, hidden=(16,), lipschitz=0.9)
    x = jax.random.normal(jax.random.key(4), (5, 4))
    exact = layer.forward_log_det_jacobian(x)
    for terms in (1, 2, 12):
        values, bias = jax.vmap(lambda k, t=terms: layer.estimated_log_det(k, x, terms=t))(
            jax.random.split(jax.random.key(5), 4000)
        )
        error = 4 * values.std(0) / 4000**0.5
        assert (jnp.abs(values.mean(0) - exact) <= bias[0] + error).all()
    assert bias[0] < 1.0
    assert (jnp.abs(values.mean(0) - exact) <= 0.02 + error).all()


def test_residual_layers_refuse_a_steep_or_jumping_net():
    with pytest.raises(al.FactError, match="Lipschitz constant of its net"):
        residual(jax.random.key(0), 2, activation="square")
    with pytest.raises(ValueError, match=r"lipschitz = 1.0 must be in \(0, 1\)"):
        residual(jax.random.key(0), 2, lipschitz=1.0)


def test_a_stack_compiles_as_one_layer_whatever_its_depth():
    """The program of 40 layers has as many operations as that of 5."""

    def operations(depth: int) -> int:
        flow = coupling_flow(jax.random.key(0), 4, layers=depth, hidden=(8,))
        loss = jax.grad(lambda flow, x: flow.log_prob(x).mean(), allow_int=True)
        text = jax.jit(loss).lower(flow, jnp.zeros((16, 4))).as_text()
        return text.count("\n")

    assert operations(40) == operations(5)


def test_layers_have_parameters_of_their_own():
    flow = coupling_flow(jax.random.key(0), 4, layers=3)
    kernel = flow.bijector.layers.parts[1].conditioner.kernels[0]
    assert kernel.shape[0] == 3
    assert (kernel[0] != kernel[1]).any()


def test_constructors_refuse_numbers_that_do_not_fit():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="features = 1"):
        coupling_flow(key, 1)
    with pytest.raises(ValueError, match="0 layers"):
        elementwise_flow(key, 2, layers=0)
    with pytest.raises(ValueError, match="known: lu, orthogonal"):
        coupling_flow(key, 2, mixing="fourier")
    with pytest.raises(ValueError, match="features = 0"):
        autoregressive_flow(key, 0)
    with pytest.raises(ValueError, match="most = 1"):
        Affine(1.0)
