"""Hundreds of malformed configurations, calls and results: one clear message each, status 2, nothing written.

Everything is generated from tables and runs in this process. No pickle may be loaded: each pickled file here would
leave a mark if one were.
"""

import gzip
import os
import pickle
import sys
from pathlib import Path

import pytest

from actlab.cli import main

EXPERIMENT = '''
"""Is nothing run?"""
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Recipe:
    rate: Annotated[float, Field(gt=0)] = 0.1
    kind: Literal["adam", "sgd"] = "adam"


@dataclass(frozen=True)
class Config:
    steps: Annotated[int, Field(ge=1, le=100)] = 3
    ratio: Annotated[float, Field(ge=0, le=1)] = 0.5
    name: str = "a"
    flag: bool = False
    widths: tuple[Annotated[int, Field(ge=1)], ...] = (4,)
    recipe: Recipe = field(default_factory=Recipe)


def run(config, out, report):
    raise AssertionError("a configuration that must be refused was run")
'''


class Mark:
    """Leaves a file when unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


PICKLE = pickle.dumps(Mark())
WRONG = ('"text"', "[]", "{}", "[1, [2]]", "1979-05-27", "nan", "-1", "1e400", "true", '""', "[1.5]", "{a = 1}")
FITS = {
    "steps": (),
    "ratio": (),
    "name": ('"text"', '""'),
    "flag": ("true",),
    "widths": ("[]",),
    "recipe": ("{}",),
    "recipe.rate": (),
    "recipe.kind": (),
}
TOML = [
    "",
    "experiment",
    "experiment =",
    'experiment = "',
    "experiment = 3",
    "experiment = []",
    'experiment = ""',
    'experiment = "no_such"',
    'experiment = "../toy"',
    'experiment = "toy.Config"',
    'experiment = "TOY"',
    'experiment = "toy"\nexperiment = "toy"',
    '[experiment]\nname = "toy"',
    'experiment = "toy"\n[steps]\na = 1',
    'experiment = "toy"\nsteps = 1\n[steps]',
    'experiment = "toy"\nsteps = 01',
    'experiment = "toy"\nsteps == 1',
    'experiment = "toy"\nstep = 1',
    'experiment = "toy"\n"" = 1',
    'experiment = "toy"\nrecipe.rte = 1',
    'experiment = "toy"\n[recipe]\nrate = 1\n[recipe]\nrate = 2',
    "{",
    "]",
    "= 3",
    "\0",
    "\ufeffx",
    "a" * 5000,
    'experiment = "toy"\nrecipe = 3',
    'experiment = "toy"\nwidths = [1, "a"]',
    'experiment = "toy"\nname = """',
]
BYTES = [PICKLE, b"\xff\xfe\x00", b'experiment = "\xe9"', bytes(range(256)), gzip.compress(b'experiment = "toy"')]
OVERRIDES = [
    "",
    "=",
    "=1",
    "steps",
    "steps:2",
    "steps.a=1",
    "steps.=1",
    ".steps=1",
    "recipe.rate.x=1",
    "a.b.c=1",
    "recipe=1",
    "experiment=other",
    "experiment.name=toy",
    "steps = ",
    "widths=",
    "widths=[",
    "STEPS=1",
]
CALLS = """
nonsense
run
run nowhere.toml
run .
run toy.toml --out
run toy.toml --bogus
run toy.toml --resume
run toy.toml --out file
run toy.toml --out file/run
run toy.toml --out taken
run toy.toml --profile
run toy.toml --processes two
run toy.toml --processes 2
run toy.toml --process-id 0
run toy.toml --coordinator h:1
run toy.toml --coordinator here --processes 2 --process-id 0
run toy.toml --coordinator :1 --processes 2 --process-id 0
run toy.toml --coordinator h:port --processes 2 --process-id 0
run toy.toml --coordinator h:99999 --processes 2 --process-id 0
run toy.toml --coordinator h:1 --processes 2 --process-id 2
run toy.toml --coordinator h:1 --processes 0 --process-id 0
run toy.toml --coordinator h:1 --processes 2 --process-id -1
list --family nosuch
list --where slope
list --where slope.lower>
list --where bogus>1
list extra
list --where slope.lower>x
list --where __import__('os')
list --family
certify
certify nosuch
certify nosuch:f
certify nowhere.py:f
certify file:f
certify toy.toml:f
certify relu --domain 1
certify relu --domain 1 0
certify relu --domain nan 1
certify relu --domain a b
certify relu --domain 0 inf
certify relu --order 3
certify relu --order x
certify relu --tier slow
certify relu --exhaustive
certify :
certify json:
certify json:nosuch
certify os:sep
certify .py:f
check
check nowhere.json
check .
check file
check toy.toml
evaluate
evaluate nosuch
evaluate relu --systems nosuch
evaluate relu --seeds 1
evaluate relu --seeds x
evaluate relu --seeds -3
evaluate relu --against nosuch
evaluate relu --out file
evaluate relu --bogus
evaluate nowhere.py:f
evaluate json:loads
evaluate relu --systems outliers,nosuch
report
report nowhere
report .
report file
report bad
""".strip().splitlines()
JSON = [
    "",
    "{",
    "[]",
    "3",
    "null",
    '"text"',
    "{}",
    '{"version": 1}',
    '{"systems": []}',
    '{"activations": 3}',
    "NaN",
    "\0",
    '{"title": "t", "systems": [{}], "activations": [], "claims": [], "run": {}}',
    '{"format": 99}',
    "[" * 2000,
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a toy experiment; unpickling anything in it fails the test."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "experiments"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "toy.py").write_text(EXPERIMENT)
    (tmp_path / "toy.toml").write_text('experiment = "toy"')
    (tmp_path / "file").write_text("x")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "config.json").write_text("{}")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "results.json").write_text("{")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in [n for n in sys.modules if n.partition(".")[0] == "experiments"]:
        del sys.modules[name]


