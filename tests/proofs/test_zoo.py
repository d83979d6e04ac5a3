"""Every declared fact of the zoo is confirmed by proof; `make proofs` does it in ball arithmetic."""

import pytest

import actlab.activations as al
from actlab.activations.interval import Interval
from actlab.proofs import ContradictionError, confirm, prove

# What a proof leaves open, each with its reason.
OPEN = {
    "pau": "range, slope and curvature depend on trained coefficients and are not declared",
    "linear_spline": "nodes at which the default coefficients happen not to bend are declared as kinks",
    "cubic_spline": "likewise",
}


@pytest.mark.parametrize("name", al.ZOO)
def test_declared_facts_are_proved(name, tier, proved):
    outcome = confirm(name, tier=tier, certificate=proved(name))
    assert outcome.certificate.tier == {"fast": "assumed-libm", "proved": "proved"}[tier]
    assert bool(outcome.open) == (name in OPEN), outcome.open


VARIANTS = {
    "leaky_relu": {"negative_slope": -0.5},
    "elu": {"alpha": 2.0},
    "celu": {"alpha": 0.3},
    "softplus": {"beta": 3.0},
    "squareplus": {"b": 0.3},
    "isru": {"alpha": 3.0},
    "isrlu": {"alpha": 0.2},
    "swish": {"beta": -1.5},
    "plu": {"alpha": 0.4, "c": 0.3},
    "snake": {"a": 0.4},
    "hill": {"n": 3.0, "K": 0.6},
    "xielu": {"alpha_n": 1.6, "beta": -0.4},
    "soft_cap": {"width": 4.0},
}


SLOW = ("hill", "xielu", "soft_cap", "celu", "plu", "squareplus")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in VARIANTS])
def test_declared_facts_of_other_parameters_are_proved(name):
    assert confirm(al.ZOO[name].bind(**VARIANTS[name])).open == ()


def test_a_certificate_of_another_function_confirms_nothing(proved):
    with pytest.raises(ValueError, match="tanh"):
        confirm("relu", certificate=proved("tanh"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slope": Interval(-0.09, 1.0998393201288669)}, "slope.lower"),
        ({"slope": Interval(-0.0998393201288669, 1.1)}, "slope.upper"),
        ({"range": Interval(-0.2784, float("inf"))}, "range.lower"),
        ({"curvature": Interval(-0.0369143731998932, 0.4999)}, "curvature.upper"),
        ({"monotone": "nondecreasing"}, "monotone"),
        ({"smoothness": 1}, "smoothness"),
    ],
)
def test_a_wrong_declaration_is_contradicted(change, words, proved):
    lie = al.activation(facts=al.swish.facts.replace(**change), name="lie", family="gated")(
        lambda x: al.swish(x)  # noqa: PLW0108
    )
    with pytest.raises(ContradictionError, match=words):
        confirm(lie, certificate=proved("swish"))


def test_what_a_certificate_says_nothing_of_is_open():
    outcome = confirm("tanh", certificate=prove("tanh", order=0, tier="fast"))
    slope, curvature = outcome.open
    assert "slope is declared" in slope
    assert "curvature is declared" in curvature


def test_a_certificate_of_a_part_of_the_line_confirms_nothing():
    with pytest.raises(ValueError, match="without a domain"):
        confirm("tanh", certificate=prove("tanh", domain=(-1.0, 1.0), tier="fast"))
