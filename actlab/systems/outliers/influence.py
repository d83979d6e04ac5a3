"""Influence of one label on the gradient: a bound from facts, and the same quantity on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import actlab.activations as al
from actlab.activations import Activation
from actlab.activations.interval import product
from actlab.systems.outliers.heads import concrete
from actlab.systems.outliers.losses import Loss


@dataclass(frozen=True)
class Bound:
    """A bound derived from facts, in words where it is not a number.

    Attributes:
        kind: "bounded", "unbounded" (no number exists) or "unknown" (a fact that would decide it is unknown).
        value: the bound where kind is "bounded", else None.
        because: the derivation in one sentence.
    """

    kind: Literal["bounded", "unbounded", "unknown"]
    value: float | None
    because: str

    def __str__(self) -> str:
        """The number to six digits, or the kind."""
        return f"{self.value:.6g}" if self.value is not None else self.kind


def influence_bound(head: Activation, loss: Loss, scale: float = 1.0) -> Bound:
    """Sup over preactivation z and label y, any real, of |dL/dz| for L = scale^2 rho((y - head(z)) / scale).

    dL/dz = -scale psi(r) head'(z). For a fixed z the residual r takes every value as y varies, so the supremum is the
    product scale sup|psi| sup|head'|: exact, where the facts are tight, whatever the head's range.

    Args:
        head: an activation; its parameters may not be traced.
        loss: of the residual in units of `scale`.
        scale: of the residuals, positive.

    Source: Hampel, Ronchetti, Rousseeuw & Stahel 1986, Robust Statistics, section 2.1 (gross-error sensitivity).
    """
    psi, slope = loss.psi.facts.range, concrete(head).facts.slope
    if psi is None or slope is None:
        missing = f"range of psi of {loss!r}" if psi is None else f"slope of {head!r}"
        return Bound("unknown", None, f"the {missing} is unknown")
    pull, steepness = float(psi.magnitude), float(slope.magnitude)
    value = scale * float(product(pull, steepness))
    if math.isfinite(value):
        because = f"scale {scale:.4g} x sup |psi| {pull:.6g} x sup |head'| {steepness:.6g}"
        return Bound("bounded", value, because)
    if not math.isfinite(pull):
        return Bound("unbounded", None, f"the gradient under {loss!r} grows with the label, whatever the head's range")
    return Bound("unbounded", None, f"no bound on the slope of {head!r} is declared")


def require_bounded_influence(head: Activation, loss: Loss) -> None:
    """Refuses a head and a loss whose gradient one label can make as large as it likes.

    Raises:
        FactError: psi's range or the head's slope is not known to be bounded.
    """
    al.require(loss.psi, bounded_range=True, because=f"bounded influence of a label under {loss!r}")
    al.require(concrete(head), bounded_slope=True, because="bounded influence of a label through the head")


def label_gradient(
    head: Activation, loss: Loss, z: Float[Array, "*shape"], y: Float[Array, "*shape"], scale: Any = 1.0
) -> Float[Array, "*shape"]:
    """dL/dz by autodiff, elementwise: the brute force that `influence_bound` is compared with."""

    def total(z: Array) -> Array:
        return jnp.sum(scale**2 * loss.rho((y - head(z)) / scale))

    return jax.grad(total)(z)


def log_grid(largest: float, points: int = 201, smallest: float = 1e-3) -> np.ndarray:
    """0 and +-, logarithmic between `smallest` and `largest`: shape (2 points + 1,), ascending."""
    side = np.geomspace(smallest, largest, points)
    return np.concatenate([-side[::-1], [0.0], side])


def grid_supremum(head: Activation, loss: Loss, scale: float = 1.0, largest_label: float = 1e8) -> float:
    """Max |dL/dz| over a dense grid of z in [-20, 20] and of residuals up to `largest_label` deviations.

    Labels are placed by their residual at each z, logarithmically to the largest and densely within 20 deviations, so
    that the maximum of psi is met at the preactivation where the head is steepest.
    """
    z = jnp.linspace(-20.0, 20.0, 2001)
    r = np.concatenate([log_grid(largest_label), np.linspace(-20.0, 20.0, 2001)])
    steepest = jax.vmap(lambda r: jnp.max(jnp.abs(label_gradient(head, loss, z, head(z) + scale * r, scale))))
    return float(jnp.max(steepest(jnp.asarray(r, jnp.float32))))


def last_layer_bound(hidden: Activation, width: int, head: Activation, loss: Loss, scale: float = 1.0) -> Bound:
    """Sup over all inputs and labels of the norm of dL/d(w, b), the last layer's weights and bias.

    dL/d(w, b) = dL/dz (h, 1) with h the `width` hidden values: bounded over the inputs too if the hidden activation's
    range is bounded; else a row far out in the inputs (a leverage point) is limited in its label alone.
    """
    label = influence_bound(head, loss, scale)
    if label.value is None:
        return label
    bounds = hidden.facts.range
    if bounds is None:
        return Bound("unknown", None, f"the range of {hidden!r} is unknown")
    largest = float(bounds.magnitude)
    if not math.isfinite(largest):
        return Bound("unbounded", None, f"the values of {hidden!r} grow with the inputs: leverage is not bounded")
    value = label.value * math.sqrt(1.0 + width * largest**2)
    return Bound("bounded", value, f"{label.because} x sqrt(1 + {width} x {largest:.6g}^2)")


def gaussian_efficiency(loss: Loss) -> float:
    """Asymptotic variance of the mean over that of the location estimate by psi, for Gaussian data: its price.

    E[r psi(r)]^2 / E[psi(r)^2] over r ~ N(0, 1), by the trapezoidal rule on [-12, 12], psi in float32.

    Source: Huber 1964, eq. 4.
    """
    r = np.linspace(-12.0, 12.0, 24001)
    psi = np.asarray(loss.psi(jnp.asarray(r, jnp.float32)), np.float64)
    density = np.exp(-0.5 * r**2) / math.sqrt(2.0 * math.pi)
    first, second = np.trapezoid(r * psi * density, r), np.trapezoid(psi**2 * density, r)
    return float(first**2 / second)
