"""Planted wrong declarations are rejected, each for the fact that is false, and forty right ones are accepted."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import pytest

import actlab.activations as al
from actlab.activations import Activation, Elementary, Facts, Interval
from actlab.proofs import ContradictionError
from actlab.proofs.confirm import confirm
from actlab.proofs.derivative_audit import audit_derivative

RIGHT = """
identity relu leaky_relu displaced_relu threshold squared_relu absolute relu6 bounded_relu hard_tanh
hard_sigmoid hard_swish hard_shrink soft_shrink softplus log_sigmoid squareplus elu celu selu exponential
isrlu bent_identity sigmoid tanh softsign arctan erf isru asinh symmetric_log swish quick_gelu gelu_tanh mish
sin cos square heaviside sign
""".split()


def declared(name: str, **changes) -> Elementary:
    """The activation of the zoo, with other facts."""
    act = al.ZOO[name]
    facts = act.facts.replace(**changes)
    return dataclasses.replace(act, definition=dataclasses.replace(act.definition, facts=lambda **_: facts))


def off(name: str, what: str, end: str, by: float) -> Elementary:
    """One bound moved by a millionth."""
    interval = getattr(al.ZOO[name].facts, what)
    return declared(name, **{what: dataclasses.replace(interval, **{end: getattr(interval, end) + by})})


E = 1e-6
WRONG = {
    "swish: slope too small above": (off("swish", "slope", "upper", -E), "slope.upper"),
    "swish: slope too large above": (off("swish", "slope", "upper", E), "slope.upper"),
    "swish: slope too large below": (off("swish", "slope", "lower", E), "slope.lower"),
    "swish: range too small": (off("swish", "range", "lower", E), "range.lower"),
    "swish: range too wide": (off("swish", "range", "lower", -E), "range.lower"),
    "swish: curvature too small": (off("swish", "curvature", "upper", -E), "curvature.upper"),
    "mish: curvature too small below": (off("mish", "curvature", "lower", E), "curvature.lower"),
    "mish: slope too small above": (off("mish", "slope", "upper", -E), "slope.upper"),
    "gelu_tanh: slope too small below": (off("gelu_tanh", "slope", "lower", E), "slope.lower"),
    "gelu_tanh: range too small": (off("gelu_tanh", "range", "lower", E), "range.lower"),
    "tanh: range too small": (off("tanh", "range", "upper", -E), "range.upper"),
    "tanh: slope too large": (off("tanh", "slope", "upper", E), "slope.upper"),
    "tanh: curvature too small": (off("tanh", "curvature", "lower", E), "curvature.lower"),
    "sigmoid: slope above 0": (off("sigmoid", "slope", "lower", E), "slope.lower"),
    "sigmoid: slope too small": (off("sigmoid", "slope", "upper", -E), "slope.upper"),
    "softsign: curvature too small": (off("softsign", "curvature", "upper", -E), "curvature.upper"),
    "softsign: range too small": (off("softsign", "range", "lower", E), "range.lower"),
    "squareplus: slope too small": (off("squareplus", "slope", "upper", -E), "slope.upper"),
    "squareplus: range above 0": (off("squareplus", "range", "lower", E), "range.lower"),
    "softplus: curvature too small": (off("softplus", "curvature", "upper", -E), "curvature.upper"),
    "selu: slope too small": (off("selu", "slope", "upper", -E), "slope.upper"),
    "elu: range too small": (off("elu", "range", "lower", E), "range.lower"),
    "hard_swish: slope too small": (off("hard_swish", "slope", "upper", -E), "slope.upper"),
    "hard_tanh: range too wide": (off("hard_tanh", "range", "upper", E), "range.upper"),
    "relu6: unbounded": (declared("relu6", range=Interval(0.0, math.inf)), "range.upper"),
    "relu: bounded": (declared("relu", range=Interval(0.0, 100.0)), "range.upper"),
    "square: bounded slope": (declared("square", slope=Interval(-1e6, 1e6)), "slope.lower"),
    "exponential: bounded slope": (declared("exponential", slope=Interval(0.0, 1e30)), "slope.upper"),
    "relu: strictly increasing": (declared("relu", monotone="strictly increasing"), "monotone"),
    "hard_tanh: strictly increasing": (declared("hard_tanh", monotone="strictly increasing"), "monotone"),
    "swish: nondecreasing": (declared("swish", monotone="nondecreasing"), "monotone"),
    "tanh: nonincreasing": (declared("tanh", monotone="nonincreasing"), "monotone"),
    "sin: nondecreasing": (declared("sin", monotone="nondecreasing"), "monotone"),
    "elu: smooth": (declared("elu", smoothness=math.inf), "smoothness"),
    "relu: C1": (declared("relu", smoothness=1), "smoothness"),
    "heaviside: continuous": (declared("heaviside", smoothness=0), "smoothness"),
    "hard_shrink: continuous": (declared("hard_shrink", smoothness=0), "smoothness"),
    "relu: no kink": (declared("relu", kinks=()), "kinks"),
    "tanh: a kink invented": (declared("tanh", kinks=(0.0,)), "kinks"),
    "relu: a second kink invented": (declared("relu", kinks=(0.0, 1.0)), "kinks"),
    "hard_swish: one of two kinks": (declared("hard_swish", kinks=(-3.0,)), "kinks"),
    "soft_shrink: kinks elsewhere": (declared("soft_shrink", kinks=(-0.4, 0.4)), "kinks"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_declarations_are_confirmed(name: str, proved) -> None:
    confirm(al.ZOO[name], certificate=proved(name))


@pytest.mark.parametrize("what", WRONG)
def test_planted_wrong_declarations_are_rejected(what: str, proved) -> None:
    activation, fact = WRONG[what]
    with pytest.raises(ContradictionError, match=fact.replace(".", r"\.")):
        confirm(activation, certificate=proved(activation.name))


def test_there_are_forty_of_each() -> None:
    assert len(RIGHT) == len(set(RIGHT)) == 40
    assert len(WRONG) == 42


@jax.custom_jvp
def straight_through(x):
    return jnp.round(x)


straight_through.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))


@jax.custom_vjp
def lying_square(x):
    return x * x


lying_square.defvjp(lambda x: (x * x, x), lambda x, g: (1.5 * x * g,))


@jax.custom_jvp
def honest_square(x):
    return x * x


honest_square.defjvp(lambda primals, tangents: (primals[0] ** 2, 2 * primals[0] * tangents[0]))


@jax.custom_jvp
def nearly_tanh(x):
    return jnp.tanh(x)


nearly_tanh.defjvp(lambda p, t: (jnp.tanh(p[0]), (1.00001 - jnp.tanh(p[0]) ** 2) * t[0]))

SURROGATES: dict[str, Activation] = {
    "a spike": al.heaviside.with_surrogate(al.surrogates.fast_sigmoid(beta=10.0)),
    "a sign": al.sign.with_surrogate(al.surrogates.arctan),
    "straight through": al.activation(straight_through),
    "a square whose reverse rule lies": al.activation(lying_square),
    "a slope off by 1e-5": al.activation(nearly_tanh),
    "a closed form that lies": al.activation(slope=lambda x: jnp.ones_like(x), facts=Facts())(lambda x: jnp.tanh(x)),
}


@pytest.mark.parametrize("what", SURROGATES)
def test_a_rule_that_lies_is_named_a_surrogate(what: str) -> None:
    found = audit_derivative(SURROGATES[what])
    assert found.gradient == "surrogate"
    assert "surrogate" in str(found)
    assert found.worst > 1e-6


def test_an_honest_rule_is_bounded_on_a_box() -> None:
    found = audit_derivative(al.activation(honest_square), box=(-2.0, 2.0))
    assert (found.gradient, found.how) == ("exact", "proved")
    assert found.bound is not None
    assert found.bound < 1e-3


def undeclared(names) -> dict[str, str]:
    audits = {name: audit_derivative(al.ZOO[name]) for name in names}
    return {name: str(a) for name, a in audits.items() if a.gradient != al.ZOO[name].facts.gradient}


def test_slopes_of_the_zoo_are_honest() -> None:
    assert undeclared(["swish", "softsign", "hard_swish", "heaviside"]) == {}


@pytest.mark.exhaustive
def test_the_zoo_has_no_surrogate_that_is_not_declared() -> None:
    assert undeclared(al.ZOO) == {}
