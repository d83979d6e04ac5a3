import io
import math

import numpy as np
import pytest
from rich.console import Console

from actlab.measurement import Evaluation, Measurement
from actlab.report import Results, SystemResults, summary_table
from actlab.report.sentences import comparison, count, duration, estimate, listing, seed_list
from actlab.report.standings import Row, standings, summary
from actlab.report.whiskers import WIDTH, whiskers


def difference(*values: float, better: str = "lower") -> Measurement:
    return Measurement("RMSE", "a - b", np.array(values), better=better)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (difference(-0.03, -0.02, -0.04), "better than b: −0.030 ["),
        (difference(0.03, 0.02, 0.04), "worse than b: +0.030 ["),
        (difference(0.03, 0.02, 0.04, better="higher"), "better than b: +0.030 ["),
        (difference(0.03, 0.02, 0.04, better="neither"), "higher than b: +0.030 ["),
        (difference(0.03, -0.02, 0.01), "no difference from b that 3 seeds can show: "),
        (difference(0.0, 0.0), "equal to b on all 2 seeds"),
        (difference(0.03), "+0.03 against b on one seed, which cannot show a difference"),
        (difference(0.03, math.nan), "cannot be compared with b: 1 of 2 seeds not finite"),
    ],
)
def test_differences_in_words(measured: Measurement, words: str) -> None:
    assert comparison(measured, "b").startswith(words)


def test_rounding_never_hides_that_an_end_is_off_zero() -> None:
    shown = estimate(difference(-0.011, -0.011, -0.0003, -0.0003, -0.0003), signed=True)
    assert not shown.endswith("0.000]")
    assert comparison(difference(0.0, 0.0, 0.03), "b").endswith(
        "[0.000,\N{NO-BREAK SPACE}+0.030]"
    )  # an end that is zero


def test_numbers_that_stand_together_are_written_alike() -> None:
    assert estimate(difference(-4.2e5, -1.05e6, -8.7e5)).count("×10") == 3
    assert estimate(difference(4.2e5, 1.05e5, 8.7e5)).count("×10") == 0
    assert estimate(difference(4.2e5, 1.05e5, 8.7e5), large=True).count("×10⁵") == 3


def test_an_end_is_never_rounded_to_the_landmark() -> None:
    values = difference(0.9497, 0.9300, 0.9498)
    assert values.interval[1] < 0.95
    assert "0.950" in estimate(values, 3)
    assert "0.950]" not in estimate(values, 3, landmark=0.95)


def test_small_words() -> None:
    assert (listing([]), listing(["a"]), listing(["a", "b", "c"])) == ("nothing", "a", "a, b and c")
    assert (count(1, "seed"), count(5, "seed")) == ("1 seed", "5 seeds")
    assert (duration(8.2), duration(130.0), duration(0.1)) == ("8 s", "2 min 10 s", "under a second")
    assert (seed_list([0, 1, 5]), seed_list(range(20)), seed_list([])) == ("0, 1, 5", "0 to 19", "none")
    assert estimate(difference(1.0)) == "1 (one seed, no interval)"


def test_the_best_is_marked_only_where_the_seeds_tell(results: Results) -> None:
    head = standings(results, results.systems[0])[0]
    assert [row.label for row in head.rows] == ["wave", "ramp", "bend", "HuberRegressor", "RANSAC"]
    assert [row.mark for row in head.rows] == ["among the best", "", "among the best", "", ""]
    assert head.headline
    coverage = standings(results, results.systems[0])[3]
    assert {row.mark for row in coverage.rows} == {""}


def test_rows_of_one_label_are_marked_each_by_its_own_values(results: Results) -> None:
    values = (("a", (5.0, 5.1, 4.9)), ("b", (5.05, 5.0, 4.85)), ("b", (5.06, 5.0, 4.8)), ("b", (1.0, 1.1, 0.9)))
    measurements = [Measurement("score", label, np.array(v), better="higher") for label, v in values]
    system = SystemResults("run", "Run", "?", "", {}, Evaluation.of(measurements, ()))
    (table,) = standings(Results((), (system,), results.run), system)
    assert [row.mark for row in table.rows] == ["among the best", "among the best", "among the best", ""]


def test_the_summary_is_one_sentence_a_subject(results: Results) -> None:
    (outliers,) = summary(results, results.systems[0])
    assert outliers == "On RMSE at 30 % contamination, wave is better than ramp and not shown to differ from bend."
    (uncertainty,) = summary(results, results.systems[1])
    assert uncertainty == "On test NLL, wave is not comparable with bend."


def test_whiskers_keep_order_and_mark_what_is_off_the_scale() -> None:
    means = (0.5, 0.6, 0.7, 900.0, math.nan)
    rows = [Row(str(m), "baseline", "a", Measurement("q", "a", np.array([m, m + 0.01]))) for m in means]
    a, b, c, far, bad = whiskers(rows)
    assert 0 < a.mean < b.mean < c.mean < WIDTH
    assert a.low < a.mean < a.high
    assert far.cut
    assert bad.mean is None


def test_the_terminal_table_prints_names_as_they_are(results: Results) -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(summary_table(results))
    text = " ".join(out.getvalue().split())
    assert "wave: better than ramp: −0.0" in text
    assert "range [0, inf)" in text
    assert "refused" in text
