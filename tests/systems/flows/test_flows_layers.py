"""Layers: what each may depend on, mixing matrices, residual layers, and stacks that compile as one layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_table import shaken

import actlab.activations as al
from actlab.systems.flows import (
    Affine,
    Featurewise,
    Mixture,
    autoregressive_flow,
    coupling_flow,
    elementwise_flow,
    mixing,
    perceptron,
    residual,
)
from actlab.systems.flows.coupling import Autoregressive, Coupling


def test_couplings_copy_the_first_features_and_move_the_rest_by_them():
    x = jnp.array([0.3, -1.0, 2.0, 0.5, -0.7])

    def build(key):
        return Coupling(perceptron(key, (2, 8, 6), "tanh"), Affine(), 5, 2)

    layer = shaken(jax.jit(build)(jax.random.key(0)))
    jacobian, (y, log_det), raw = jax.device_get(
        jax.jit(lambda m: (jax.jacfwd(m.forward)(x), m.forward_and_log_det(x), m.conditioner(x[:2, None])))(layer)
    )
    np.testing.assert_array_equal(jacobian[:2], np.eye(5)[:2])
    moved = jacobian[2:, 2:]
    assert (moved == np.diag(np.diag(moved))).all()
    assert (jacobian[2:, :2] != 0).all()
    # The closed form of an affine coupling.
    raw = raw.reshape(2, 3)
    log_scale = raw[0] / (1 + np.abs(raw[0]) / np.log(50.0))
    np.testing.assert_allclose(y[2:], np.asarray(x[2:]) * np.exp(log_scale) + raw[1], rtol=1e-5)
    np.testing.assert_allclose(log_det, log_scale.sum(), rtol=1e-5)


@pytest.mark.parametrize("conditions", [0, 2])
def test_autoregression_is_triangular(conditions):
    shape = {"layers": 1, "hidden": (16, 16), "conditions": conditions, "transform": Affine(), "activation": "tanh"}
    flow = shaken(jax.jit(lambda key: autoregressive_flow(key, 4, **shape))(jax.random.key(0)))
    layer = flow.bijector.layer(0).parts[1]
    assert isinstance(layer, Autoregressive)

    def image(x, c):
        return layer.forward(x, c if conditions else None)

    jacobian, by_condition = jax.device_get(jax.jit(jax.jacfwd(image, (0, 1)))(jnp.arange(4.0), jnp.ones(conditions)))
    assert (np.triu(jacobian, 1) == 0).all()
    assert (jacobian[np.tril_indices(4)] != 0).all()
    assert (by_condition != 0).all()


KINDS = ("lu", "orthogonal", "cayley", "permutation")


def test_mixing_is_linear_with_the_log_determinant_of_its_matrix(float64):
    x = jax.random.normal(jax.random.key(2), (7, 5))
    layers = shaken(jax.jit(lambda key: {kind: mixing(kind, key, 5) for kind in KINDS})(jax.random.key(1)))

    def of_one(layer):
        y, log_det = layer.forward_and_log_det(x)
        matrix, bounds = jax.jacfwd(layer.forward)(jnp.zeros(5)), layer.log_det_bounds
        return matrix, y, log_det, layer.inverse(y), layer.inverse_lipschitz, (bounds.lower, bounds.upper)

    found = jax.device_get(jax.jit(lambda layers: {kind: of_one(layer) for kind, layer in layers.items()})(layers))
    for kind, (matrix, y, log_det, back, gain, (lower, upper)) in found.items():
        np.testing.assert_allclose(y, x @ matrix.T, atol=1e-12, err_msg=kind)
        np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1], atol=1e-12, err_msg=kind)
        np.testing.assert_allclose(back, x, atol=1e-11, err_msg=kind)
        if kind != "lu":
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-12, err_msg=kind)
        assert gain >= (1 - 1e-12) / np.linalg.svd(matrix, compute_uv=False)[-1], kind
        assert lower - 1e-12 <= log_det[0] <= upper + 1e-12, kind


def test_residual_layers_contract_whatever_their_net_has_learned(float64):
    x = 3 * jax.random.normal(jax.random.key(1), (300, 3))
    towards = jax.random.normal(jax.random.key(2), x.shape)
    build = jax.jit(lambda key: residual(key, 3, hidden=(8,), lipschitz=0.8))
    layer = shaken(build(jax.random.key(0)), size=20.0)

    @jax.jit
    def run(layer):
        y, log_det = layer.forward_and_log_det(x)
        back, inverse_log_det = layer.inverse_and_log_det(y)
        gradient = jax.grad(lambda layer: layer.inverse(y).sum())(layer)
        return jax.vmap(jax.jacfwd(layer.forward))(x), y, log_det, back, inverse_log_det, gradient

    jacobian, y, log_det, back, inverse_log_det, gradient = run(layer)
    norms = np.linalg.svd(np.asarray(jacobian) - np.eye(3), compute_uv=False)
    assert 0.05 < norms.max() <= 0.8
    np.testing.assert_allclose(back, x, atol=1e-11)
    np.testing.assert_allclose(log_det + inverse_log_det, 0, atol=1e-12)
    assert all(jnp.isfinite(v).all() for v in jax.tree.leaves(gradient))
    # The derivative of the inverse against differences.
    inverse = jax.jit(layer.inverse)
    slope = jax.jit(lambda y: jax.jvp(layer.inverse, (y,), (towards,))[1])(y)
    rough = (inverse(y + 1e-6 * towards) - inverse(y - 1e-6 * towards)) / 2e-6
    assert np.median(np.abs(slope - rough)) < 1e-8  # elu bends at 0


@pytest.mark.exhaustive
def test_the_estimate_of_a_residual_log_determinant_is_off_by_its_proved_bias_at_most(float64):
    layer = jax.jit(lambda key: residual(key, 4, hidden=(16,), lipschitz=0.9))(jax.random.key(3))
    x = jax.random.normal(jax.random.key(4), (5, 4))
    keys = jax.random.split(jax.random.key(5), 4000)

    @jax.jit
    def run(layer):
        estimates = [jax.vmap(lambda k, t=t: layer.estimated_log_det(k, x, terms=t))(keys) for t in (1, 2, 12)]
        return layer.forward_log_det_jacobian(x), estimates

    exact, estimates = run(layer)
    for values, biases in estimates:
        bias = biases[0]
        error = 4 * values.std(0) / 4000**0.5
        assert (jnp.abs(values.mean(0) - exact) <= bias + error).all()
    assert bias < 1.0
    assert (jnp.abs(values.mean(0) - exact) <= 0.02 + error).all()


def test_residual_layers_refuse_a_steep_or_jumping_net():
    with pytest.raises(al.FactError, match="Lipschitz constant of its net"):
        residual(jax.random.key(0), 2, activation="square")
    with pytest.raises(ValueError, match=r"lipschitz = 1.0 must be in \(0, 1\)"):
        residual(jax.random.key(0), 2, lipschitz=1.0)


def test_a_stack_compiles_as_one_layer_whatever_its_depth():
    """The program of 40 layers has as many operations as that of 5."""

    def operations(depth: int) -> int:
        flow = jax.eval_shape(lambda key: coupling_flow(key, 4, layers=depth, hidden=(8,)), jax.random.key(0))
        loss = jax.grad(lambda flow, x: flow.log_prob(x).mean(), allow_int=True)
        text = jax.jit(loss).lower(flow, jax.ShapeDtypeStruct((16, 4), jnp.float32)).as_text()
        return text.count("\n")

    assert operations(40) == operations(5)


def test_layers_have_parameters_of_their_own():
    flow = jax.jit(lambda key: coupling_flow(key, 4, layers=3))(jax.random.key(0))
    kernel = flow.bijector.layers.parts[1].conditioner.kernels[0]
    assert kernel.shape[0] == 3
    assert (kernel[0] != kernel[1]).any()


@pytest.mark.parametrize("constructor", [coupling_flow, autoregressive_flow])
def test_marginals_are_functions_of_single_features_before_all_layers(constructor):
    flow = jax.eval_shape(lambda key: constructor(key, 3, layers=2, marginals=Mixture(5)), jax.random.key(0))
    first, layers = flow.bijector.parts
    assert isinstance(first, Featurewise)
    assert first.raw.shape == (Mixture(5).outputs, 3)
    assert layers.depth == 2


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
