import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.measurement import Curve, Evaluation, Measurement
from actlab.report import Results, SystemResults, describe, write_report
from actlab.report.page import render

HOSTILE = "<script>alert('$x$')</script>&\"{{ 7 * 7 }}"


class Elements(HTMLParser):
    """Every element of a page as (tag, attributes)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="session")
def page(results: Results) -> str:
    return render(results)


def hostile_results(results: Results) -> Results:
    """NaN and infinite values, vector parameters, a long hostile name, no baselines, one seed."""
    burst = al.activation(lambda x: jnp.where(x > 2.0, jnp.exp(x * x * x), jnp.log(x)), name=HOSTILE)
    long = al.activation(lambda x, *, a=1.0: a * x, name="a_very_long_name_" * 8).bind(a=np.arange(1.0, 8.0))
    bad = np.array([np.nan, np.inf, -np.inf, 1.0])
    evaluation = Evaluation(
        (Measurement("all bad " * 12, HOSTILE, bad), Measurement("one seed", HOSTILE, np.array([1e-9]))),
        (Curve("gaps", HOSTILE, np.arange(4.0), bad, "x $y$", "y", log_y=True),),
        (HOSTILE,),
    )
    system = SystemResults("odd", HOSTILE, "What?", "none", {HOSTILE: evaluation, long.name: Evaluation(refused="No.")})
    return Results((describe(burst), describe(long)), (system,), replace(results.run, commit=None))


def test_the_page_is_right_at_both_widths_and_in_both_modes(
    browser, check_layout, results: Results, tmp_path: Path
) -> None:
    path = write_report(results, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert path.stat().st_size < 2_000_000
    check_layout(browser, path)


def test_odd_results_are_shown_and_do_not_break_the_page(
    browser, check_layout, results: Results, tmp_path: Path
) -> None:
    odd = hostile_results(results)
    path = write_report(odd, tmp_path)
    check_layout(browser, path)
    text = path.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert "<script" not in text
    assert "{{ 7 * 7 }}" in text
    assert "5 of 7 channels are drawn" in text
    assert "Not finite at" in text
    assert "3 of 4 seeds not finite" in text
    assert "one seed, no interval" in text
    assert Results.from_json((tmp_path / "results.json").read_text(encoding="utf-8")).to_json() == odd.to_json()


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    for tag, attributes in Elements(page).found:
        assert tag != "script"
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name) or ""
            assert tag == "a" or value.startswith(("#", "data:")) or not value, (tag, value)
    assert "http" not in re.sub(r"<a [^>]*>", "", page)
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", page)


def test_ids_are_unique_and_references_lead_somewhere(page: str) -> None:
    elements = Elements(page).found
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for _, a in elements if (a.get("href") or "").startswith("#")]
    targets += [a["clip-path"][5:-1] for _, a in elements if "clip-path" in a]
    targets += [a["aria-labelledby"] for _, a in elements if "aria-labelledby" in a]
    assert set(targets) <= set(ids)


def test_drawings_speak_and_tables_are_labelled(page: str) -> None:
    elements = Elements(page).found
    drawings = [a for tag, a in elements if tag == "svg" and a.get("aria-hidden") != "true"]
    assert len(drawings) == 3 + 2
    assert all(a.get("role") == "img" and len(a.get("aria-label") or "") > 20 for a in drawings)
    assert page.count("<table") == page.count("<caption")
    assert all(a.get("scope") for tag, a in elements if tag == "th")


def test_every_colour_of_a_drawing_follows_the_mode(page: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.search(r"#[0-9a-fA-F]{6}|(?:fill|stroke): (?:black|white)", drawings)


def test_the_page_says_what_was_found(page: str) -> None:
    assert "better than ramp: −0.0" in page
    assert "no difference from bend that 5 seeds can show" in page
    assert "<strong>ramp was refused.</strong>" in page
    assert "a variance head needs a positive range" in page
    assert "2 of 5 seeds not finite" in page
    assert "not known" in page
    assert "actlab evaluate wave.py:wave" in page
    assert "0123456789abcdef" in page


def test_a_broken_promise_is_shown() -> None:
    from actlab.report.facts_table import fact_lines

    liar = al.activation(lambda x: 2.0 * x, facts=al.Facts(slope=al.Interval(0.0, 1.0)), name="liar")
    slope = {line.name: line for line in fact_lines(describe(liar))}["Slope f′"]
    assert slope.alarm
    assert "contradicted by" in slope.remark


def test_the_legend_of_a_portrait_names_only_what_is_drawn(page: str) -> None:
    from actlab.report.likeness import legend

    unknown = describe(al.activation(lambda x: x * x, name="unknown"))
    assert legend(unknown) == ""
    line = al.Facts(slope=al.Interval(-np.inf, np.inf), kinks=(0.0, 100.0))
    assert legend(describe(al.activation(jnp.abs, facts=line, name="line"))) == "Dots on dotted lines are kinks."
    assert "dashed because they are declared" not in page  # of wave nothing is declared
    bounded = al.Facts(range=al.Interval(-1.0, 1.0), kinks=())
    declared = describe(al.activation(jnp.sin, facts=bounded, name="bounded"))
    assert legend(declared).endswith("dashed because they are declared and not proved.")


def test_a_mark_is_a_star_with_its_words_and_a_key(page: str) -> None:
    assert 'aria-hidden="true"><path' in page
    assert '<span class="unseen">among the best</span>' in page
    assert "the best mean, and those that the seeds cannot tell from it" in page


def test_the_key_of_the_best_is_marked_as_the_best_is(results) -> None:
    def measured(name: str, level: float) -> Evaluation:
        return Evaluation((Measurement("error", name, level + 0.01 * np.arange(5.0)),))

    plain = SystemResults("toy", "Toy", "?", "none", {"wave": measured("wave", 1.0), "ramp": measured("ramp", 2.0)})
    page = render(replace(results, systems=(plain,)))
    before = page[: page.index("&nbsp;best: every paired difference")]
    assert before[before.rindex('<svg class="star') :].startswith('<svg class="star"')
    assert 'class="star open"' not in page
