"""Heatmaps and clouds: what is drawn, in which colours, what is said, and that files keep them."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np

from actlab.measurement import Cloud, Evaluation, Heatmap, Line, Region
from actlab.report import Results, SystemResults, decode_evaluation, encode_evaluation, write_report
from actlab.report.clouds import DRAWN, cloud_picture
from actlab.report.heatmaps import ACCENT, heatmap_picture
from actlab.report.page import render

DEPTH, SIGMA = np.geomspace(10.0, 100.0, 4), np.array([3.0, 2.0, 1.0])
VALUES = np.linspace(0.1, 0.9, 12).reshape(3, 4)
MARKS = np.zeros((3, 4), bool)
MARKS[0, 3] = True
BOUNDARY = Line("6 ξ", DEPTH, np.array([3.0, 2.0, np.nan, 1.0]))
BOX = Region.box("IBP", np.array([-2.0, -3.0]), np.array([2.0, 3.0]))
POINTS = np.random.default_rng(0).uniform(-1.0, 1.0, (50, 2))


def cells(who: str, **more) -> Heatmap:
    given = {"marks": MARKS, "mark_label": "diverged", "lines": (BOUNDARY,), "log_x": True, "value_label": "accuracy"}
    return Heatmap("Trainability", who, VALUES, DEPTH, SIGMA, "depth", "σ²", **{**given, **more})


def image(who: str, values: np.ndarray, **more) -> Heatmap:
    return Heatmap("Image", who, values, value_label="density", **more)


def pixels(svg: str) -> np.ndarray:
    """The image embedded in a drawing, upright."""
    (found,) = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    (element,) = re.findall(r"<image[^>]*>", svg)
    drawn = matplotlib.image.imread(io.BytesIO(base64.b64decode(found)))
    return drawn[::-1] if "scale(1 -1)" in element else drawn


def distinct(drawn: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(np.round(colour, 2)) for colour in drawn.reshape(-1, drawn.shape[-1])}


def shown(results: Results, evaluation: Evaluation) -> Results:
    return Results((), (SystemResults("s", "S", "What?", "", {}, evaluation),), results.run, "Planes")


def everything() -> Evaluation:
    odd = np.where(MARKS, np.nan, VALUES)
    figures = [cells("tanh"), cells("relu"), image("truth", VALUES, colours="grey"), image("net", odd, colours="grey")]
    clouds = [Cloud("Outputs", who, POINTS, (BOX,), "logit 0", "logit 1") for who in ("tanh", "relu")]
    return Evaluation.of([], [*figures, *clouds])


def test_a_file_keeps_every_figure() -> None:
    given = everything()
    back = decode_evaluation(encode_evaluation(given))
    assert encode_evaluation(back) == encode_evaluation(given)
    heatmap, cloud = back.heatmaps[0], back.clouds[0]
    np.testing.assert_array_equal(heatmap.values, VALUES)
    np.testing.assert_array_equal(heatmap.marks, MARKS)
    np.testing.assert_array_equal(heatmap.lines[0].y, BOUNDARY.y)
    np.testing.assert_array_equal(cloud.points, POINTS)
    np.testing.assert_array_equal(cloud.regions[0].vertices, BOX.vertices)
    assert (heatmap.log_x, heatmap.log_y, back.heatmaps[2].colours) == (True, False, "grey")


def test_a_file_without_them_is_still_read() -> None:
    old = encode_evaluation(Evaluation(notes=("n",))).replace(',"heatmaps":[],"clouds":[]', "")
    assert "heatmaps" not in old
    assert decode_evaluation(old) == Evaluation(notes=("n",))


def test_an_image_has_one_pixel_a_value_row_zero_on_top_on_a_common_scale() -> None:
    a, b = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[1.0, 1.0], [1.0, 4.0]])
    picture = heatmap_picture("Image", [image("a", a, colours="grey"), image("b", b, colours="grey")])
    drawn = [pixels(tile.svg)[..., 0] for tile in picture.tiles]
    np.testing.assert_allclose(drawn[0], a / 4, atol=0.005)
    np.testing.assert_allclose(drawn[1], b / 4, atol=0.005)
    assert picture.scale is not None
    assert "from 0 to 4" in picture.scale
    assert [t.scale for t in picture.tiles] == [None, None]


def test_a_scale_of_its_own_and_one_that_is_stated() -> None:
    own = heatmap_picture("Image", [image("a", VALUES), image("b", 10 * VALUES, own_scale=True)])
    assert own.scale is not None
    assert own.tiles[1].scale is not None
    assert "from 0.1 to 0.9" in own.scale
    assert "from 1 to 9" in own.tiles[1].scale
    stated = heatmap_picture("Image", [image("a", VALUES, limits=(0.5, 1.0)), image("b", VALUES)])
    assert "from 0.5 to 1" in (stated.scale or "")
    assert "Beyond the scale, drawn as its end: a 6 of 12 and b 6 of 12." in stated.gaps
    centred = heatmap_picture("Image", [image("a", VALUES, colours="diverging")])
    assert "from −0.9 to 0.9" in (centred.scale or "")


def test_marks_are_red_and_do_not_stretch_the_scale_and_blanks_are_said() -> None:
    values = VALUES.copy()
    values[0, 3], values[1, 1] = -50.0, np.nan
    picture = heatmap_picture("Image", [image("a", values, marks=MARKS, mark_label="negative pixels")])
    drawn = pixels(picture.tiles[0].svg)
    np.testing.assert_allclose(drawn[0, 3], ACCENT, atol=0.01)
    assert drawn[1, 1, 3] == 0.0
    assert np.sum(np.all(np.abs(drawn - np.array(ACCENT)) < 0.01, axis=-1)) == 1
    assert picture.gaps == "Red: negative pixels (a 1 of 12). Not finite, so left blank: a 1 of 12."
    assert "from 0.1 to" in (picture.scale or "")
    assert "Beyond" not in picture.gaps


def test_cells_lie_at_their_coordinates() -> None:
    """The y axis grows upward: the row of the largest σ² is on top although it is given first."""
    picture = heatmap_picture("T", [cells("tanh", lines=(), colours="grey")])
    drawn = pixels(picture.tiles[0].svg)
    opaque = drawn[drawn[..., 3].sum(1) > 0][:, drawn[..., 3].sum(0) > 0]
    height, width = opaque.shape[:2]
    rows, columns = (np.arange(3) + 0.5) * height / 3, (np.arange(4) + 0.5) * width / 4
    centres = opaque[rows.astype(int)][:, columns.astype(int)]
    np.testing.assert_allclose(centres[0, 3], ACCENT, atol=0.01)
    plain = ~MARKS
    low, high = VALUES[plain].min(), VALUES[plain].max()
    np.testing.assert_allclose(centres[..., 0][plain], ((VALUES - low) / (high - low))[plain], atol=0.01)


def test_drawings_speak() -> None:
    picture = heatmap_picture("Trainability", [cells("tanh")])
    (label,) = re.findall(r'aria-label="([^"]+)"', picture.tiles[0].svg)
    for said in ("Trainability, tanh: accuracy over depth from 10 to 100", "diverged, 1 of 12", "Lines: 6 ξ"):
        assert said in label
    assert picture.gaps.startswith("Lines: solid, 6 ξ. Red: diverged (tanh 1 of 12).")
    cloud = Cloud("Outputs", "relu", POINTS, (BOX,), "logit 0", "logit 1", "sampled")
    (label,) = re.findall(r'aria-label="([^"]+)"', cloud_picture("Outputs", [cloud]).tiles[0].svg)
    assert "50 points (sampled), logit 0 from" in label
    assert "IBP from −2 to 2 across and −3 to 3 up" in label


def test_every_point_of_a_cloud_is_drawn_or_counted() -> None:
    few = cloud_picture("Outputs", [Cloud("Outputs", "a", np.vstack([POINTS, [[np.nan, 0.0]]]))])
    path = max(re.findall(r' d="([^"]+)"', few.tiles[0].svg), key=len)
    assert path.count("M") == len(POINTS)
    assert few.gaps == "a: 1 of 51 points not finite, not drawn."


def test_of_a_large_cloud_the_outermost_points_are_drawn_and_the_rest_counted() -> None:
    many = np.random.default_rng(1).uniform(-1.0, 1.0, (3 * DRAWN, 2))
    many[4] = (3.0, 0.0)
    evenly = np.linspace(0, len(many) - 1, DRAWN).astype(int)
    assert 4 not in evenly
    picture = cloud_picture("Outputs", [Cloud("Outputs", "a", many)])
    path = max(re.findall(r' d="([^"]+)"', picture.tiles[0].svg), key=len)
    assert DRAWN <= path.count("M") <= DRAWN + 4
    assert f"of {3 * DRAWN} points drawn" in picture.gaps
    across = np.sort([float(m) for m in re.findall(r"M ([-\d.]+)", path)])
    assert across[-1] - across[-2] > 0.4 * (across[-1] - across[0])


def test_what_several_bring_alike_is_drawn_once(results: Results) -> None:
    truth = image("truth", VALUES)
    evaluations = {n: Evaluation(heatmaps=(truth, image("net", VALUES + i))) for i, n in enumerate(("wave", "ramp"))}
    system = SystemResults("s", "S", "?", "none", evaluations, Evaluation(heatmaps=(image("first", VALUES),)))
    assert [h.activation for h in system.heatmaps()] == ["first", "truth", "net (wave)", "net (ramp)"]


def test_both_kinds_of_report_show_them_within_the_page(results: Results, browser, check_layout, tmp_path) -> None:
    check_layout(browser, write_report(shown(results, everything()), tmp_path / "run"))
    wave = SystemResults("s", "S", "?", "none", {"wave": everything(), "ramp": Evaluation(), "bend": Evaluation()})
    check_layout(browser, write_report(replace(results, systems=(wave,)), tmp_path / "evaluate"))


def test_both_kinds_of_report_show_them(results: Results, tmp_path: Path) -> None:
    wave = SystemResults("s", "S", "?", "none", {"wave": everything(), "ramp": Evaluation(), "bend": Evaluation()})
    for page in (render(shown(results, everything())), render(replace(results, systems=(wave,)))):
        assert page.count('<p class="tile">') == 6
        assert page.count("data:image/png") == 4 + 2
        for title in ("Trainability", "Image", "Outputs"):
            assert f"<figcaption>{title}</figcaption>" in page
        drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
        assert not re.search(r"#[0-9a-fA-F]{6}|(?:fill|stroke): (?:black|white)", drawings)
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
    write_report(shown(results, everything()), tmp_path)
    kept = Results.from_json((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert len(kept.systems[0].heatmaps()) == 4
