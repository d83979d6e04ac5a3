"""Any bounded monotone activation as the regulation of a gene: the promoter's activity against concentration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation, Facts, Interval

BECAUSE = "a promoter's activity lies between off and on and changes in one direction with its regulator"
Reading = Literal["logarithmic", "linear"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Response(Activation):
    """r(x) = (f(z) - low) / (high - low), half at x = K, with z = middle + n ln(x/K), or z = middle x/K; 0 at x <= 0.

    Of the logistic function read on the logarithm it is the Hill activation; of tanh, the one with 2n. `repression`
    gives 1 - r.
    """

    base: Activation
    n: Any
    K: Any
    middle: float = field(metadata={"static": True})
    ends: tuple[float, float] = field(metadata={"static": True})
    reading: Reading = field(metadata={"static": True})
    repression: bool = field(metadata={"static": True})
    family = "biology"

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The base's name and the direction."""
        return f"{self.base.name} {'repression' if self.repression else 'activation'}"

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """r(x) for a floating array."""
        n, K = (jnp.asarray(v, x.dtype) for v in (self.n, self.K))
        ratio = jnp.where(x > 0, x, K) / K
        z = self.middle + n * jnp.log(ratio) if self.reading == "logarithmic" else self.middle * ratio
        low, high = self.ends
        r = jnp.clip((self.base.evaluate(z) - low) / (high - low), 0, 1)  # the clip is of rounding alone
        r = jnp.where(x > 0, r, 0)
        return 1 - r if self.repression else r

    @property
    def facts(self) -> Facts:
        """Range and direction; the slope where z is linear in x, as on the logarithm f's facts do not bound it at 0."""
        base, slope = self.base.facts, None
        if self.reading == "linear" and base.slope is not None:
            high = base.slope.magnitude * abs(self.middle / self.K / (self.ends[1] - self.ends[0]))
            slope = Interval(-high if self.repression else 0.0, 0.0 if self.repression else high).rounded(8)
        return Facts(
            range=Interval(0.0, 1.0),
            slope=slope,
            smoothness=None if base.smoothness is None else min(base.smoothness, 0),
            monotone="nonincreasing" if self.repression else "nondecreasing",
            gradient=base.gradient,
            standing=base.standing,
        )

    def log_slope_bound(self) -> Any:
        """Sup of |dr / d ln x|, from f's slope: n sup|f'| / (high - low); infinite where that is unknown.

        n/4 for the logistic function, as for Hill. On a linear reading only the bounded range helps, and none is given.
        """
        if self.reading == "linear":
            return np.inf
        return abs(self.n) * self.base.facts.lipschitz() / abs(self.ends[1] - self.ends[0])


def response(activation: Activation, n: Any = 2.0, K: Any = 1.0, *, repression: bool = False) -> Response:
    """The activation as a regulation that is half on at concentration K.

    An activation that is off for all x <= 0 and half on at some positive x (a Hill function, a clipped ramp) is a
    function of concentration, scaled to be half on at K. Every other is read on the logarithm of concentration,
    z = n ln(x/K) from its middle: n then steepens it as the Hill coefficient does.

    Args:
        activation: monotone with a bounded range; a falling one is read upside down.
        n: steepness on the logarithm; positive. Not used where the activation is a function of concentration.
        K: the concentration of half activity, positive.
        repression: 1 - r, the activity of a promoter that its regulator switches off.

    Raises:
        FactError: the range is unbounded or unknown, or the activation is not known to be monotone.
    """
    rising = activation.facts.monotone not in ("strictly decreasing", "nonincreasing")
    al.require(activation if rising else al.negate(activation), bounded_range=True, nondecreasing=True, because=BECAUSE)
    low, high, off = _ends(activation)
    middle = _half_way(activation, (low, high))
    reading: Reading = "linear" if off and middle > 1e-6 else "logarithmic"
    return Response(activation, n, K, middle, (low, high), reading, repression)


def logistic_curve(sign: int, n: Any = 2.0, K: Any = 1.0) -> Response:
    """Hill activation (+1) or repression (-1) as the logistic function of n ln(x/K): equal up to rounding.

    Several times faster than `hill` where n is not fixed: exp and log are vector instructions on a CPU, a power is not.
    """
    return Response(al.sigmoid, n, K, middle=0.0, ends=(0.0, 1.0), reading="logarithmic", repression=sign < 0)


POINTS = 257
"""Of every grid: one shape, so that an activation is compiled for it once."""
FAR = 69.0
"""Grids reach to sinh(69), about 5e29: far out, and finite in float32."""


@jax.jit
def _applied(activation: Activation, grid: Array) -> Array:
    return activation(grid)


def _values(activation: Activation, grid: np.ndarray) -> np.ndarray:
    with jax.ensure_compile_time_eval():
        return np.asarray(_applied(activation, jnp.asarray(grid, jnp.float32)), np.float64)


def _ends(activation: Activation) -> tuple[float, float, bool]:
    """The values far to the left and far to the right, and whether all values at x <= 0 are the left one.

    Of a falling activation the left one is the greater.
    """
    grid = np.sinh(np.linspace(-FAR, FAR, POINTS))
    values, bounds = _values(activation, grid), activation.facts.range
    assert bounds is not None  # required by the caller
    ends = (float(bounds.lower), float(bounds.upper))
    # The range's ends where they are approached to rounding: a sigmoid is never quite 1, nor is it 1 - 2^-24.
    near = [min(ends, key=lambda e, v=v: abs(e - v)) for v in (values[0], values[-1])]
    scale = 1e-5 * max(abs(e) for e in ends)
    low, high = (e if abs(e - v) <= scale else float(v) for e, v in zip(near, values[[0, -1]], strict=True))
    if low == high:
        raise al.FactError(f"{BECAUSE}: {activation!r} is constant. What would do: sigmoid, tanh, hill.")
    return low, high, bool(np.all(np.abs(values[grid <= 0] - low) <= 1e-6 * abs(high - low)))


def _half_way(activation: Activation, ends: tuple[float, float]) -> float:
    """Where the activation is half-way between its ends, to float32's resolution: it may jump there."""
    target, rising = 0.5 * (ends[0] + ends[1]), ends[1] > ends[0]
    grid = np.sinh(np.linspace(-FAR, FAR, POINTS))
    exact, left, right = False, grid[0], grid[-1]
    for _ in range(6):
        values = _values(activation, grid)
        after = int(np.argmax(values >= target if rising else values <= target))
        left, right, exact = grid[max(after - 1, 0)], grid[after], bool(values[after] == target)
        grid = np.linspace(left, right, POINTS)
    return float(right if exact else 0.5 * (left + right))
