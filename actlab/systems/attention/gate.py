"""The gate: which scores an activation keeps, as a half-line of scores, and what weight it gives them."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation, FactError

FARTHEST = float(np.finfo(np.float32).max)
MARGINS = (0.0, 1e-3, 1e-2, 0.1, 0.3)
"""How far below the crossing the two pieces of the proof may meet, relative to 1 + |crossing|.

For a crossing of at least 0 they meet at 0 first, so that all such crossings share the proofs on two half-lines.
"""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Gate:
    """keep = f(temperature * s) > threshold, as the half-line of scores s > crossing / temperature.

    The gate is on the score: in floats f need not be monotone (GELU is not, by up to 4 ulp), s > s* always is. Made by
    `gate`, which proves that the kept set is a half-line; the leaves can then be swept and the temperature trained.

    Attributes:
        activation: f.
        temperature: positive, of shape () or (heads,). Raising it lowers s* towards 0 and keeps more.
        threshold: theta, a number.
        crossing: x*, where f crosses theta; follows from `threshold`, so the two are swept together.
        continuous: weights f(temperature s) - threshold, which vanish at s*, in place of f(temperature s), which jump
            there by theta. The derivative of the hard gate ignores that jump.
    """

    activation: Activation
    temperature: Any
    threshold: Any
    crossing: Any
    continuous: bool = field(default=False, metadata={"static": True})

    def least_score(self) -> Any:
        """s*: the score above which a pair is kept, of the temperature's shape."""
        return self.crossing / self.temperature

    def keep(self, scores: Float[Array, "*shape"]) -> Array:
        """Which scores are kept; the temperature must broadcast."""
        return scores > self.least_score()

    def weight(self, scores: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The weight of each score: f(temperature s), less the threshold where continuous; 0 where not kept."""
        value = self.activation(self.temperature * scores)
        return jnp.where(self.keep(scores), value - self.threshold if self.continuous else value, 0.0)

    def at(self, temperature: Any) -> Gate:
        """The gate at another temperature: a number, or a traced or trained array."""
        return Gate(self.activation, temperature, self.threshold, self.crossing, self.continuous)


def gate(activation: Any, *, temperature: Any = 1.0, threshold: float = 0.0, continuous: bool = False) -> Gate:
    """The gate of an activation, if what it keeps is proved to be a half-line of scores.

    A nondecreasing f always keeps a half-line. For another one two facts are proved: f <= threshold everywhere left of
    some point, and f is nondecreasing right of it. GELU at a negative threshold keeps two pieces; it is refused, since
    an upper bound of the scores then proves nothing.

    Args:
        activation: an Activation, a function of one array or a name.
        temperature: positive; an array of shape (heads,) gives each head its own.
        threshold: theta, finite.
        continuous: see `Gate`.

    Raises:
        FactError: the kept set is not a half-line, or could not be proved to be one.
        ValueError: a threshold that is not finite, or that f nowhere crosses; a temperature that is not positive.
    """
    f, threshold = al.as_activation(activation), float(threshold)
    if not math.isfinite(threshold):
        raise ValueError(f"gate: threshold = {threshold} must be finite")
    if not isinstance(temperature, Tracer) and not np.all(np.asarray(temperature) > 0):
        raise ValueError(f"gate: temperature = {temperature} must be positive")
    crossing = _crossing(f, threshold)
    if not f.facts.increasing:
        _prove_half_line(f, threshold, crossing)
    return Gate(f, temperature, threshold, crossing, continuous)


def _crossing(f: Activation, threshold: float) -> float:
    """The largest x with f(x) <= threshold, in float64, by bisection from a scan of both half-lines."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        positive = np.concatenate([np.geomspace(1e-6, 1e3, 4000), np.geomspace(1e3, FARTHEST, 400)])
        x = np.concatenate([-positive[::-1], [0.0], positive])
        above = np.asarray(f(jnp.asarray(x))) > threshold
        if above.all() or not above.any():
            kept = "every" if above.all() else "no"
            raise ValueError(f"gate: {f!r} keeps {kept} score at threshold = {threshold:g}; choose one that it crosses")
        if not above[-1]:
            raise FactError(_refusal(f, threshold, f"it is {float(f(jnp.float64(x[-1]))):.4g} at the largest score"))
        last = int(np.flatnonzero(~above)[-1])
        lower, upper = x[last], x[last + 1]
        while (middle := lower / 2 + upper / 2) not in (lower, upper):
            value = float(f(jnp.float64(middle)))
            lower, upper = (middle, upper) if value <= threshold else (lower, middle)
    return float(lower)


def _prove_half_line(f: Activation, threshold: float, crossing: float) -> None:
    """Proves f <= threshold left of some point a <= crossing, and f nondecreasing right of a.

    Raises:
        FactError: no such point was found.
    """
    reason = ""
    for margin in MARGINS:
        a = 0.0 if margin == 0 and crossing >= 0 else crossing - margin * (1 + abs(crossing))
        left = _proved(f, -FARTHEST, a, 0).range
        if not left.upper <= threshold:
            reason = f"it exceeds the threshold somewhere left of {a:.4g}"
            continue
        if _proved(f, a, FARTHEST, 1).monotone in ("strictly increasing", "nondecreasing"):
            return
        reason = f"it is not proved to be nondecreasing right of {a:.4g}"
    raise FactError(_refusal(f, threshold, reason))


@functools.lru_cache(maxsize=64)
def _proved(f: Activation, lower: float, upper: float, order: int) -> Any:
    """What is proved of f on a domain; kept, since gates of many thresholds ask for the same domains, see `MARGINS`."""
    from actlab.proofs import prove

    return prove(f, domain=(lower, upper), order=order, tier="fast", tolerance=1e-3).claims


def _refusal(f: Activation, threshold: float, reason: str) -> str:
    return (
        "gate: a block of scores is skipped when an upper bound of them proves that none is kept, so what is kept "
        f"must be a half-line of scores; for {f!r} > {threshold:g} it is not: {reason}. What would do: "
        "a threshold >= 0 (gelu, swish, mish), or a nondecreasing activation (relu, softplus, tanh)"
    )
