"""Python blocks of the README and docs/ run, `actlab` commands in them parse, links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from actlab.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(p.relative_to(ROOT)) for p in PAGES]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for number, block in enumerate(blocks(page, "python")):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_parse_and_name_files_that_exist(page: Path) -> None:
    for line in "\n".join(blocks(page, "bash")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["actlab"]:
            arguments = build_parser().parse_args(words[1:])
            if arguments.command == "run":
                assert (ROOT / arguments.config).is_file(), line


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_contents_of_the_site() -> None:
    contents = (ROOT / "docs" / "index.md").read_text().splitlines()
    assert {p.stem for p in (ROOT / "docs").glob("*.md")} - {"index"} <= set(contents)


def test_readme_example_is_twelve_lines() -> None:
    assert len([line for line in blocks(ROOT / "README.md", "python")[0].splitlines() if line.strip()]) <= 12


def test_every_experiment_has_a_configuration() -> None:
    named = {
        re.search(r'^experiment = "(\w+)"', p.read_text(), re.M).group(1) for p in (ROOT / "configs").rglob("*.toml")
    }
    assert named == {p.stem for p in (ROOT / "experiments").glob("*.py") if "\ndef run(" in p.read_text()}
