"""The pooled numbers against values by hand and brute force."""

from dataclasses import replace

import numpy as np
import pytest

from actlab.measurement import Evaluation, Measurement
from actlab.report import Results, SystemResults
from actlab.report.page import render
from actlab.report.pooled import multiplicity, pooled
from actlab.report.standings import standings


def system(name: str, values: dict[str, list[float]], better: str = "lower", **more) -> SystemResults:
    found = {who: Evaluation((Measurement("m", who, np.array(v), better=better, **more),)) for who, v in values.items()}
    return SystemResults(name, name, "?", "", found)


@pytest.fixture
def two(results: Results) -> Results:
    lower = system("a", {"wave": [1.0, 1.0, 3.0], "ramp": [3.0, 1.0, 1.0], "bend": [1.0, 1.0, 3.0]})
    higher = system("b", {"wave": [1.0, 3.0], "ramp": [1.0, 1.0]}, "higher")
    return replace(results, systems=(lower, higher))


def test_by_hand(two: Results) -> None:
    (line,) = pooled(two)  # bend stands in one system only
    assert (line.subject, line.baseline, line.systems, line.runs) == ("wave", "ramp", ("a", "b"), 5)
    assert line.improvement.value == pytest.approx((0.5 + 0.75) / 2)
    assert line.middle.value == pytest.approx((0.0 + 0.0 + 0.5) / 3)  # of -.5, 0, 0, .5, .5 the outer two are cut


def test_intervals_by_brute_force(two: Results) -> None:
    (line,) = pooled(two)
    wins = [np.array([1.0, 0.5, 0.0]), np.array([0.5, 1.0])]
    rng = np.random.default_rng(1)
    draws = [np.mean([rng.choice(w, len(w)).mean() for w in wins]) for _ in range(20_000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (line.improvement.low, line.improvement.high) == pytest.approx((low, high), abs=0.02)


def test_an_equal_activation_improves_half_the_time(results: Results) -> None:
    same = {"wave": [1.0, 2.0], "ramp": [1.0 + 1e-15, 2.0]}
    (line,) = pooled(replace(results, systems=(system("a", same), system("b", same))))
    assert line.improvement.value == line.improvement.low == 0.5
    assert line.middle.value == 0.0


def test_what_cannot_be_pooled_is_named(two: Results) -> None:
    broken = system("c", {"wave": [1.0, np.nan], "ramp": [1.0, 1.0]})
    elsewhere = SystemResults("d", "d", "?", "", {"wave": system("d", {"wave": [1.0]}).evaluations["wave"]})
    (line,) = pooled(replace(two, systems=(*two.systems, broken, elsewhere)))
    assert (line.systems, line.left_out) == (("a", "b"), ("c",))
    assert not pooled(replace(two, systems=two.systems[:1]))


def test_one_seed_has_no_interval(results: Results) -> None:
    one = {"wave": [1.0], "ramp": [2.0]}
    (line,) = pooled(replace(results, systems=(system("a", one), system("b", one))))
    assert line.improvement.text() == "1.000 (no interval)"


def test_comparisons_are_counted(two: Results) -> None:
    tables = [table for system in two.systems for table in standings(two, system)]
    assert multiplicity(tables).startswith("It makes 2 comparisons, of which 0 leave out zero; about 1 would")
    assert not multiplicity([])


def test_the_page_shows_them(two: Results) -> None:
    page = render(two)
    assert "wave against ramp" in page
    assert "It makes 2 comparisons" in page
