"""Numbers and comparisons in words: what the page and the terminal say of a measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from actlab.measurement import Measurement

MINUS = "\N{MINUS SIGN}"
INFINITY = "\N{INFINITY}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DECIMALS = 6

Outcome = Literal["better", "worse", "higher", "lower", "equal", "open", "incomparable"]


def number(value: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number for a reader: a true minus sign, powers of ten for the very large and small.

    Args:
        value: any float; not-a-numbers and infinities are named.
        decimals: digits after the point; four significant digits where not given.
        signed: with a plus sign where positive.
    """
    if math.isnan(value):
        return "NaN"
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    size = abs(value)
    if math.isinf(size):
        return sign + INFINITY
    if size >= 1e6 or 0 < size < 1e-4:
        mantissa, exponent = f"{size:.2e}".split("e")
        return f"{sign}{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    if decimals is None:
        text = f"{size:.4g}" if size < 1e3 else f"{size:.0f}"
    else:
        text = f"{size:.{decimals}f}"
    return (sign if float(text) else "") + text


def bound(value: float | str) -> str:
    """The end of an interval, from a number or from "inf"/"-inf", to six significant digits."""
    value = float(value)
    text = f"{abs(value):.6g}" if math.isfinite(value) and (value == 0 or 1e-4 <= abs(value) < 1e6) else None
    return number(value) if text is None else (MINUS if value < 0 else "") + text


def decimals_for(low: float, high: float) -> int | None:
    """The digits after the point at which an interval shows two digits of its width; None where it has none."""
    width = high - low
    if not math.isfinite(width) or width <= 0:
        return None
    return min(max(0, 1 - math.floor(math.log10(width))), _MOST_DECIMALS)


def interval(low: float, high: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """As `[low, high]`; empty where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{number(low, decimals, signed=signed)}, {number(high, decimals, signed=signed)}]"


def estimate(measurement: Measurement, decimals: int | None = None, *, signed: bool = False) -> str:
    """Mean and interval: `0.431 [0.420, 0.440]`, or the mean alone and why there is no interval."""
    low, high = measurement.interval
    decimals = decimals_for(low, high) if decimals is None else decimals
    mean = number(measurement.mean, decimals, signed=signed)
    if text := interval(low, high, decimals, signed=signed):
        return f"{mean} {text}"
    return f"{mean} ({without_interval(measurement)})"


def without_interval(measurement: Measurement) -> str:
    """Why a measurement has no interval."""
    bad = int(np.sum(~np.isfinite(measurement.values)))
    if bad:
        return f"{bad} of {count(measurement.values.size, 'seed')} not finite"
    return "one seed, no interval" if measurement.values.size < 2 else "no interval"


def outcome(difference: Measurement) -> Outcome:
    """What a paired difference shows: an interval off zero, an interval over zero ("open"), or nothing."""
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


def duration(seconds: float) -> str:
    """`8 s`, `2 min 10 s`."""
    if not math.isfinite(seconds):
        return "an unknown time"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s" if rest else "under a second"
