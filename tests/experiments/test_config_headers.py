"""What the configurations say of their own runs."""

import re
from pathlib import Path

import pytest

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*/*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_claim_that_is_expected_to_fail_is_said_to_end_in_exit_status_1(path: Path) -> None:
    header = " ".join(re.findall(r"^#\s*(.*)$", path.read_text(), re.MULTILINE))
    expected = header.partition("Expected:")[2].partition("Minutes:")[0]
    assert expected
    fails = re.search(r"(?<!nothing )\bfails?\b", expected, re.IGNORECASE)
    assert bool(fails) == bool(re.search(r"exit status (is )?1", expected, re.IGNORECASE)), expected
