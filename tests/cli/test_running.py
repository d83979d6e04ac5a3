import ast
import json
import re
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from actlab.cli import main
from actlab.cli.running import titles
from actlab.training import Lock

EXPERIMENT = '''
"""Is the error small?

More of it.
"""
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from actlab.measurement import Claim, Curve, Measurement


@dataclass(frozen=True)
class Config:
    offset: float = 0.0
    seeds: Annotated[int, Field(ge=2)] = 3


def run(config, out, report):
    report("measuring")
    values = np.arange(config.seeds) + config.offset
    found = Measurement("error", "relu", values)
    return [found], [Claim("the error is small", "none", found, at_most=5.0)], [
        Curve("error", "relu", np.arange(2), np.zeros((3, 2)), "x", "y")
    ]
'''


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "experiments"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "toy_experiment.py").write_text(EXPERIMENT)
    (tmp_path / "configs" / "toy").mkdir(parents=True)
    path = tmp_path / "configs" / "toy" / "toy.toml"
    path.write_text('experiment = "toy_experiment"\nseeds = 4')
    yield path
    for name in [n for n in sys.modules if n.partition(".")[0] == "experiments"]:
        del sys.modules[name]


def test_claim_that_holds_exits_0_and_keeps_everything(config: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["run", str(config), "offset=1.0", "--out", "out"]) == 0
    assert "holds: the error is small" in capsys.readouterr().out
    assert json.loads(Path("out/config.json").read_text()) == {"offset": 1.0, "seeds": 4}
    record = json.loads(Path("out/results.json").read_text())
    assert record["title"] == record["systems"][0]["title"] == "Toy experiment"
    assert record["claims"][0]["verdict"] == "holds"
    assert record["claims"][0]["measurement"]["values"] == [1.0, 2.0, 3.0, 4.0]
    assert record["run"]["settings"] == {"offset": 1.0, "seeds": 4}
    assert record["run"]["command"] == f"actlab run {config} offset=1.0 --out out"
    assert record["run"]["seeds"] == [0, 1, 2, 3]
    assert record["systems"][0]["question"] == "Is the error small?"


def test_an_experiment_may_name_itself(config: Path) -> None:
    module = Path("experiments/toy_experiment.py")
    module.write_text(module.read_text() + '\nTITLE = "Errors of a toy"\n')
    other = config.with_name("toy_gcn2.toml")
    config.rename(other)
    assert main(["run", str(other), "--out", "out"]) == 0
    record = json.loads(Path("out/results.json").read_text())
    assert (record["title"], record["systems"][0]["title"]) == ("Errors of a toy: GCN2", "Errors of a toy")


def test_titles_write_names_as_their_field_does_and_repeat_no_word() -> None:
    root = Path(__file__).parents[2]
    made = set()
    for path in sorted(root.glob("configs/*/*.toml")):
        module = tomllib.loads(path.read_text())["experiment"]
        source = ast.parse((root / "experiments" / f"{module}.py").read_text())
        values = [n.value for n in source.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "TITLE"]
        made.add(titles(module, path.stem, ast.literal_eval(values[0]) if values else "")[1])
    for title in made:
        words = re.findall(r"\w+", title.lower())
        assert len(words) == len(set(words)), title
        assert title[0].isupper(), title
        assert not re.search(r"\b([Cc]t|[Uu]ci|[Mm]nist|gcn\w*|cora)\b", title), title
    assert {"CT from few views", "UCI regression", "Scarce distillation: MNIST", "Deep graph nets: GCNII Cora"} <= made


def test_report_makes_the_page_of_a_run_again(config: Path) -> None:
    assert main(["run", str(config), "--out", "out"]) == 0
    page = Path("out/report.html")
    first = page.read_text()
    assert "<title>Toy experiment" in first
    assert "It took" in first
    page.unlink()
    assert main(["report", "out"]) == 0
    assert page.read_text().count("<figure") == first.count("<figure") == 1
    assert not Path("out/measurements.json").exists()


def test_a_resumed_run_names_the_command_from_the_start_and_no_time(config: Path) -> None:
    assert main(["run", str(config), "--out", "out"]) == 0
    assert main(["run", str(config), "--out", "out", "--resume"]) == 0
    page = Path("out/report.html").read_text()
    assert "--resume" not in page
    assert "It took" not in page


def test_claim_that_fails_exits_1(config: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["run", str(config), "offset=100"]) == 1
    assert "fails: the error is small" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seeds=1"], "seeds = 1: Input should be greater than or equal to 2"),
        (["ofset=1"], "unknown key 'ofset' (did you mean 'offset'?); known: offset, seeds"),
        (["offset=far"], "offset = 'far'"),
        (["--resume"], "--resume needs --out"),
    ],
)
def test_refusals(config: Path, capsys: pytest.CaptureFixture, overrides: list[str], message: str) -> None:
    assert main(["run", str(config), *overrides]) == 2
    assert message in capsys.readouterr().err


def test_resuming_begins_where_there_is_nothing_and_one_run_holds_the_directory(config: Path, capsys) -> None:
    assert main(["run", str(config), "--out", "new", "--resume"]) == 0
    capsys.readouterr()
    with closing(Lock(Path("new"), ".run.lock")):
        assert main(["run", str(config), "--out", "new", "--resume"]) == 2
    assert "in use by process" in capsys.readouterr().err


def test_a_profile_is_written(config: Path) -> None:
    assert main(["run", str(config), "--profile", "trace"]) == 0
    names = [p.name for p in Path("trace").rglob("*") if p.is_file()]
    assert "memory.prof" in names
    assert any(n.endswith(".trace.json.gz") for n in names)
    assert any(n.endswith(".xplane.pb") for n in names)


def test_a_run_is_only_ever_resumed_with_its_own_settings(config: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["run", str(config), "--out", "out"]) == 0
    assert main(["run", str(config), "--out", "out"]) == 2
    assert "add --resume to continue it" in capsys.readouterr().err
    assert main(["run", str(config), "--out", "out", "--resume"]) == 0
    assert main(["run", str(config), "offset=2", "--out", "out", "--resume"]) == 2
    assert "was run with other settings" in capsys.readouterr().err
