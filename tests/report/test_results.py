import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.measurement import Curve, Evaluation, Measurement
from actlab.report import (
    Results,
    ResultsError,
    SystemResults,
    decode_evaluation,
    describe,
    encode_evaluation,
    run_info,
)


def test_a_file_restores_every_number(results: Results) -> None:
    restored = Results.from_json(results.to_json())
    assert restored.to_json() == results.to_json()
    assert restored.run == results.run
    for mine, theirs in zip(results.systems, restored.systems, strict=True):
        for (owner, a), (other, b) in zip(mine.measurements(), theirs.measurements(), strict=True):
            assert (owner, a.name, a.activation, a.unit, a.better, a.seeds) == (
                other,
                b.name,
                b.activation,
                b.unit,
                b.better,
                b.seeds,
            )
            np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(results.activations[0].portrait.slope, restored.activations[0].portrait.slope)
    assert restored.activations[1].facts == results.activations[1].facts


def test_the_file_is_plain_json(results: Results) -> None:
    json.loads(results.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_an_evaluation_survives_alone() -> None:
    values = np.array([[1.0, np.nan], [np.inf, -np.inf]])
    given = Evaluation(
        (Measurement("m", "a", np.array([1.0, np.nan]), "sd", "higher", (4, 7)),),
        (Curve("c", "a", np.arange(2.0), values, "x", "y", log_x=True),),
        ("note",),
        "refused",
    )
    back = decode_evaluation(encode_evaluation(given))
    assert (back.notes, back.refused, back.measurements[0].seeds) == (("note",), "refused", (4, 7))
    np.testing.assert_array_equal(back.curves[0].values, values)
    assert back.curves[0].log_x
    assert not back.curves[0].log_y


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[:-20], "not a results file"),
        (lambda text: "[]", "not a results file"),
        (lambda text: text.replace("actlab results 1", "actlab results 9"), "format"),
        (lambda text: text.replace('"seconds":48.2', '"seconds":"soon"'), "seconds"),
        (lambda text: text.replace('"seconds":48.2', '"second":48.2'), "seconds"),
        (lambda text: text.replace('"log_x":false', '"log_x":"maybe"'), "log_x"),
        (lambda text: text.replace('"values":[', '"values":[1.0,', 1), "6 values for 5 seeds"),
        (lambda text: text.replace('"name":"bend"', '"name":"ramp"', 1), "two activations"),
    ],
)
def test_a_corrupt_file_is_refused_with_the_place(results: Results, change, says: str) -> None:
    text = change(results.to_json())
    assert text != results.to_json()
    with pytest.raises(ResultsError, match=says) as caught:
        Results.from_json(text)
    assert "\n" not in str(caught.value)


def test_the_shape_of_evaluate_json(results: Results) -> None:
    data = json.loads(json.dumps(results.evaluate_json()))
    assert [a["name"] for a in data["activations"]] == ["wave", "ramp", "bend"]
    assert set(data["activations"][0]) == {"name", "family", "parameters", "facts"}
    assert data["activations"][1]["facts"]["range"] == [0.0, "inf"]
    assert data["activations"][0]["facts"]["range"] is None
    assert set(data["systems"]["outliers"]) == {"measurements", "seconds"}
    first = data["systems"]["outliers"]["measurements"][0]
    assert set(first) == {"name", "activation", "mean", "low", "high", "seeds", "unit", "better"}
    assert "positive range" in data["systems"]["uncertainty"]["refused"]["ramp"]


def test_names_must_be_unique_and_known(results: Results) -> None:
    with pytest.raises(ValueError, match="two activations are called 'wave'"):
        Results((results.activations[0],) * 2, (), results.run)
    stranger = SystemResults("s", "S", "?", "none", {"stranger": Evaluation()})
    with pytest.raises(ValueError, match="'stranger', which is not among"):
        Results(results.activations, (stranger,), results.run)


def test_vector_parameters_are_described_over_all_channels() -> None:
    def facts(slope):
        return al.Facts(slope=al.Interval(jnp.minimum(slope, 1.0), jnp.maximum(slope, 1.0)), kinks=(0.0 * slope,))

    leaky = al.activation(lambda x, *, slope=0.1: jnp.where(x > 0, x, slope * x), facts=facts, name="leaky")
    profile = describe(leaky.bind(slope=jnp.array([0.5, 0.25, 2.0])))
    assert profile.facts["slope"] == [0.25, 2.0]
    assert profile.facts["kinks"] == [0.0]
    assert profile.parameters == {"slope": [0.5, 0.25, 2.0]}
    assert profile.portrait.value.shape == (3, profile.portrait.x.size)
    np.testing.assert_allclose(profile.portrait.value[:, 0], [-3.0, -1.5, -12.0])
    np.testing.assert_allclose(profile.portrait.slope[:, 0], [0.5, 0.25, 2.0])


def test_a_portrait_is_f_and_its_derivatives_off_the_kinks(results: Results) -> None:
    ramp = results.activations[1].portrait
    assert 0.0 not in ramp.x
    np.testing.assert_array_equal(ramp.value[0], np.maximum(ramp.x, 0.0))
    np.testing.assert_array_equal(ramp.slope[0], (ramp.x > 0).astype(float))
    bend = results.activations[2].portrait
    np.testing.assert_allclose(bend.slope[0], 1 - np.tanh(bend.x) ** 2, atol=1e-6)
    np.testing.assert_allclose(bend.curvature[0], -2 * np.tanh(bend.x) * (1 - np.tanh(bend.x) ** 2), atol=1e-6)


def test_what_is_no_function_of_one_number_has_no_portrait() -> None:
    halves = al.activation(lambda x: x[: x.shape[0] // 2], name="halves")
    assert "not a function of one number" in describe(halves).portrait.missing


def test_run_info_names_this_process() -> None:
    info = run_info("actlab evaluate swish", (0, 1))
    assert info.versions["jax"] == jax.__version__
    assert set(info.versions) == {"python", "actlab", "jax", "flax"}
    assert "cpu" in info.device
    assert info.date.endswith("+00:00")
