"""The gate: what is kept is a half-line of scores, or the gate is refused."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import jaxtyping
import mpmath
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import FactError
from actlab.systems.attention import Gate, gate, gated_attention, visited_blocks


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh"])
def test_crossing_of_gelu_equals_the_root_of_high_precision(name, threshold):
    x = mpmath.mpf
    exact = {
        "gelu": lambda s: s * mpmath.ncdf(s),
        "gelu_tanh": lambda s: s / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (s + x("0.044715") * s**3))),
    }[name]
    with mpmath.workdps(30):
        root = mpmath.findroot(lambda s: exact(s) - x(threshold), threshold + 0.1) if threshold else 0
    found = gate(name, threshold=threshold)
    assert float(found.crossing) == pytest.approx(float(root), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("threshold", [-0.1, -1e-3])
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "swish", "mish"])
def test_a_negative_threshold_of_a_gate_with_a_dip_is_refused_with_the_reason(name, threshold):
    with pytest.raises(FactError, match=r"half-line of scores.*What would do: a threshold >= 0"):
        gate(name, threshold=threshold)


@pytest.mark.parametrize(("name", "threshold"), [("tanh", -0.5), ("relu", 0.0), ("softplus", 1.0), ("sigmoid", 0.3)])
def test_a_monotone_activation_is_a_gate_at_any_threshold_that_it_crosses(name, threshold):
    found = gate(name, threshold=threshold)
    f = al.as_activation(name)
    assert float(f(jnp.float32(found.crossing - 1e-4))) <= threshold + 1e-6
    assert float(f(jnp.float32(found.crossing + 1e-4))) > threshold - 1e-6


def test_a_function_that_oscillates_is_refused():
    with pytest.raises(FactError, match="half-line"):
        gate(lambda x: x + 3 * jnp.sin(3 * x), threshold=0.5)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"threshold": float("nan")}, "must be finite"),
        ({"threshold": 2.0}, "keeps no score"),
        ({"threshold": -2.0}, "keeps every score"),
        ({"temperature": 0.0}, "must be positive"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        gate("tanh", **arguments)


def test_hard_and_continuous_weights_differ_by_the_threshold_where_kept():
    s = jnp.linspace(-4, 4, 101)
    hard, soft = (gate("gelu", threshold=0.5, temperature=2.0, continuous=c) for c in (False, True))
    np.testing.assert_allclose(hard.weight(s) - soft.weight(s), jnp.where(hard.keep(s), 0.5, 0.0), atol=1e-6)
    just_above = jnp.float32(hard.least_score() + 1e-6)
    assert float(hard.weight(just_above)) == pytest.approx(0.5, abs=1e-4)
    assert float(soft.weight(just_above)) == pytest.approx(0.0, abs=1e-4)


def test_shapes_and_dtypes_that_do_not_fit_are_refused_by_name():
    x = jnp.zeros((1, 8, 2, 4))
    half, opened = x.astype(jnp.bfloat16), Gate(al.gelu, 1.0, 0.5, 0.67)
    with pytest.raises(ValueError, match="multiple of the groups"):
        gated_attention(x, jnp.zeros((1, 8, 3, 4)), jnp.zeros((1, 8, 3, 4)), opened)
    with pytest.raises(ValueError, match="as many queries as keys"):
        gated_attention(x[:, :4], x, x, opened, causal=True)
    with pytest.raises(ValueError, match=r"must be \(batch, keys\)"):
        gated_attention(x, x, x, opened, keys=jnp.ones((8,), bool))
    with pytest.raises(TypeError, match="float32"):
        gated_attention(half, half, half, opened)
    with pytest.raises(TypeError, match="Gate"):
        gated_attention(x, x, x, cast(Any, "gelu"))


@pytest.fixture
def unchecked():
    """As outside of tests, where nothing checks annotations."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked")
def test_integers_and_unknown_words_are_refused_without_checks_of_annotations():
    x, opened = jnp.zeros((1, 8, 2, 4)), Gate(al.gelu, 1.0, 0.5, 0.67)
    whole = x.astype(jnp.int32)
    with pytest.raises(TypeError, match="are int32, int32, int32; give all three as float32"):
        gated_attention(whole, whole, whole, opened)
    for argument, known in (("scale", "length, sum"), ("skip", "bounds, scores, none"), ("kernel", "auto, loop")):
        wrong: Any = {argument: "some"}
        with pytest.raises(ValueError, match=f"{argument} = 'some'; known: {known}"):
            gated_attention(x, x, x, opened, **wrong)
    with pytest.raises(ValueError, match="skip = 'some'"):
        visited_blocks(x, x, opened, skip=cast(Any, "some"))


def test_the_temperature_is_trained_through_the_weights():
    q = jax.random.normal(jax.random.key(0), (1, 16, 1, 4))
    opened = gate("gelu", threshold=0.1, continuous=True)
    loss = jax.jit(lambda t: jnp.sum(gated_attention(q, q, q, opened.at(t), block=8) ** 2))
    t, h = jnp.float32(1.3), 1e-2
    slope = (loss(t + h) - loss(t - h)) / (2 * h)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(t), slope, rtol=2e-2)
