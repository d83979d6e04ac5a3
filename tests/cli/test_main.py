import json
import subprocess
import sys
from pathlib import Path

import pytest

from actlab.activations import ZOO
from actlab.cli import main

MINE = "import jax.numpy as jnp\n\ndef bump(x):\n    return x * jnp.exp(-x * x)\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """The one line that a refused command prints."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("actlab: ")
    assert error.count("\n") == 1
    return error


def test_help_is_quick_because_it_imports_nothing_slow() -> None:
    code = "import sys, actlab.cli.parser as p; p.build_parser().format_help(); print('jax' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_no_command_prints_help_and_fails(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 2
    assert "actlab evaluate swish" in capsys.readouterr().out


def test_list_as_json_has_the_documented_shape(capsys: pytest.CaptureFixture) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == len(ZOO) >= 60
    for entry in listed:
        assert set(entry) == {"name", "family", "parameters", "facts"}
        assert set(entry["facts"]) >= {
            *("range", "slope", "curvature", "smoothness", "kinks", "monotone", "gradient", "standing")
        }
    tanh = next(e for e in listed if e["name"] == "tanh")["facts"]
    assert tanh["range"] == [-1, 1]
    assert tanh["smoothness"] == "inf"


def test_list_selects_by_family_and_facts(capsys: pytest.CaptureFixture) -> None:
    assert main(["list", "--json", "--family", "gated", "--where", "slope.lower < 0"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"gelu", "swish"} <= {e["name"] for e in listed}
    assert all(e["family"] == "gated" and e["facts"]["slope"][0] != 0 for e in listed)
    assert main(["list", "--where", "range.upper <= 1 and monotone == strictly increasing"]) == 0
    assert "tanh" in capsys.readouterr().out
    assert main(["list", "--where", "monotone == unknown"]) == 0
    assert "1 activation," in capsys.readouterr().out


def test_evaluate_writes_report_table_and_json(
    toy_system: list[str], elsewhere: Path, capsys: pytest.CaptureFixture
) -> None:
    (elsewhere / "mine.py").write_text(MINE)
    arguments = ["evaluate", "mine.py:bump", "squared_relu", "--against", "relu,tanh", "--seeds", "3"]
    assert main([*arguments, "--out", "out", "--json"]) == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert [a["name"] for a in record["activations"]] == ["bump", "squared_relu", "relu", "tanh"]
    assert record["activations"][0]["facts"]["standing"] == "proved"
    assert len(list((elsewhere / "out" / "certificates").iterdir())) == 4
    measured = record["systems"]["toy"]["measurements"]
    assert {m["activation"] for m in measured} == {"bump", "relu", "tanh", "identity line"}
    assert set(measured[0]) == {"name", "activation", "mean", "low", "high", "seeds", "unit", "better"}
    assert "needs a bounded slope" in record["systems"]["toy"]["refused"]["squared_relu"]
    assert (elsewhere / "out" / "report.html").is_file()
    assert "[5/5]" in printed.err


def test_evaluate_reuses_what_an_earlier_run_left(toy_system: list[str], elsewhere: Path) -> None:
    assert main(["evaluate", "tanh", "--against", "relu", "--out", "out"]) == 0
    assert len(toy_system) == 3
    assert main(["evaluate", "tanh", "--against", "relu,sin", "--out", "out"]) == 0
    assert toy_system[3:] == ["sin"]
    assert main(["evaluate", "tanh", "--against", "relu", "--out", "out", "--seeds", "4"]) == 0
    assert len(toy_system) == 7
    assert main(["evaluate", "tanh", "--against", "relu", "--out", "out", "--fresh"]) == 0
    assert len(toy_system) == 10
    assert main(["report", "out"]) == 0


def test_evaluate_in_another_folder_takes_the_baselines_over(toy_system: list[str], elsewhere: Path) -> None:
    assert main(["evaluate", "tanh", "--against", "relu", "--out", "out"]) == 0
    assert main(["evaluate", "sin", "--against", "tanh,relu", "--out", "other"]) == 0
    assert toy_system[3:] == ["sin"]
    page = (elsewhere / "other" / "report.html").read_text()
    assert "Kept from an earlier run of the same code on this machine: the references, tanh and relu." in page
    assert "Kept from" not in (elsewhere / "out" / "report.html").read_text()


def test_evaluate_recomputes_a_function_that_changed(toy_system: list[str], elsewhere: Path) -> None:
    for factor in ("1.0", "0.5"):
        (elsewhere / "mine.py").write_text(f"import jax.numpy as jnp\n\ndef f(x):\n    return {factor} * jnp.sin(x)\n")
        assert main(["evaluate", "mine.py:f", "--against", "", "--out", "out"]) == 0
    assert toy_system.count("f") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "swihs"], "no activation named 'swihs' (did you mean 'swish'"),
        (["evaluate", "relu", "--against", "tahn"], "did you mean 'tanh'"),
        (["evaluate", "relu", "--systems", "outlier"], "no system 'outlier'; the systems are: toy"),
        (["evaluate", "relu", "--seeds", "1"], "at least 2 seeds"),
        (["evaluate", "relu", "tanh", "relu"], "two activations are called 'relu'; give each a name of its own"),
        (["evaluate", "jax.nn:softmax"], "softmax is not elementwise"),
        (["evaluate", "missing.py:f"], "no file missing.py"),
        (["evaluate", "relu", "--out", "file/out"], "Not a directory"),
        (["list", "--family", "gatde"], "did you mean 'gated'"),
        (["list", "--where", "slope>0"], "compares no fact"),
        (["report", "nothing"], "has no results.json"),
        (["report", "corrupt"], "results"),
        (["run", "none.toml"], "no configuration file none.toml"),
        (["run", "plain.toml"], 'set experiment = "NAME"'),
        (["run", "stranger.toml"], "no experiments/stranger.py"),
    ],
)
def test_bad_input_gives_one_line_and_status_2(
    toy_system: list[str], elsewhere: Path, capsys: pytest.CaptureFixture, arguments: list[str], message: str
) -> None:
    (elsewhere / "file").write_text("")
    (elsewhere / "corrupt").mkdir()
    (elsewhere / "corrupt" / "results.json").write_text('{"format": "actlab')
    (elsewhere / "plain.toml").write_text("steps = 1")
    (elsewhere / "stranger.toml").write_text('experiment = "stranger"')
    assert message in refused(capsys, *arguments)
    assert toy_system == []


def test_debug_shows_the_traceback(toy_system: list[str]) -> None:
    with pytest.raises(LookupError):
        main(["evaluate", "swihs", "--debug"])


def test_argument_errors_exit_with_2(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "relu", "--seeds", "many"])
    assert stop.value.code == 2
