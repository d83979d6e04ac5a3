import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import Facts, Interval


@al.activation(
    family="test",
    slope=lambda x, *, beta: jax.nn.sigmoid(beta * x) * (1 + beta * x * jax.nn.sigmoid(-beta * x)),
    facts=lambda beta: Facts(slope=Interval(-0.1, 1.1), range=Interval(-0.3, math.inf) * (1 / beta)),
    domains={"beta": al.POSITIVE},
)
def gate(x, *, beta=1.0):
    """A gate."""
    return x * jax.nn.sigmoid(beta * x)


X = jnp.linspace(-4.0, 4.0, 33)


def raw(x, beta=1.0):
    return x * jax.nn.sigmoid(beta * x)


def test_is_called_like_a_function() -> None:
    chex.assert_trees_all_close(gate(X), raw(X))
    chex.assert_trees_all_close(gate(X, beta=2.0), raw(X, 2.0))
    chex.assert_trees_all_close(gate.bind(beta=2.0)(X), raw(X, 2.0))
    assert gate.name == "gate"
    assert gate.__doc__ == "A gate."
    assert repr(gate.bind(beta=2.0)) == "gate(beta=2.0)"


def test_facts_follow_the_parameters() -> None:
    assert gate.facts.range is not None
    assert gate.bind(beta=2).facts.range.lower == pytest.approx(-0.15)
    batched = jax.vmap(lambda b: gate.bind(beta=b).facts.range)(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(batched.lower, [-0.3, -0.15], rtol=1e-6)


def test_derivatives_of_every_order_and_mode() -> None:
    for order, (mine, theirs) in enumerate(zip(_derivatives(gate), _derivatives(raw), strict=True)):
        np.testing.assert_allclose(mine(X), theirs(X), atol=2e-6 * 10**order)
    np.testing.assert_allclose(jax.vmap(jax.jacfwd(gate))(X), jax.vmap(jax.grad(gate))(X), rtol=1e-6)
    np.testing.assert_allclose(gate.slope(X), jax.vmap(jax.grad(gate))(X), rtol=1e-6)
    np.testing.assert_allclose(gate.curvature(X), jax.vmap(jax.hessian(gate))(X), rtol=1e-5, atol=1e-7)


def _derivatives(f):
    found = []
    for _ in range(4):
        found.append(jax.vmap(f))
        f = jax.grad(f)
    return found


def test_differentiates_in_its_parameters_alone_and_mixed() -> None:
    def mine(b, x):
        return gate.bind(beta=b)(x).sum()

    def theirs(b, x):
        return raw(x, b).sum()

    for derivative in (jax.grad, jax.hessian, lambda f: jax.jacfwd(jax.grad(f, argnums=1))):
        np.testing.assert_allclose(derivative(mine)(1.3, X), derivative(theirs)(1.3, X), rtol=2e-4, atol=1e-5)


def test_parameters_are_leaves_and_rebuilt_ones_do_not_retrace() -> None:
    traces = []

    @jax.jit
    def apply(activation, x):
        traces.append(1)
        return activation(x)

    for beta in (1.0, 2.0, 3.0):
        apply(gate.bind(beta=beta), X)
    assert len(traces) == 1
    assert jax.tree.leaves(gate) == [1.0]
    swept = jax.vmap(lambda b: gate.bind(beta=b)(X))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(swept[1], gate(X, beta=2.0), rtol=1e-6)


def test_a_parameter_per_channel() -> None:
    betas = jnp.array([0.5, 1.0, 2.0])
    x = jnp.ones((4, 3))
    np.testing.assert_allclose(gate.bind(beta=betas)(x)[0], raw(jnp.ones(3), betas), rtol=1e-6)
    assert jax.grad(lambda b: gate.bind(beta=b)(x).sum())(betas).shape == (3,)


def test_reverse_mode_keeps_x_alone() -> None:
    _, pullback = jax.vjp(gate.evaluate, X)
    kept = [leaf for leaf in jax.tree.leaves(pullback) if getattr(leaf, "size", 0) == X.size]
    assert len(kept) == 1
    np.testing.assert_array_equal(kept[0], X)


def test_sixteen_bit_inputs_are_computed_in_float32_and_rounded_once() -> None:
    x = X.astype(jnp.bfloat16)
    assert gate(x).dtype == jnp.bfloat16
    np.testing.assert_array_equal(gate(x), raw(x.astype(jnp.float32)).astype(jnp.bfloat16))
    assert jax.grad(lambda x: gate(x).sum())(x).dtype == jnp.bfloat16
    with jax.enable_x64(True):
        assert gate(jnp.float64(1.0)).dtype == jnp.float64


@pytest.mark.parametrize("wrong", [jnp.arange(3), jnp.array([True]), jnp.array([1j]), 3])
def test_refuses_inputs_that_are_not_floating(wrong) -> None:
    with pytest.raises(TypeError, match=r"gate needs a floating input, got dtype .*astype"):
        gate(wrong)


def test_refuses_wrong_parameters() -> None:
    with pytest.raises(TypeError, match="no parameter 'gamma'; its parameters are: beta"):
        gate.bind(gamma=1.0)
    with pytest.raises(ValueError, match=r"gate: beta = -1.0 is outside its domain \(0, inf\)"):
        gate.bind(beta=-1.0)
    with pytest.raises(TypeError, match="argument 'y' has no default"):
        al.activation(lambda x, y: x)
    with pytest.raises(TypeError, match="takes no positional array"):
        al.activation(lambda: 1)
    with pytest.raises(TypeError, match="curvature is given without slope"):
        al.activation(curvature=jnp.cos)(jnp.sin)


def test_a_users_function_is_lifted_with_unknown_facts() -> None:
    mine = al.activation(lambda x: x * jnp.tanh(jax.nn.softplus(x)))
    assert mine.facts.standing == "unknown"
    assert mine.facts.slope is None
    assert al.activation(mine) is mine
    np.testing.assert_allclose(mine.slope(X), jax.vmap(jax.grad(jax.nn.mish))(X), rtol=1e-5, atol=1e-6)


def test_unconstrained_leaves_stay_in_the_domain() -> None:
    raw_gate = gate.bind(beta=0.7).unconstrained()
    assert float(raw_gate.constrained().parameters["beta"]) == pytest.approx(0.7, rel=1e-6)
    moved = jax.tree.map(lambda leaf: leaf - 50.0, raw_gate).constrained()
    assert float(moved.parameters["beta"]) >= 0.0


@pytest.mark.parametrize("domain", [al.REAL_LINE, al.POSITIVE, al.Domain(upper=2.0), al.Domain(-1.0, 3.0)])
def test_domains_map_the_real_line_one_to_one(domain: al.Domain) -> None:
    raws = jnp.linspace(-3.0, 3.0, 13)
    values = domain.from_real(raws)
    domain.check("value", values)
    np.testing.assert_allclose(domain.to_real(values), raws, atol=1e-4)


def test_surrogate_replaces_the_derivative_in_both_modes_and_at_second_order() -> None:
    step = al.activation(name="step")(lambda x: jnp.where(x > 0, 1.0, 0.0).astype(x.dtype))
    bump = al.activation(name="bump")(lambda x, *, width=1.0: jnp.exp(-((x / width) ** 2)))
    spike = step.with_surrogate(bump.bind(width=2.0))
    np.testing.assert_array_equal(spike(X), step(X))
    expected = np.exp(-((X / 2) ** 2))
    np.testing.assert_allclose(jax.vmap(jax.grad(spike))(X), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.jacfwd(spike))(X), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.hessian(spike))(X), -X / 2 * expected, rtol=1e-4, atol=1e-6)
    assert spike.facts.gradient == "surrogate"
    assert jax.grad(lambda s: jax.grad(s)(1.0))(spike).surrogate.parameters["width"] != 0.0


def test_executed_slope_in_bfloat16_is_wider_than_the_real_one() -> None:
    executed = gate.slope_in(jnp.bfloat16)
    assert executed.upper == 1.1015625
    with pytest.raises(ValueError, match="float32 has too many"):
        gate.slope_in(jnp.float32)
