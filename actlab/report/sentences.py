"""Measurements and comparisons in words: what the page and the terminal say of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from actlab.measurement import Measurement
from actlab.report.numbers import format_for, number

TOGETHER = "\N{NO-BREAK SPACE}"
"""Keeps an interval on one line."""

Outcome = Literal["better", "worse", "higher", "lower", "equal", "open", "incomparable"]


def estimate_parts(
    measurement: Measurement,
    decimals: int | None = None,
    *,
    large: bool = False,
    landmark: float = 0.0,
    signed: bool = False,
) -> tuple[str, str]:
    """Mean and interval apart: `0.431` and `[0.420, 0.440]`; in place of the interval, why there is none.

    Args:
        measurement: of what.
        decimals: digits after the point that suit its surroundings; its own where not given.
        large: whether it stands among numbers that are written with powers of ten.
        landmark: a number that no end is rounded to.
        signed: with plus signs.
    """
    mean, (low, high) = measurement.mean, measurement.interval
    without = math.isnan(low) or math.isnan(high)
    ends = (mean, mean) if without else (low, high)
    style = format_for(*ends, decimals=decimals, large=large, landmark=landmark)
    said, left, right = (style.text(v, signed=signed) for v in (mean, low, high))
    return said, without_interval(measurement) if without else f"[{left},{TOGETHER}{right}]"


def estimate(measurement: Measurement, decimals: int | None = None, **options: Any) -> str:
    """Mean and interval: `0.431 [0.420, 0.440]`, or the mean alone and why there is no interval."""
    mean, rest = estimate_parts(measurement, decimals, **options)
    return f"{mean} {rest}" if rest.startswith("[") else f"{mean} ({rest})"


def without_interval(measurement: Measurement) -> str:
    """Why a measurement has no interval."""
    bad = int(np.sum(~np.isfinite(measurement.values)))
    if bad:
        return f"{bad} of {count(measurement.values.size, 'seed')} not finite"
    return "one seed, no interval" if measurement.values.size < 2 else "no interval"


def outcome(difference: Measurement) -> Outcome:
    """What a paired difference shows: a direction where its interval leaves out zero, and "open" where it does not.

    "equal" where every value is 0, "incomparable" where one is not finite.
    """
    values = difference.values
    if not np.all(np.isfinite(values)):
        return "incomparable"
    low, high = difference.interval
    if values.size > 1 and not np.any(values):
        return "equal"
    if not (low > 0 or high < 0):  # one seed has no interval, and so is open too
        return "open"
    if difference.better == "neither":
        return "higher" if low > 0 else "lower"
    return "better" if (low > 0) == (difference.better == "higher") else "worse"


def comparison(difference: Measurement, other: str) -> str:
    """A paired difference from `other` in words: `better than relu: -0.03 [-0.05, -0.01]`."""
    said, seeds = outcome(difference), count(difference.values.size, "seed")
    if said == "incomparable":
        return f"cannot be compared with {other}: {without_interval(difference)}"
    if said == "equal":
        return f"equal to {other} on all {seeds}"
    size = estimate(difference, signed=True)
    if said == "open" and difference.values.size < 2:
        return f"{number(difference.mean, signed=True)} against {other} on one seed, which cannot show a difference"
    if said == "open":
        return f"no difference from {other} that {seeds} can show: {size}"
    return f"{said} than {other}: {size}"


def count(n: int, noun: str) -> str:
    """`1 seed`, `5 seeds`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listing(names: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    *head, tail = names or ("nothing",)
    return f"{', '.join(head)} {last} {tail}" if head else tail


def direction(better: str) -> str:
    """`lower is better`; empty where neither is."""
    return "" if better == "neither" else f"{better} is better"


def heading(measurement: Measurement) -> str:
    """What was measured, with unit and direction: `test RMSE (sd, lower is better)`."""
    inside = ", ".join(part for part in (measurement.unit, direction(measurement.better)) if part)
    return f"{measurement.name} ({inside})" if inside else measurement.name


def seed_list(seeds: Sequence[int]) -> str:
    """`0, 1, 2`; a long unbroken series by its ends: `0 to 19`."""
    if len(seeds) > 10 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"


def duration(seconds: float) -> str:
    """`8 s`, `2 min 10 s`."""
    if not math.isfinite(seconds):
        return "an unknown time"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s" if rest else "under a second"
