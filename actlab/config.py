"""Configurations: TOML read into an experiment's frozen dataclass, or refused with the names that are known."""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the file or key, its value and what is allowed."""


def read(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The table in a TOML file, with `dotted.key=value` overrides applied in order.

    Args:
        path: the file.
        overrides: each value is read as TOML, as a string where it is none: `steps=2`, `sets=["yacht"]`, `name=relu`.

    Raises:
        ConfigError: the file is missing or no TOML, or an override is no `key=value` or descends into a value.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no configuration file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error
    for override in overrides:
        _set(table, override)
    return table


def build(kind: type[T], table: Mapping[str, Any], where: str = "the configuration") -> T:
    """A validated instance of the dataclass `kind`, nested dataclasses included.

    Constraints are those of its annotations (`Annotated[int, pydantic.Field(ge=1)]`) and of its `__post_init__`.

    Raises:
        ConfigError: an unknown key (the message lists the known ones), a missing one, or a value of the wrong type or
            outside its bounds; every fault in one line.
    """
    import pydantic

    faults = [*_unknown_keys(kind, table, ""), *_no_numbers(kind, table, "")]
    if faults:
        raise ConfigError(f"{where}: {'; '.join(faults)}")
    try:
        return pydantic.TypeAdapter(kind).validate_python(dict(table))
    except pydantic.ValidationError as error:
        raise ConfigError(f"{where}: {'; '.join(map(_fault, error.errors()))}") from error


def _set(table: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {override!r} is not of the form key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"override {override!r}: {parent!r} is a value, not a table")
    table[last] = value


def _unknown_keys(kind: Any, table: Mapping[str, Any], prefix: str) -> list[str]:
    known, kinds = [f.name for f in dataclasses.fields(kind)], get_type_hints(kind)
    faults = []
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" (did you mean {prefix + near[0]!r}?)" if near else ""
            faults.append(f"unknown key {prefix + key!r}{hint}; known: {', '.join(prefix + name for name in known)}")
        elif dataclasses.is_dataclass(kinds[key]) and isinstance(value, Mapping):
            faults += _unknown_keys(kinds[key], value, f"{prefix}{key}.")
    return faults


def _no_numbers(kind: Any, table: Mapping[str, Any], prefix: str) -> list[str]:
    """Where numbers are wanted: truth values, which pydantic takes for 1 and 0, and what is not finite, as 1e400."""
    kinds = get_type_hints(kind)
    faults = []
    for key, value in table.items():
        wanted = kinds.get(key) in (int, float)
        if wanted and (isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))):
            faults.append(f"{prefix}{key} = {value}: Input should be a finite number")
        elif dataclasses.is_dataclass(kinds.get(key)) and isinstance(value, Mapping):
            faults += _no_numbers(kinds[key], value, f"{prefix}{key}.")
    return faults


def _fault(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "values"
    shown = f" = {error['input']!r}" if not isinstance(error["input"], (dict, list)) else ""
    return f"{key}{shown}: {error['msg'].removeprefix('Value error, ')}"
