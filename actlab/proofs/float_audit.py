"""The float audit: what value and slope do as executed in a dtype, over all its finite numbers or a stride of them.

A certificate speaks of real arithmetic. Rounding reaches further (swish's slope: 1.0998 in the reals, 1.1016 in
bfloat16) and code can fail where the formula does not (a NaN from inf - inf). Here every input is executed, in
increasing order, in chunks of one compiled program; operation by operation, 16-bit code rounds more often than fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from actlab.activations import Activation
from actlab.activations.interval import Interval
from actlab.proofs.executed import value_and_slope

CHUNK = 1 << 20
STRIDE = 4099
"""Of float32: a prime, so that the mantissas met are of all kinds; about a million inputs."""


@dataclass(frozen=True)
class FloatAudit:
    """What the executed function does in one dtype."""

    name: str
    dtype: str
    tried: int
    exhaustive: bool
    slope: Interval
    """Its least and its largest finite value, as executed."""
    least_at: float
    most_at: float
    nan_at: float | None
    """The input nearest to 0 at which value or slope is NaN."""
    nans: int
    infinite_at: float | None
    """An input, the first, at which value or slope is infinite: rightly so where the real one exceeds the dtype."""
    falls_at: float | None
    """The first input after which the value falls."""
    rises_at: float | None
    """The first input after which the value rises."""

    def excess(self, proved: Interval) -> float:
        """How far the executed slope leaves proved real bounds; 0 where it stays inside."""
        return max(0.0, proved.lower - self.slope.lower, self.slope.upper - proved.upper)

    def text(self, slope: Interval | None = None, monotone: str = "unknown") -> str:
        """One line for a reader, with what the reals say for comparison."""
        many = "all" if self.exhaustive else "a stride of"
        parts = [
            f"slope in [{self.slope.lower:.9g}, {self.slope.upper:.9g}], at {self.least_at:.6g}, {self.most_at:.6g}"
        ]
        if slope is not None and (excess := self.excess(slope)) > 0:
            parts.append(f"{excess:.3g} outside the real slope")
        if self.nan_at is not None:
            parts.append(f"NaN at {self.nans} inputs, the nearest to 0: {self.nan_at:.6g}")
        if self.infinite_at is not None:
            parts.append(f"infinite at {self.infinite_at:.6g}")
        if (place := self._broken_at(monotone)) is not None:
            parts.append(f"not {monotone}: breaks at {place:.9g}")
        return f"{self.dtype} ({many} {self.tried} finite inputs): {'; '.join(parts)}"

    def as_json(self) -> dict[str, Any]:
        """Plain data; infinities and NaN as text."""
        slope = {"slope": [self.slope.lower, self.slope.upper]}
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "slope"} | slope
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}

    def keeps(self, monotone: str) -> bool:
        """Whether the floats are as monotone as the reals are said to be, up to ties."""
        return self._broken_at(monotone) is None

    def _broken_at(self, monotone: str) -> float | None:
        """The first input after which the floats leave that order."""
        if monotone in ("strictly increasing", "nondecreasing"):
            return self.falls_at
        return self.rises_at if monotone in ("strictly decreasing", "nonincreasing") else None


def audit_floats(
    f: Activation | Callable[[Any], Any], dtype: Any = jnp.float32, *, exhaustive: bool | None = None
) -> FloatAudit:
    """Executes value and slope at the finite numbers of a dtype.

    Args:
        f: an Activation or an elementwise function of one array.
        dtype: bfloat16, float16 or float32.
        exhaustive: try every number; where not given, in 16 bits. Float32 has 4.3e9 of them: minutes.

    Raises:
        ValueError: another dtype.
    """
    kind = jnp.dtype(dtype)
    if kind not in (jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float16), jnp.dtype(jnp.float32)):
        raise ValueError(f"audit_floats: dtype = {kind.name}; it is bfloat16, float16 or float32")
    wide = kind.itemsize == 4
    every = not wide if exhaustive is None else exhaustive
    stride = 1 if every else STRIDE
    largest = int(np.asarray(jnp.finfo(kind).max).view(np.uint32 if wide else np.uint16))
    run = _chunk(f, kind, stride)
    state, tried = _Found(), 0
    count = 2 * largest // stride + 1
    for begin in range(0, count, CHUNK):
        first = -largest + stride * begin
        state.take(jax.device_get(run(jnp.int32(first), jnp.int32(min(CHUNK, count - begin)))))
        tried += min(CHUNK, count - begin)
    name = f.name if isinstance(f, Activation) else getattr(f, "__name__", repr(f))
    return FloatAudit(
        name,
        kind.name,
        tried,
        every,
        Interval(state.least, state.most),
        state.least_at,
        state.most_at,
        state.nan_at,
        state.nans,
        state.infinite_at,
        state.falls_at,
        state.rises_at,
    )


class _Found:
    """What the chunks so far came to, the first of each kind kept."""

    def __init__(self) -> None:
        self.least, self.most, self.least_at, self.most_at = math.inf, -math.inf, math.nan, math.nan
        self.nan_at = self.infinite_at = self.falls_at = self.rises_at = None
        self.nans, self.last, self.last_at = 0, math.nan, math.nan

    def take(self, r: dict[str, Any]) -> None:
        if r["least"] < self.least:
            self.least, self.least_at = float(r["least"]), float(r["least_at"])
        if r["most"] > self.most:
            self.most, self.most_at = float(r["most"]), float(r["most_at"])
        self.nans += int(r["nans"])
        if r["nans"] and (self.nan_at is None or abs(r["nan_at"]) < abs(self.nan_at)):
            self.nan_at = float(r["nan_at"])
        for what in ("infinite_at", "falls_at", "rises_at"):
            if getattr(self, what) is None and not math.isnan(r[what]):
                setattr(self, what, float(r[what]))
        if self.falls_at is None and r["first"] < self.last:  # from one chunk to the next
            self.falls_at = self.last_at
        if self.rises_at is None and r["first"] > self.last:
            self.rises_at = self.last_at
        self.last, self.last_at = float(r["last"]), float(r["last_at"])


def _chunk(f: Any, kind: Any, stride: int) -> Callable[[Any, Any], dict[str, Any]]:
    """The compiled program of one chunk of inputs, numbered in increasing order: 0 is 0, 1 the least positive one."""
    both = value_and_slope(f)
    integer = jnp.int32 if kind.itemsize == 4 else jnp.int16
    bits = jnp.iinfo(integer).min

    @jax.jit
    def run(first: Any, count: Any) -> dict[str, Any]:
        place = jnp.arange(CHUNK, dtype=jnp.int32)
        inside = place < count
        number = first + stride * jnp.minimum(place, count - 1)
        pattern = jnp.where(number >= 0, number, -number).astype(integer)
        x = jax.lax.bitcast_convert_type(jnp.where(number >= 0, pattern, pattern | bits), kind)
        # The barrier keeps a constant slope from being folded, element by element, at compile time.
        value, slope = (v.astype(jnp.float32) for v in jax.lax.optimization_barrier(both(x)))
        at = x.astype(jnp.float32)
        finite = jnp.isfinite(slope)
        low, high = jnp.where(finite, slope, jnp.inf), jnp.where(finite, slope, -jnp.inf)
        nan = inside & (jnp.isnan(value) | jnp.isnan(slope))
        infinite = inside & (jnp.isinf(value) | jnp.isinf(slope))

        def where(mask: Any) -> Any:
            return jnp.where(mask.any(), at[jnp.argmax(mask)], jnp.nan)

        return {
            "least": low.min(),
            "least_at": at[jnp.argmin(low)],
            "most": high.max(),
            "most_at": at[jnp.argmax(high)],
            "nans": nan.sum(),
            "nan_at": at[jnp.argmin(jnp.where(nan, jnp.abs(at), jnp.inf))],
            "infinite_at": where(infinite),
            "falls_at": where(value[1:] < value[:-1]),
            "rises_at": where(value[1:] > value[:-1]),
            "first": value[0],
            "last": value[-1],
            "last_at": at[-1],
        }

    return run
