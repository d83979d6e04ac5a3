"""The certificate: what is claimed of a function, and the cover on which every claim can be checked box by box."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actlab.activations.facts import Facts, Monotone
from actlab.activations.interval import Interval
from actlab.proofs.program import Program, digest, from_hexadecimal, from_json, hexadecimal

FORMAT = "actlab-certificate/1"


@dataclass(frozen=True)
class Claims:
    """What is claimed over the domain; bounds of derivatives away from the kinks."""

    range: Interval
    slope: Interval | None
    curvature: Interval | None
    monotone: Monotone
    continuous: bool | None
    smoothness: int | float | None
    kinks: tuple[float, ...] | None


@dataclass(frozen=True)
class Certificate:
    """The machine-checkable proof behind proved facts.

    It speaks of `program`, read in exact real arithmetic; `of` says where the program comes from: "formula" (the
    activation's formula), "float64 trace" or "float32 trace" (the executed code). What a dtype's rounding adds is not
    in it: see `Activation.slope_in`.
    """

    name: str
    reference: str | None
    parameters: Mapping[str, Any]
    of: str
    tier: str
    precision: int
    domain: tuple[float, float]
    program: Program
    cover: tuple[float, ...]
    claims: Claims
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of program and domain."""
        return digest(self.program, self.domain)

    def facts(self, known: Facts | None = None) -> Facts:
        """The claims as facts of standing "proved"; an inverse and the kind of gradient are taken from `known`."""
        c = self.claims
        return Facts(
            range=c.range,
            slope=c.slope,
            curvature=c.curvature,
            kinks=c.kinks,
            smoothness=c.smoothness,
            monotone=c.monotone,
            inverse=None if known is None else known.inverse,
            gradient="exact" if known is None else known.gradient,
            standing="proved",
        )

    def as_json(self) -> dict[str, Any]:
        """Plain data: numbers as hexadecimal text, so that nothing is lost."""
        c = self.claims

        def bounds(interval: Interval | None) -> Any:
            return None if interval is None else [hexadecimal(interval.lower), hexadecimal(interval.upper)]

        smoothness = "inf" if c.smoothness is not None and math.isinf(c.smoothness) else c.smoothness
        return {
            "format": FORMAT,
            "activation": {"name": self.name, "reference": self.reference, "parameters": dict(self.parameters)},
            "of": self.of,
            "tier": self.tier,
            "precision": self.precision,
            "domain": [hexadecimal(v) for v in self.domain],
            "program": self.program.as_json(),
            "digest": self.digest,
            "cover": [hexadecimal(v) for v in self.cover],
            "claims": {
                "range": bounds(c.range),
                "slope": bounds(c.slope),
                "curvature": bounds(c.curvature),
                "monotone": c.monotone,
                "continuous": c.continuous,
                "smoothness": smoothness,
                "kinks": None if c.kinks is None else [hexadecimal(k) for k in c.kinks],
            },
            "notes": list(self.notes),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Certificate:
        """The certificate that `as_json` wrote; what it claims is not checked here.

        Raises:
            ValueError: another format.
        """
        if data.get("format") != FORMAT:
            raise ValueError(f"a certificate of the format {data.get('format')!r}; this reads {FORMAT!r}")

        def bounds(pair: Any) -> Interval | None:
            return None if pair is None else Interval(*(from_hexadecimal(v) for v in pair))

        c = data["claims"]
        image = bounds(c["range"])
        assert image is not None
        claims = Claims(
            range=image,
            slope=bounds(c["slope"]),
            curvature=bounds(c["curvature"]),
            monotone=c["monotone"],
            continuous=c["continuous"],
            smoothness=math.inf if c["smoothness"] == "inf" else c["smoothness"],
            kinks=None if c["kinks"] is None else tuple(from_hexadecimal(k) for k in c["kinks"]),
        )
        low, high = (from_hexadecimal(v) for v in data["domain"])
        return Certificate(
            name=data["activation"]["name"],
            reference=data["activation"]["reference"],
            parameters=data["activation"]["parameters"],
            of=data["of"],
            tier=data["tier"],
            precision=data["precision"],
            domain=(low, high),
            program=from_json(data["program"]),
            cover=tuple(from_hexadecimal(v) for v in data["cover"]),
            claims=claims,
            notes=tuple(data["notes"]),
        )

    def save(self, path: str | Path) -> None:
        """Writes it as JSON."""
        Path(path).write_text(json.dumps(self.as_json(), indent=1) + "\n")

    @staticmethod
    def load(path: str | Path) -> Certificate:
        """Reads what `save` wrote."""
        return Certificate.from_json(json.loads(Path(path).read_text()))
