"""Numbers for a reader: a true minus sign, powers of ten, and as many digits as an interval deserves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Literal

MINUS, INFINITY = "\N{MINUS SIGN}", "\N{INFINITY}"
LARGE, SMALL = 1e6, 1e-4
"""Numbers from `LARGE` on, and below `SMALL`, are written with a power of ten."""
AMONG_LARGE = 1e3
"""So are those from here on that stand beside a large one."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DECIMALS, _MOST_ADDED, _MOST_MANTISSA = 6, 5, 5
_ROUNDING = {"lower": ROUND_FLOOR, "upper": ROUND_CEILING, "nearest": ROUND_HALF_EVEN}


@dataclass(frozen=True)
class Format:
    """How numbers that stand together are written.

    Attributes:
        decimals: digits after the point; four significant digits where None.
        powers_from: the size from which on a power of ten is used.
        mantissa: digits after the point of a number with a power of ten.
    """

    decimals: int | None = None
    powers_from: float = LARGE
    mantissa: int = 2

    def text(self, value: float, *, signed: bool = False) -> str:
        """The number; not-a-numbers and infinities are named."""
        if math.isnan(value):
            return "NaN"
        sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
        size = abs(value)
        if math.isinf(size):
            return sign + INFINITY
        if size >= self.powers_from or (self.decimals is None and 0 < size < SMALL):
            return sign + power_of_ten(size, self.mantissa)
        if self.decimals is None:
            text = f"{size:.4g}" if size < 1e3 else f"{size:.0f}"
        else:
            text = f"{size:.{self.decimals}f}"
        return (sign if float(text) else "") + text

    def tells(self, value: float, landmark: float) -> bool:
        """Whether a value that is not the landmark is written differently from it."""
        return value == landmark or self.text(value) != self.text(landmark)


def number(value: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """One number by itself.

    Args:
        value: any float.
        decimals: digits after the point; four significant digits where not given.
        signed: with a plus sign where positive.
    """
    return Format(decimals).text(value, signed=signed)


def power_of_ten(size: float, mantissa: int = 2) -> str:
    """A positive number as `1.05×10⁶`."""
    digits, exponent = f"{size:.{mantissa}e}".split("e")
    return f"{digits}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def bound(value: float | str, side: Literal["lower", "upper", "nearest"] = "nearest") -> str:
    """The end of an interval, from a number or from "inf"/"-inf", to six significant digits; three with a power of ten.

    Args:
        value: the end; its shortest decimal form counts as exact, so 0.1 stays 0.1.
        side: which end it is: a lower one is rounded down, an upper one up, so that what is shown is a bound too.
    """
    value = float(value)
    if not math.isfinite(value) or value == 0:
        return number(value)
    exact = Decimal(repr(value))
    plain = SMALL <= abs(value) < LARGE
    last = Decimal(1).scaleb(exact.adjusted() - (5 if plain else 2))
    rounded = exact.quantize(last, _ROUNDING[side])
    sign = MINUS if rounded < 0 else ""
    if not plain:
        return sign + power_of_ten(float(abs(rounded)))
    text = f"{abs(rounded):f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


def decimals_for(low: float, high: float) -> int | None:
    """The digits after the point at which an interval shows two digits of its width; None where it has none."""
    width = high - low
    if not math.isfinite(width) or width <= 0:
        return None
    return min(max(0, 1 - math.floor(math.log10(width))), _MOST_DECIMALS)


def is_large(values: Iterable[float]) -> bool:
    """Whether one of the values asks for a power of ten, and so the others beside it do."""
    return any(math.isfinite(v) and abs(v) >= LARGE for v in values)


def format_for(
    low: float, high: float, *, decimals: int | None = None, large: bool = False, landmark: float = 0.0
) -> Format:
    """The format of an interval and its mean.

    Args:
        low: lower end; the mean itself where there is no interval.
        high: upper end.
        decimals: digits that suit the surroundings; those of the interval's width where not given.
        large: whether it stands among large numbers.
        landmark: an end that differs from this number is never rounded to it: digits are added until it does not.
    """
    width = high - low
    decimals = decimals_for(low, high) if decimals is None else decimals
    powers_from = AMONG_LARGE if large or is_large((low, high)) else LARGE
    mantissa = 2
    if math.isfinite(width) and width > 0:
        size = max(abs(low), abs(high))
        mantissa = min(max(2, math.floor(math.log10(size)) - math.floor(math.log10(width)) + 1), _MOST_MANTISSA)
    if decimals is None:
        return Format(None, powers_from, mantissa)
    tried = (Format(d, powers_from, mantissa) for d in range(decimals, max(decimals, _MOST_ADDED) + 1))
    able = (f for f in tried if f.tells(low, landmark) and f.tells(high, landmark))
    return next(able, Format(None, powers_from, mantissa))
