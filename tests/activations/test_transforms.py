"""The whole zoo under jax's transformations, and with or without compilation, device placement and pmap."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo_table import CASES, EXACT

import actlab.activations as al

X = np.concatenate([np.linspace(-6, 6, 61), [-90.0, 90.0, -1e4, 1e4]]).astype(np.float32)


def table(x) -> dict:
    """Value and slope of every activation: one program when compiled."""
    return {name: (act(x), act.slope(x)) for name, act in CASES.items()}


@pytest.fixture(scope="module")
def reference() -> dict:
    return jax.device_get(jax.jit(table)(X))


class Variants(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_pmap=True)
    def test_the_same_numbers_however_it_is_run(self):
        expected = jax.device_get(jax.jit(table)(X))
        found = jax.device_get(self.variant(table)(X))
        for name in CASES:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_vmap_equals_a_loop(reference):
    found = jax.device_get(jax.jit(jax.vmap(table))(X))
    for name in CASES:
        np.testing.assert_allclose(found[name], reference[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_reverse_mode_equals_forward_mode(reference):
    @jax.jit
    def gradients(x):
        return {name: jax.vjp(act, x)[1](jnp.ones_like(x))[0] for name, act in EXACT.items()}

    for name, gradient in gradients(X).items():
        np.testing.assert_allclose(gradient, reference[name][1], rtol=1e-5, atol=1e-6, err_msg=name)


def test_hessian_of_a_sum_is_the_curvature():
    x = jnp.linspace(-2.3, 2.1, 5)

    @jax.jit
    def both(x):
        smooth = {name: act for name, act in EXACT.items() if act.facts.smoothness == al.SMOOTH}
        hessians = {name: jax.hessian(lambda x, a=act: a(x).sum())(x) for name, act in smooth.items()}
        return hessians, {name: jnp.diag(act.curvature(x)) for name, act in smooth.items()}

    hessians, curvatures = both(x)
    for name, hessian in hessians.items():
        np.testing.assert_allclose(hessian, curvatures[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_facts_follow_parameters_under_vmap():
    betas = jnp.asarray([0.5, 1.0, 2.0])
    bounds = jax.vmap(lambda b: al.softplus.bind(beta=b).facts.curvature)(betas)
    np.testing.assert_allclose(bounds.upper, betas / 4)
    lower = jax.vmap(lambda b: al.swish.bind(beta=b).facts.range.lower)(betas)
    np.testing.assert_allclose(lower, -0.27846454 / betas, rtol=1e-6)


def test_one_slope_for_each_channel():
    act = al.prelu.bind(alpha=jnp.asarray([0.1, 0.2, -0.3]))
    np.testing.assert_allclose(act(-jnp.ones((2, 3))), [[-0.1, -0.2, 0.3]] * 2)
    np.testing.assert_allclose(act.facts.slope.lower, [0.1, 0.2, -0.3])
    assert act.facts.monotone == "unknown"
    assert act.facts.inverse is None


def test_aliases_name_members_and_are_no_members():
    assert set(al.ALIASES.values()) <= set(al.ZOO)
    assert not set(al.ALIASES) & set(al.ZOO)
    assert al.get("silu") is al.swish


TORCH = """Threshold ReLU ReLU6 RReLU Hardtanh Sigmoid Hardsigmoid Tanh SiLU Mish Hardswish ELU CELU SELU GELU
    Hardshrink LeakyReLU LogSigmoid Softplus Softshrink PReLU Softsign Tanhshrink Identity"""
KERAS = """relu leaky_relu relu6 elu selu softplus softsign soft_shrink sparse_plus silu squareplus gelu celu tanh
    tanh_shrink hard_tanh hard_shrink threshold sigmoid exponential hard_sigmoid log_sigmoid sparse_sigmoid
    hard_silu linear mish"""
JAX = """identity relu relu6 squareplus softplus sparse_plus soft_sign sigmoid sparse_sigmoid silu mish log_sigmoid elu
    leaky_relu hard_tanh celu selu gelu hard_sigmoid hard_silu"""


@pytest.mark.parametrize("name", sorted({*TORCH.split(), *KERAS.split(), *JAX.split()}))
def test_the_elementwise_ones_of_torch_keras_and_jax_are_here(name):
    assert al.get(name).name in al.ZOO


@pytest.mark.parametrize("name", [n for n in JAX.split() if n != "gelu"])
def test_the_defaults_are_those_of_jax(name):
    x = jnp.linspace(-5.0, 5.0, 41)
    np.testing.assert_allclose(al.get(name)(x), getattr(jax.nn, name)(x), rtol=1e-4, atol=1e-6)


def test_the_clashing_defaults():
    x = jnp.linspace(-5.0, 5.0, 41)
    np.testing.assert_allclose(al.gelu(x), jax.nn.gelu(x, approximate=False), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(al.gelu_tanh(x), jax.nn.gelu(x), rtol=1e-3, atol=1e-6)
    assert al.leaky_relu.parameters == {"negative_slope": 0.01}


@pytest.mark.parametrize("name", al.ZOO)
def test_every_member_is_documented_and_exported(name):
    act = al.ZOO[name]
    assert act.definition.doc
    assert act.definition.source
    assert act.facts.standing == "declared"
    assert getattr(al, name) is act
