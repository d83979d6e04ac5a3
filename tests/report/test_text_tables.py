import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from actlab.measurement import Claim, Measurement
from actlab.report import Results, text_tables, write_report


def test_every_measurement_stands_in_both(results: Results) -> None:
    markdown, latex = text_tables.markdown(results), text_tables.latex(results)
    for system in results.systems:
        for _, m in system.measurements():
            assert f"| {m.activation} |" in markdown
            assert f"{m.activation} & " in latex
    assert "ramp: refused: uncertainty: a variance head needs a positive range" in markdown
    assert results.run.command in markdown


def test_markdown_tables_have_as_many_cells_as_heads(results: Results) -> None:
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text_tables.markdown(results).splitlines() if "|" in line]
    assert set(widths) == {6}


def test_a_claim_and_its_verdict_stand_first(results: Results) -> None:
    claim = Claim("a | b", "a paper", Measurement("m", "a", np.array([1.0, 1.1, 1.2])), at_least=0.5)
    text = text_tables.markdown(replace(results, claims=(claim,)))
    assert "| holds | A \\| b | 1.1" in text
    assert text.index("| holds |") < text.index("## Outliers")


def test_latex_prints_what_was_meant() -> None:
    assert text_tables.escape("50 % of a_b & c") == r"50 \% of a\_b \& c"
    assert text_tables.escape("\N{MINUS SIGN}1.05×10⁻⁶ m") == r"$-$1.05$\times$10$^{-6}$ m"
    assert text_tables.escape("[1,\N{NO-BREAK SPACE}2] 10²") == r"[1,~2] 10$^{2}$"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex to typeset the tables")
def test_latex_compiles(results: Results, tmp_path) -> None:
    text = text_tables.latex(results)
    page = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "page.tex").write_text(page)
    command = ["pdflatex", "-halt-on-error", "page.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0


def test_latex_is_balanced(results: Results) -> None:
    text = text_tables.latex(results)
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 2
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")


def test_they_are_written_beside_the_page(results: Results, tmp_path) -> None:
    write_report(results, tmp_path)
    assert (tmp_path / "results.md").read_text() == text_tables.markdown(results)
    assert (tmp_path / "results.tex").read_text() == text_tables.latex(results)
