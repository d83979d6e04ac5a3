"""What is proved of an activation before it is evaluated: taken over, confirmed, left open, impossible."""

import jax.numpy as jnp
import pytest
from jax.scipy.special import i0

import actlab.activations as al
from actlab.activations import Facts, Interval
from actlab.proofs import ContradictionError
from actlab.proved_facts import prove_facts


def bump(x):
    return x * jnp.exp(-x * x)


def test_a_function_without_facts_gets_the_proved_ones():
    found = prove_facts(al.activation(bump))
    assert found.activation.facts == found.facts
    assert found.facts.standing == "proved"
    assert found.facts.slope is not None
    assert found.facts.slope.upper == pytest.approx(1.0, abs=1e-8)
    assert found.certificate is not None
    assert not found.remark
    al.require(found.activation, because="the test", bounded_slope=True)


def test_declared_facts_are_kept_and_their_standing_rises():
    found = prove_facts(al.tanh)
    assert found.activation is al.tanh
    assert found.facts.standing == "proved"
    assert found.facts.range == al.tanh.facts.range


def test_loose_bounds_are_true_and_stay_declared():
    loose = al.activation(facts=Facts(range=Interval(-1.0, 1.0), slope=Interval(-1.0, 1.0)), name="loose")(bump)
    found = prove_facts(loose)
    assert found.facts.standing == "declared"
    assert "range.lower is declared -1, outside the proved -0.428" in found.remark


def test_a_false_declaration_is_refused():
    false = al.activation(facts=Facts(range=Interval(-0.4, 1.0)), name="false")(bump)
    with pytest.raises(ContradictionError, match=r"range.lower is declared -0.40+\d*, inside the proved -0.428"):
        prove_facts(false)


def test_what_cannot_be_proved_is_evaluated_as_it_is():
    unknown = al.activation(name="bessel")(i0)
    found = prove_facts(unknown)
    assert found.activation is unknown
    assert found.certificate is None
    assert found.remark.startswith("Nothing is proved: ")


def test_parameters_and_surrogates_are_remarked():
    @al.activation
    def steep(x, *, scale=2.0):
        return jnp.tanh(scale * x)

    found = prove_facts(steep)
    assert found.activation is steep  # they may be trained
    assert found.facts.standing == "unknown"
    assert found.remark == "Proved for the present values of its parameters alone."
    spiking = al.heaviside.with_surrogate(al.surrogates.fast_sigmoid(beta=10.0))
    found = prove_facts(spiking)
    assert found.activation is spiking
    assert found.remark == "Proved of the function; its gradient is a declared surrogate."
