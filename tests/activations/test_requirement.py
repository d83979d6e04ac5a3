import pytest

import actlab.activations as al


def test_returns_the_activation_that_has_what_is_demanded() -> None:
    assert al.require(al.softplus, because="a scale", range_above=0.0, bounded_slope=True, smoothness=2) is al.softplus
    al.require(al.tanh, because="x", bounded_range=True, strictly_monotone=True, lipschitz=1.0, exact_gradient=True)
    al.require(al.sigmoid, because="x", range_within=(0.0, 1.0), nondecreasing=True, bounded_curvature=True)
    al.require(al.relu, because="a flag that is false demands nothing", strictly_monotone=False)


def test_says_who_needs_what_what_there_is_and_what_would_do() -> None:
    with pytest.raises(al.FactError) as error:
        al.require(al.relu, slope_above=0.0, because="a flow must be invertible")
    text = str(error.value)
    assert text.startswith("a flow must be invertible: needs slope > 0, but relu has slope in [0, 1] (declared).")
    assert "What would do: leaky_relu" in text
    assert "bounded_slope(softplus, lower=0.1, upper=2)" in text


@pytest.mark.parametrize(
    ("activation", "demand"),
    [
        (al.relu, {"range_above": 0.0}),
        (al.relu, {"bounded_range": True}),
        (al.relu, {"smoothness": 1}),
        (al.relu, {"strictly_monotone": True}),
        (al.relu, {"bounded_curvature": True}),
        (al.gelu, {"nondecreasing": True}),
        (al.heaviside, {"bounded_slope": True}),
        (al.heaviside, {"lipschitz": 1.0}),
        (al.square, {"lipschitz": 1.0}),
        (al.tanh, {"range_within": (0.0, 1.0)}),
        (al.tanh, {"slope_at_least": 0.1}),
        (al.heaviside.with_surrogate(al.sigmoid), {"exact_gradient": True}),
    ],
)
def test_refuses(activation: al.Activation, demand: dict) -> None:
    with pytest.raises(al.FactError, match=r"^a part: needs .* but .* has .*\(declared\)"):
        al.require(activation, because="a part", **demand)


def test_suggestions_meet_the_demand() -> None:
    with pytest.raises(al.FactError) as error:
        al.require(al.relu, because="a bounded smooth part", bounded_range=True, smoothness=2)
    suggested = str(error.value).split("What would do: ")[1].split(", bounded_range(")[0].split(", ")
    assert suggested
    for name in suggested:
        al.require(al.get(name), because="the suggestion", bounded_range=True, smoothness=2)


def test_unknown_is_not_no() -> None:
    with pytest.raises(al.FactError, match="an unknown slope .unknown is not no"):
        al.require(al.activation(lambda x: x), slope_above=0.0, because="a flow must be invertible")


def test_unknown_demands_are_refused() -> None:
    with pytest.raises(TypeError, match="no demand 'slop_above'; there are: slope_above"):
        al.require(al.relu, because="x", slop_above=0.0)  # pyright: ignore
