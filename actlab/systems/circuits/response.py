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
from actlab.activations.transition import GRID, ends, reached, values

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
    curve = activation if rising else al.negate(activation)
    al.require(curve, bounded_range=True, nondecreasing=True, because=BECAUSE)
    low, high = ends(curve, BECAUSE)
    middle = reached(curve, 0.5 * (low + high))
    off = np.all(values(curve, GRID, np.float32)[GRID <= 0] - low <= 1e-6 * (high - low))
    reading: Reading = "linear" if off and middle > 1e-6 else "logarithmic"
    return Response(activation, n, K, middle, (low, high) if rising else (-low, -high), reading, repression)


def logistic_curve(sign: int, n: Any = 2.0, K: Any = 1.0) -> Response:
    """Hill activation (+1) or repression (-1) as the logistic function of n ln(x/K): equal up to rounding.

    Several times faster than `hill` where n is not fixed: exp and log are vector instructions on a CPU, a power is not.
    """
    return Response(al.sigmoid, n, K, middle=0.0, ends=(0.0, 1.0), reading="logarithmic", repression=sign < 0)
