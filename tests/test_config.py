from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from actlab.config import ConfigError, build, read


@dataclass(frozen=True)
class Model:
    width: Annotated[int, Field(ge=1)] = 50
    activation: str = "relu"


@dataclass(frozen=True)
class Settings:
    steps: Annotated[int, Field(ge=1, le=1000)]
    sets: tuple[str, ...] = ("yacht",)
    rate: float = 0.1
    model: Model = field(default_factory=Model)
    wide: Model = field(default_factory=lambda: Model(width=100))

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"rate = {self.rate} must be positive")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return path


def test_reads_builds_and_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, 'steps = 3\nsets = ["a"]\n[model]\nwidth = 7')
    table = read(path, ["steps=4", "model.activation=gelu", 'sets=["b", "c"]', "rate=1e-3"])
    assert build(Settings, table) == Settings(4, ("b", "c"), 1e-3, Model(7, "gelu"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = 0", "steps = 0: .*greater than or equal to 1"),
        ("steps = 2000", "steps = 2000: .*less than or equal to 1000"),
        ('steps = "many"', "steps = 'many': .*integer"),
        ("", "steps: .*required|steps.*missing"),
        (
            "steps = 1\nstep = 2",
            r"unknown key 'step' \(did you mean 'steps'\?\); known: steps, sets, rate, model, wide",
        ),
        ("steps = 1\n[model]\nwidht = 2", r"unknown key 'model.widht' \(did you mean 'model.width'\?\)"),
        ("steps = 1\n[wide]\nwidht = 2", r"unknown key 'wide.widht' \(did you mean 'wide.width'\?\)"),
        ("steps = 1\n[model]\nwidth = 0", "model.width = 0"),
        ("steps = 1\nrate = -1.0", "rate = -1.0 must be positive"),
    ],
)
def test_refuses_what_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        build(Settings, read(write(tmp_path, text)), "c.toml")
    assert str(error.value).startswith("c.toml: ")
    assert "\n" not in str(error.value)


def test_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file"):
        read(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="no valid TOML"):
        read(write(tmp_path, "steps = = 3"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="not of the form key=value"):
        read(write(tmp_path, ""), ["steps"])
    with pytest.raises(ConfigError, match="'steps' is a value, not a table"):
        read(write(tmp_path, "steps = 1"), ["steps.a=2"])
