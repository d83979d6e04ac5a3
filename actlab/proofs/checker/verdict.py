"""`check`: reads a certificate, retraces its function, and verifies every claim; accepts or says why not."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpmath import libmp

from actlab.proofs.checker import claims as judging
from actlab.proofs.checker.claims import Claims, Rejected
from actlab.proofs.checker.program import Malformed, read, real
from actlab.proofs.checker.retrace import retraced

FORMAT = "actlab-certificate/1"
BUDGET = 30_000
"""Boxes, those of the cover and their parts, after which a claim that is still open counts as not verified."""
MANY = 2_000
"""Edges of a cover beyond which not every one is taken."""
MONOTONE = ("strictly increasing", "nondecreasing", "strictly decreasing", "nonincreasing", "none", "unknown")
TRACED = {True: "of the function traced anew", False: "of the program alone: no function was retraced"}
TIERS = {"proved": 64, "assumed-libm": 53}


@dataclass(frozen=True)
class Verdict:
    """Whether a certificate is accepted, and why not."""

    accepted: bool
    name: str
    reason: str
    """Of a rejection; of an acceptance, what was verified and what was not looked at."""
    boxes: int = 0

    def __bool__(self) -> bool:
        return self.accepted

    def __str__(self) -> str:
        return f"{self.name}: {'accepted' if self.accepted else 'rejected'}: {self.reason}"


def check(certificate: Mapping[str, Any] | str, *, retrace: bool = True, budget: int = BUDGET) -> Verdict:
    """Verifies a certificate on its own: nothing of the prover's code or of its intermediate results is believed.

    Every claim is verified on every box of the cover, divided further where a box does not show it at once. A weaker
    claim than could be made (a bound moved outward, "nondecreasing" for a strictly increasing function) is accepted: it
    is true. Two one-sided limits count as equal where their enclosures overlap and are narrower than 2^-100.

    Args:
        certificate: the JSON object, or its text.
        retrace: also trace the named function anew, which imports its module, and reject the program of another.
        budget: the number of boxes after which a claim that is still open counts as not verified.

    Returns:
        The verdict; a rejection names the claim and the box.

    Raises:
        Malformed: it is no certificate of this format.
    """
    name = "certificate"
    try:
        data = _object(certificate)
        name = str(data["activation"]["name"])
        _check_frame(data)
        edges = _cover(data)
        program = read(data["program"])
        said = _claims(data)
        edges = _thinned(edges, said.kinks or ())
        now = retraced(data) if retrace else None
        if now is not None and (x := judging.difference(program, now, edges)) is not None:
            raise Rejected(f"the function that has the name today is another one: it differs at {libmp.to_str(x, 10)}")
        boxes = judging.verify(program if now is None else now, edges, said, max(budget, 4 * len(edges)))
    except Rejected as error:
        return Verdict(False, name, str(error))
    return Verdict(True, name, f"every claim verified on {boxes} boxes {TRACED[now is not None]}", boxes)


def _object(certificate: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(certificate, str):
        try:
            certificate = json.loads(certificate)
        except (json.JSONDecodeError, RecursionError) as error:
            raise Malformed(f"not JSON: {error}") from error
    if not isinstance(certificate, Mapping) or certificate.get("format") != FORMAT:
        raise Malformed(f"not a certificate of format {FORMAT}")
    wanted = {"activation", "of", "tier", "precision", "domain", "program", "digest", "cover", "claims"}
    if missing := wanted - set(certificate):
        raise Malformed(f"has no {', '.join(sorted(missing))}")
    if not isinstance(certificate["activation"], Mapping) or "name" not in certificate["activation"]:
        raise Malformed("names no activation")
    return certificate


def digest(certificate: Mapping[str, Any]) -> str:
    """The SHA-256 of program and domain: what a certificate is about. Its claims are verified, not hashed."""
    content = {key: certificate[key] for key in ("program", "domain")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_frame(data: Mapping[str, Any]) -> None:
    """Digest and tier."""
    if data["digest"] != digest(data):
        raise Rejected("the digest is not that of program and domain: they were edited")
    if data["tier"] not in TIERS:
        raise Malformed(f"tier {data['tier']!r} is none of {', '.join(TIERS)}")
    precision = data["precision"]
    if not isinstance(precision, int) or (precision >= TIERS["proved"]) != (data["tier"] == "proved"):
        raise Rejected(f"tier {data['tier']!r} and a precision of {precision} bits contradict each other")


def _cover(data: Mapping[str, Any]) -> list[float]:
    """The edges, which leave no gap: they rise from one end of the domain to the other."""
    domain = [real(v, "domain") for v in _listed(data["domain"], "domain")]
    edges = [real(v, "cover") for v in _listed(data["cover"], "cover")]
    if len(domain) != 2 or not domain[0] < domain[1] or not all(map(math.isfinite, domain)):
        raise Malformed(f"domain {domain} is not two finite numbers in order")
    if len(edges) < 2 or any(not a < b for a, b in zip(edges, edges[1:], strict=False)):
        raise Rejected("the edges of the cover do not rise")
    if [edges[0], edges[-1]] != domain:
        raise Rejected(f"the cover reaches from {edges[0]} to {edges[-1]}, the domain from {domain[0]} to {domain[1]}")
    return edges


def _thinned(edges: list[float], kinks: tuple[float, ...]) -> list[float]:
    """About `MANY` of them, with ends and kinks: a box too large to show a claim is divided again anyway."""
    step = -(-len(edges) // MANY)
    return edges if step == 1 else sorted({*edges[::step], edges[-1], *(set(kinks) & set(edges))})


def _listed(values: Any, what: str) -> list[Any]:
    if not isinstance(values, list):
        raise Malformed(f"{what} is no list")
    return values


def _claims(data: Mapping[str, Any]) -> Claims:
    said = data["claims"]
    if not isinstance(said, Mapping):
        raise Malformed("claims is no object")
    bounds = tuple(_pair(said.get(name), name) for name in ("range", "slope", "curvature"))
    monotone, continuous, smoothness = said.get("monotone", "unknown"), said.get("continuous"), said.get("smoothness")
    if monotone not in MONOTONE or continuous not in (True, False, None):
        raise Malformed(f"monotone {monotone!r}, continuous {continuous!r}")
    if smoothness not in (-1, 0, 1, 2, 3, "inf", None):
        raise Malformed(f"smoothness {smoothness!r} is none of -1, 0, 1, 2, 3, inf")
    kinks = said.get("kinks")
    return Claims(
        bounds,
        monotone,
        continuous,
        None if smoothness is None else float(smoothness),
        None if kinks is None else tuple(real(k, "kinks") for k in _listed(kinks, "kinks")),
    )


def _pair(values: Any, what: str) -> tuple[float, float] | None:
    if values is None:
        return None
    pair = [real(v, what) for v in _listed(values, what)]
    if len(pair) != 2 or not pair[0] <= pair[1]:
        raise Malformed(f"{what} {values} is no interval")
    return pair[0], pair[1]
