"""Which Gaussian head explodes: every finite bfloat16 raw variance output, residuals from 0 to 1e6, in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

import actlab.activations as al
from actlab.measurement import Claim, Curve, Measurement
from actlab.systems.uncertainty import Gaussian, bounded_gaussian, gaussian_of, usual_exponential, usual_softplus

BOUNDED = "bounded log variance"
SHOWN = (-100.0, -80.0, -20.0, 0.0, 20.0, 90.0)

TITLE = "Gaussian heads"


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        lower: least variance of the bounded heads.
        upper: largest.
        residual: that the printed table is for.
    """

    lower: Annotated[float, Field(gt=0)] = 1e-5
    upper: Annotated[float, Field(gt=0)] = 20.0
    residual: float = 1.0


def slopes(head: Gaussian, raw: np.ndarray, residual: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, |d / d mean| and |d / d raw variance| of the likelihood at each raw output."""

    def nll(mean: jax.Array, r: jax.Array) -> jax.Array:
        return head.nll(jnp.stack([mean, r]), jnp.asarray(residual, jnp.float32))

    each = jax.jit(jax.vmap(jax.value_and_grad(nll, (0, 1)), (None, 0)))
    value, (by_mean, by_raw) = each(jnp.zeros(()), jnp.asarray(raw, jnp.float32))
    return np.asarray(value), np.abs(by_mean), np.abs(by_raw)


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Counts the raw outputs at which value or gradient is not finite; one value a residual."""
    heads = {
        BOUNDED: bounded_gaussian(config.lower, config.upper),
        "capped_positive": gaussian_of(al.capped_positive(lower=config.lower, upper=config.upper)),
        "softplus + 1e-6": usual_softplus(1e-6),
        "softplus": usual_softplus(0.0),
        "exponential": usual_exponential(),
    }
    raws = np.arange(2**16, dtype=np.uint16).view(jnp.bfloat16).astype(np.float32)
    raws = raws[np.isfinite(raws)]
    residuals = np.array([0.0, *10.0 ** np.arange(-6.0, 7.0)])
    lines = np.linspace(-120.0, 120.0, 241)
    measured, curves, ratios = [], [], []
    for name, head in heads.items():
        bad = []
        for residual in residuals:
            found = slopes(head, raws, residual)
            bad.append(np.mean(~np.all(np.isfinite(found), axis=0)))
            if name == BOUNDED:
                ratios += [
                    np.max(g) / b for g, b in zip(found[1:], head.gradient_bound(residual), strict=True) if b > 0
                ]
        measured.append(
            Measurement(
                "raw outputs where the likelihood or its gradient is not finite", name, 100 * np.array(bad), "%"
            )
        )
        curves.append(
            Curve(
                "gradient", name, lines, slopes(head, lines, config.residual)[2], "raw output", "|gradient|", log_y=True
            )
        )
        table = zip(SHOWN, *slopes(head, np.array(SHOWN), config.residual), strict=True)
        report(f"{name}: raw, NLL, |d mean|, |d raw|: " + "; ".join(" ".join(f"{v:.3g}" for v in row) for row in table))
    measured.append(Measurement("gradient over the bound from the facts", BOUNDED, np.array(ratios)))
    claims = [
        Claim("the bounded head is finite everywhere", "exhaustive over bfloat16", measured[0], at_most=0.0),
        Claim(
            "its gradients stay under the bound from the facts",
            "Gaussian.gradient_bound",
            Measurement("gradients above the bound", BOUNDED, (np.array(ratios) > 1.0 + 1e-5).astype(float)),
            at_most=0.0,
        ),
    ]
    return measured, claims, curves
