"""Claims as a reader sees them: the verdict, what was measured, and where its interval lies beside the bound."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from actlab.measurement import Claim
from actlab.report.numbers import bound
from actlab.report.sentences import count, estimate, listing

WIDTH, HEIGHT = 320.0, 50.0
_MARGIN = 10.0


@dataclass(frozen=True)
class Gauge:
    """Horizontal positions on a drawing `WIDTH` wide.

    Attributes:
        mean: the dot.
        low: left end of the interval.
        high: right end.
        bound: the claimed bound.
        label: its number.
        left: left end of the side on which the claim holds.
        right: right end of that side.
    """

    mean: float
    low: float
    high: float
    bound: float
    label: str
    left: float
    right: float


@dataclass(frozen=True)
class Finding:
    """A decided claim.

    Attributes:
        claim: what was claimed.
        statement: as a sentence begins.
        measured: mean and interval.
        bound: "at least 0.95".
        why: the verdict in words.
        gauge: the drawing; None where a number is not finite.
    """

    claim: Claim
    statement: str
    measured: str
    bound: str
    why: str
    gauge: Gauge | None


def finding(claim: Claim) -> Finding:
    """The claim in words and as a drawing."""
    limit = _limit(claim)
    said = f"at least {bound(limit)}" if claim.at_least is not None else f"at most {bound(limit)}"
    statement, measured = claim.statement[:1].upper() + claim.statement[1:], estimate(claim.measurement, landmark=limit)
    return Finding(claim, statement, measured, said, _why(claim), _gauge(claim))


def tally(claims: Sequence[Claim]) -> str:
    """`Of 4 claims, 3 hold and 1 is undecided.`; empty without claims."""
    counts = Counter(c.verdict for c in claims)
    verbs = {"holds": ("holds", "hold"), "fails": ("fails", "fail"), "undecided": ("is undecided", "are undecided")}
    parts = [f"{n} {verbs[v][n > 1]}" for v in ("holds", "fails", "undecided") if (n := counts[v])]
    return f"Of {count(len(claims), 'claim')}, {listing(parts)}." if parts else ""


def _limit(claim: Claim) -> float:
    limit = claim.at_least if claim.at_least is not None else claim.at_most
    assert limit is not None  # a Claim has exactly one
    return limit


def _why(claim: Claim) -> str:
    if any(math.isnan(end) for end in claim.measurement.interval):
        return "There is no interval to decide it."
    return {
        "holds": "The whole interval is on the claimed side.",
        "fails": "The whole interval is on the other side.",
        "undecided": "The interval lies on both sides of the bound.",
    }[claim.verdict]


def _gauge(claim: Claim) -> Gauge | None:
    limit, mean = _limit(claim), claim.measurement.mean
    low, high = claim.measurement.interval
    if not all(map(math.isfinite, (limit, mean, low, high))):
        return None
    left, right = min(low, limit), max(high, limit)
    room = 0.15 * (right - left) or 0.5
    scale = (WIDTH - 2 * _MARGIN) / (right - left + 2 * room)

    def place(value: float) -> float:
        return round(_MARGIN + scale * (value - left + room), 1)

    edge = place(limit)
    side = (edge, WIDTH) if claim.at_least is not None else (0.0, edge)
    return Gauge(place(mean), place(low), place(high), edge, bound(limit), *side)
