import numpy as np
import pytest

from actlab.measurement import Curve, Evaluation, Measurement
from actlab.report import Results, SystemResults
from actlab.report.drawing import number_ticks, panel
from actlab.report.figures import pictures
from actlab.report.palette import REFERENCE, SERIES, strokes

X = np.arange(3.0)


def ticks(low: float, high: float, log: bool) -> list[str]:
    """The labels inside an axis."""
    with panel() as (figure, axes):
        axes.set_yscale("log" if log else "linear")
        axes.plot([0, 1], [low, high])
        number_ticks(axes, log_y=log)
        figure.canvas.draw()
        bottom, top = axes.get_ylim()
        return [t.get_text() for t in axes.get_yticklabels() if bottom <= t.get_position()[1] <= top]


@pytest.mark.parametrize("span", [1.5, 4.0, 12.0, 80.0, 300.0, 2e3, 1e8])
@pytest.mark.parametrize("low", [3e-7, 0.045, 0.3, 2.0, 7e4])
def test_a_logarithmic_axis_of_any_span_has_several_ticks(low: float, span: float) -> None:
    assert 3 <= len(ticks(low, low * span, log=True)) <= 9


def test_an_axis_is_labelled_in_one_way() -> None:
    assert ticks(1e-9, 1e9, log=True)[0].startswith("10⁻")
    assert ticks(0.0, 1.1e6, log=False)[:3] == ["0", "2.5×10⁵", "5×10⁵"]
    assert ticks(0.0, 1.0, log=False) == ["0", "0.25", "0.5", "0.75", "1"]
    assert ticks(1.0, 1e3, log=True) == ["1", "10", "100", "1000"]


def system(**curves: list[tuple[str, list[float]]]) -> SystemResults:
    evaluations = {
        name: Evaluation(curves=tuple(Curve("q", label, X, np.array(y), "x", "y") for label, y in of_one))
        for name, of_one in curves.items()
    }
    return SystemResults("s", "S", "?", "none", evaluations)


def test_what_several_evaluations_bring_alike_is_drawn_once_in_grey(results: Results) -> None:
    usual = ("usual head", [1.0, np.nan, 2.0])
    brought = system(wave=[usual, ("wave", [0.0, 1.0, 2.0])], ramp=[usual], bend=[usual])
    assert [(o, c.activation) for o, c in brought.curves()] == [(None, "usual head"), ("wave", "wave")]
    found = strokes(Results(results.activations, (brought,), results.run))
    assert found["usual head"].colour == REFERENCE
    (picture,) = pictures(brought, found)
    assert picture.gaps == "Not finite, so not drawn: usual head at 1 of 3 points. "


@pytest.mark.parametrize("axis", ["log_x", "log_y"])
def test_what_a_logarithmic_axis_leaves_out_is_said_of_every_curve_on_it(results: Results, axis: str) -> None:
    positive = Curve("q", "ramp", X + 1, X + 1, "x", "y", **{axis: True})
    evaluations = {
        "wave": Evaluation(curves=(Curve("q", "wave", X, X, "x", "y"),)),
        "ramp": Evaluation(curves=(positive,)),
    }
    (picture,) = pictures(SystemResults("s", "S", "?", "none", evaluations), strokes(results))
    assert picture.gaps == "Not positive somewhere, so not drawn there: wave."


def test_curves_of_one_label_that_differ_are_told_apart(results: Results) -> None:
    brought = system(wave=[("head", [1.0, 1.0, 1.0])], ramp=[("head", [2.0, 2.0, 2.0])], bend=[("head", [1.0] * 3)])
    labels = [(o, c.activation) for o, c in brought.curves()]
    assert labels == [(None, "head (wave, bend)"), ("ramp", "head (ramp)")]
    found = strokes(Results(results.activations, (brought,), results.run))
    assert found["head (ramp)"].colour == found["ramp"].colour


def test_an_experiment_has_one_colour_for_each_method(results: Results) -> None:
    labels = ["a", "b", "c", "d"]
    evaluation = Evaluation(tuple(Measurement("m", label, X) for label in labels))
    found = strokes(Results((), (SystemResults("e", "E", "?", "", {}, evaluation),), results.run))
    assert [found[label].colour for label in labels] == list(SERIES[:4])
    assert len({found[label].dash for label in labels}) == 4
