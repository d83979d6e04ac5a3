"""A straight-line scalar program in exact real arithmetic: what a certificate speaks about."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Argument = str | float
"""The name of an earlier equation (or of the input), or a constant."""


@dataclass(frozen=True)
class Equation:
    """`name = op(args; params)`; the place is where the user's code asks for it."""

    name: str
    op: str
    args: tuple[Argument, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data; constants as hexadecimal floats."""
        args = [a if isinstance(a, str) else hexadecimal(a) for a in self.args]
        return {"name": self.name, "op": self.op, "args": args, "params": dict(self.params)}


@dataclass(frozen=True)
class Program:
    """Equations in order; the value of the last one, or of whatever `output` names."""

    equations: tuple[Equation, ...]
    output: Argument
    input: str = "x"

    def as_json(self) -> dict[str, Any]:
        """Plain data, as a certificate holds it."""
        output = self.output if isinstance(self.output, str) else hexadecimal(self.output)
        return {"input": self.input, "equations": [e.as_json() for e in self.equations], "output": output}

    def pruned(self) -> Program:
        """Without the equations that the output does not need, renamed in order."""
        needed = {self.output}
        for e in reversed(self.equations):
            if e.name in needed:
                needed.update(e.args)
        kept = [e for e in self.equations if e.name in needed]
        names: dict[Argument, Argument] = {e.name: f"v{i}" for i, e in enumerate(kept, 1)}
        equations = tuple(
            Equation(str(names[e.name]), e.op, tuple(names.get(a, a) for a in e.args), e.params, e.place) for e in kept
        )
        return Program(equations, names.get(self.output, self.output), self.input)

    def __str__(self) -> str:
        lines = [f"{e.name} = {e.op}({', '.join(map(str, e.args))})" for e in self.equations]
        return "\n".join([*lines, f"return {self.output}"])


def from_json(data: Mapping[str, Any]) -> Program:
    """The program that `Program.as_json` wrote."""
    names = {data["input"], *(e["name"] for e in data["equations"])}

    def argument(a: str) -> Argument:
        return a if a in names else from_hexadecimal(a)

    equations = tuple(
        Equation(e["name"], e["op"], tuple(argument(a) for a in e["args"]), e["params"]) for e in data["equations"]
    )
    return Program(equations, argument(data["output"]), data["input"])


def digest(program: Program, domain: Iterable[float]) -> str:
    """The SHA-256 of the canonical text of program and domain."""
    content = {"program": program.as_json(), "domain": [hexadecimal(v) for v in domain]}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def hexadecimal(value: float) -> str:
    """A float as text that loses nothing; infinities as "inf" and "-inf"."""
    value = float(value)
    return ("inf" if value > 0 else "-inf") if math.isinf(value) else value.hex()


def from_hexadecimal(text: str) -> float:
    """The float that `hexadecimal` wrote."""
    return float(text) if text in ("inf", "-inf") else float.fromhex(text)
