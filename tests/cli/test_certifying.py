import json
from pathlib import Path

import pytest

from actlab.cli import main

MINE = "import jax.numpy as jnp\n\ndef bump(x):\n    return x * jnp.exp(-x * x)\n\ndef odd(x):\n    return jnp.log(x)\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_certify_prints_what_is_proved_and_check_accepts_it(elsewhere: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["certify", "tanh", "--tier", "fast", "--out", "tanh.json"]) == 0
    printed = capsys.readouterr()
    assert "strictly increasing" in printed.out
    assert "[-1, 1]" in printed.out
    assert "certificate: tanh.json" in printed.err
    assert main(["check", "tanh.json"]) == 0
    assert "accepted" in capsys.readouterr().out


def test_check_rejects_with_one_line_and_status_1(elsewhere: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["certify", "relu", "--tier", "fast", "--out", "relu.json"]) == 0
    data = json.loads(Path("relu.json").read_text())
    data["claims"]["kinks"] = []
    Path("lie.json").write_text(json.dumps(data))
    capsys.readouterr()
    assert main(["check", "relu.json", "lie.json"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "rejected" in lines[1]
    assert "kink" in lines[1]


def test_json_has_the_shape_of_list(capsys: pytest.CaptureFixture) -> None:
    assert main(["certify", "mine.py:bump", "--domain", "-4", "4", "--tier", "fast", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"name", "family", "parameters", "facts"}
    assert found["facts"]["standing"] == "proved"
    assert found["facts"]["slope"][1] == pytest.approx(1.0)


def test_a_users_function_is_checked_from_its_file(elsewhere: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["certify", "mine.py:bump", "--tier", "fast", "--out", "bump.json"]) == 0
    assert main(["check", "bump.json"]) == 0
    (elsewhere / "mine.py").write_text(MINE.replace("x * jnp.exp", "1.001 * x * jnp.exp"))
    assert main(["check", "bump.json"]) == 1
    assert main(["check", "--no-retrace", "bump.json"]) == 0


def test_audit_adds_the_floats_and_the_rule(capsys: pytest.CaptureFixture) -> None:
    assert main(["certify", "swish", "--tier", "fast", "--audit", "--json"]) == 0
    audit = json.loads(capsys.readouterr().out)["audit"]
    assert audit["derivative"]["gradient"] == "exact"
    assert audit["bfloat16"]["slope"][1] == 1.1015625
    assert set(audit) == {"derivative", "bfloat16", "float16", "float32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["certify", "tahn"], "did you mean 'tanh'"),
        (["certify", "tanh", "--domain", "2", "1"], "the lower first"),
        (["certify", "tanh", "--exhaustive"], "add --audit"),
        (["certify", "mine.py:odd", "--tier", "fast"], "not defined"),
        (["check", "nothing.json"], "nothing.json"),
        (["check", "mine.py"], "not JSON"),
    ],
)
def test_bad_input_gives_one_line_and_status_2(
    capsys: pytest.CaptureFixture, arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["certify", "check"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"actlab {command} " in capsys.readouterr().out