def contents(folder: Path) -> dict:
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def refused(place: Path, capsys: pytest.CaptureFixture, words: list[str]) -> str:
    """What is wrong with how a call was refused, or ""."""
    before = contents(place)
    try:
        status = main(words)
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        return f"raised {type(error).__name__}: {str(error)[:200]}"
    said = capsys.readouterr()
    faults = [f"status {status}"] if status != 2 else []
    faults += [f"{len(lines)} lines: {lines}"] if len(lines := said.err.splitlines()) != 1 else []
    faults += ["no name in front"] if not said.err.startswith("actlab: ") else []
    faults += ["a traceback"] if "Traceback" in said.err else []
    faults += (
        [f"wrote {sorted(k for k in after if before.get(k, 0) != after[k])}"]
        if (after := contents(place)) != before
        else []
    )
    return "; ".join(faults)


def report(faults: dict[str, str], count: int, least: int) -> None:
    assert {call: fault for call, fault in faults.items() if fault} == {}
    assert count >= least


def test_malformed_configurations(place: Path, capsys: pytest.CaptureFixture) -> None:
    faults, number = {}, 0
    for content in [*(text.encode() for text in TOML), *BYTES]:
        (place / "bad.toml").write_bytes(content)
        faults[repr(content[:60])] = refused(place, capsys, ["run", "bad.toml", "--out", "out"])
        number += 1
    for override in OVERRIDES:
        faults[override] = refused(place, capsys, ["run", "toy.toml", override, "--out", "out"])
        number += 1
    for key, fitting in FITS.items():
        for value in WRONG:
            if value not in fitting:
                faults[f"{key}={value}"] = refused(place, capsys, ["run", "toy.toml", f"{key}={value}", "--out", "out"])
                number += 1
    report(faults, number, 130)


def test_malformed_calls(place: Path, capsys: pytest.CaptureFixture) -> None:
    report({call: refused(place, capsys, call.split()) for call in CALLS}, len(CALLS), 65)


def test_malformed_results_and_certificates(place: Path, capsys: pytest.CaptureFixture) -> None:
    faults = {}
    for content in [*(text.encode() for text in JSON), *BYTES]:
        (place / "bad" / "results.json").write_bytes(content)
        faults[f"report {content[:40]!r}"] = refused(place, capsys, ["report", "bad"])
        (place / "cert.json").write_bytes(content)
        faults[f"check {content[:40]!r}"] = refused(place, capsys, ["check", "cert.json"])
    report(faults, len(faults), 40)
