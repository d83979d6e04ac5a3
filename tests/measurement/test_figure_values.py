import numpy as np
import pytest

from actlab.measurement import Cloud, Curve, Evaluation, Heatmap, Line, Measurement, Region

GRID = np.arange(6.0).reshape(2, 3)


def test_figures_of_every_kind_find_their_place() -> None:
    curve = Curve("c", "a", np.arange(2.0), np.arange(2.0), "x", "y")
    heatmap, cloud = Heatmap("h", "a", GRID), Cloud("k", "a", np.zeros((1, 2)))
    evaluation = Evaluation.of([Measurement("m", "a", np.ones(2))], [cloud, heatmap, curve, heatmap], ("note",))
    assert (evaluation.curves, evaluation.heatmaps, evaluation.clouds) == ((curve,), (heatmap, heatmap), (cloud,))
    assert evaluation.notes == ("note",)


def test_a_box_is_its_four_corners_in_order() -> None:
    box = Region.box("b", np.array([0.0, 1.0]), np.array([2.0, 4.0]))
    x, y = box.vertices.T
    area = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    assert area == 6.0
    assert len(box.vertices) == 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"values": np.zeros(3)}, "rows, columns"),
        ({"values": GRID, "x": np.arange(3.0)}, "both x and y"),
        ({"values": GRID, "x": np.arange(2.0), "y": np.arange(2.0)}, r"values need \(3,\)"),
        ({"values": GRID, "x": np.array([0.0, 2.0, 1.0]), "y": np.arange(2.0)}, "strictly monotone"),
        ({"values": GRID, "x": np.array([0.0, 1.0, np.nan]), "y": np.arange(2.0)}, "finite"),
        ({"values": GRID, "x": np.arange(3.0), "y": np.arange(2.0), "log_x": True}, "positive x"),
        ({"values": GRID, "log_y": True}, "log_y needs"),
        ({"values": GRID, "marks": np.zeros((3, 2), bool)}, "marks have shape"),
        ({"values": GRID, "limits": (1.0, 1.0)}, "low < high"),
    ],
)
def test_a_heatmap_that_cannot_be_drawn_is_refused(given, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Heatmap("h", "a", **given)


def test_lines_regions_and_clouds_are_checked() -> None:
    with pytest.raises(ValueError, match="both"):
        Line("l", np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        Region("r", np.array([[0.0, np.inf], [1.0, 1.0]]))
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        Cloud("c", "a", np.zeros((4, 3)))
