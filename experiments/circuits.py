"""Where an incoherent feed-forward loop adapts: precision and sensitivity over the Hill coefficient and the thresholds.

Each cell of a map is one loop I1 at rest under X = 0.5, then stepped to 0.6 (Ma et al. 2009): its colour is the
precision of adaptation; the white line is the exact law d ln Z / d ln X = 0 at the middle of the step, found from the
loop's three local gains without any simulation. Beside the maps: the reference table in float64, pulses designed by
gradients from random starts, and the stripe that the same loop makes in a morphogen gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from actlab.measurement import Claim, Curve, Figure, Heatmap, Line, Measurement
from actlab.systems.circuits import (
    adaptation,
    design_pulse,
    design_times,
    feed_forward_loop,
    loop_log_gain,
    pulse,
    random_start,
    stripe,
)

TABLE = {
    (0.1, 0.1, 0.1): (0.339674692400, 0.10843436540036, 0.00999801029696, 0.00506602659159),
    (0.1, 0.1, 0.3): (0.703750593936, 0.26187625408888, 0.08325632047364, 0.0432440748804),
    (1.0, 1.0, 0.5): (1.814644429249, 0.29398908568193, 0.25, 0.295986414309),
}
"""K_xy, K_xz, K_yz -> peak time, height, level at rest, half time of the loop with n = 2 after a step of X to 1; two
methods that share no code agree on them (quadrature in 30 digits; an eighth-order integrator at 1e-13)."""
STEP = (0.5, 0.6)
MA = "Ma, Trusina, El-Samad, Lim & Tang 2009, Cell 138: functional where precision > 10 and sensitivity > 1"
LAW = "d ln Z/d ln X = n(1 - a_z) - n R n (1 - a_y), derived"


@dataclass(frozen=True)
class Config:
    """The maps, the designs and the stripes.

    Attributes:
        thresholds: K_xy = K_xz of each map.
        cells: of a map along each axis.
        largest_n: of the maps; the least is 1.
        K_yz: the least and the greatest of the maps.
        steps: of each integration over 20 lifetimes.
        starts: random ones of each design; 0 leaves the designs out.
        iterations: of each design's least squares.
        amplitudes: of the morphogen gradient.
    """

    thresholds: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (0.1, 1.0, 10.0)
    cells: Annotated[int, Field(ge=3)] = 61
    largest_n: Annotated[float, Field(gt=1)] = 4.0
    K_yz: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1e-3, 3.0)
    steps: Annotated[int, Field(ge=20)] = 1200
    starts: Annotated[int, Field(ge=0)] = 20
    iterations: Annotated[int, Field(ge=1)] = 40
    amplitudes: tuple[Annotated[float, Field(gt=0)], ...] = (10.0, 20.0, 40.0)


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Figure]]:
    """Computes table, maps, designs and stripes; the claims are on the table, the law and the designs."""
    with jax.enable_x64(True):
        measured, claims = _table(report)
        maps = [_map(K, config, report) for K in config.thresholds]
        more = [_law(report), *([_designs(config, report)] if config.starts else [])]
        measured += [m for map_measured, _ in maps for m in map_measured]
        for found, found_claims in more:
            measured += found
            claims += found_claims
        return measured, claims, [*(figure for _, figure in maps), *_stripes(config)]


def _loops(rows: list[tuple[float, ...]]) -> Any:
    loops = [feed_forward_loop("I1", K_xy=a, K_xz=b, K_yz=c, n=n) for a, b, c, n in rows]
    return jax.tree.map(lambda *v: jnp.stack([jnp.asarray(x) for x in v]), *loops)


def _table(report: Callable[[str], None]) -> tuple[list[Measurement], list[Claim]]:
    times = 6 * jnp.linspace(0, 1, 6001) ** 2
    found = jax.jit(jax.vmap(lambda c: pulse(c, {"X": 1.0}, times)))(_loops([(*K, 2.0) for K in TABLE]))
    columns = np.stack([found.peak_time, found.height, found.steady, found.half_time], axis=1)
    errors = np.abs(columns - np.asarray(list(TABLE.values()))).max(axis=1)
    report(f"reference table: largest error {errors.max():.1e}")
    error = Measurement("largest error of a row of the reference table", "I1", errors, "", "lower")
    rest = Measurement("level at rest over the peak's", "I1", columns[:, 2] / columns[:, 1], "", "neither")
    return [error, rest], [
        Claim("each pulse of the table within 1e-10", "quadrature in 30 digits", error, at_most=1e-10),
        Claim("no pulse of the table falls back to basal (0)", "the same", rest, at_least=0.05),
    ]


def _map(K: float, config: Config, report: Callable[[str], None]) -> tuple[list[Measurement], Heatmap]:
    n = np.linspace(1, config.largest_n, config.cells)
    K_yz = np.geomspace(*config.K_yz, config.cells)
    times = 20 * jnp.linspace(0, 1, config.steps + 1) ** 2

    def cell(n: Any, K_yz: Any) -> tuple[Any, Any]:
        found = adaptation(feed_forward_loop("I1", K_xy=K, K_xz=K, K_yz=K_yz, n=n), "X", STEP, times)
        return found.sensitivity, found.precision

    rows = jax.jit(lambda n, k: jax.lax.map(lambda one: jax.vmap(lambda kk: cell(one, kk))(k), n))
    sensitivity, precision = (np.asarray(v) for v in rows(jnp.asarray(n), jnp.asarray(K_yz)))
    functional = (precision > 10) & (sensitivity > 1)
    who = f"K of X -> Y, X -> Z: {K:g}"
    report(f"{who}: functional {functional.mean():.1%}, precision up to {precision.max():.3g}")
    lines = (
        Line("exact law: log gain 0 at X = 0.55", *_contour(_gains(K, n, K_yz), n, K_yz, 0.0)),
        Line("sensitivity 1", *_contour(sensitivity, n, K_yz, 1.0)),
    )
    heatmap = Heatmap(
        "Precision of adaptation to a step of X from 0.5 to 0.6",
        who,
        np.log10(precision),
        K_yz,
        n,
        "K of Y -> Z",
        "Hill coefficient n",
        "log10 precision",
        lines,
        functional,
        "functional: precision > 10 and sensitivity > 1",
        log_x=True,
        limits=(-1.0, 3.0),
    )
    shares = Measurement("functional share of the map", who, np.atleast_1d(100 * functional.mean()), "%", "neither")
    best = Measurement(
        "largest sensitivity where precision > 10",
        who,
        np.atleast_1d(np.max(np.where(precision > 10, sensitivity, 0))),
        "",
        "neither",
    )
    return [shares, best], heatmap


def _gains(K: float, n: np.ndarray, K_yz: np.ndarray) -> np.ndarray:
    """The log gain at the middle of the step, shape (n, K_yz)."""

    def gain(n: Any, k: Any) -> Any:
        return loop_log_gain(feed_forward_loop("I1", K_xy=K, K_xz=K, K_yz=k, n=n), 0.5 * sum(STEP))

    return np.asarray(jax.jit(jax.vmap(jax.vmap(gain, (None, 0)), (0, None)))(jnp.asarray(n), jnp.asarray(K_yz)))


def _contour(values: np.ndarray, n: np.ndarray, K_yz: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Along each row, where the values first pass the level from the large K's end; a gap where they do not."""
    found = np.full(n.size, np.nan)
    logs = np.log(K_yz)
    for i, row in enumerate(values - level):
        passed = np.flatnonzero(np.sign(row[1:]) != np.sign(row[:-1]))
        if passed.size:
            j = passed[-1]
            found[i] = np.exp(logs[j] + (logs[j + 1] - logs[j]) * row[j] / (row[j] - row[j + 1]))
    return found, n


def _law(report: Callable[[str], None]) -> tuple[list[Measurement], list[Claim]]:
    """The law against small steps, over random loops."""
    draws = np.random.default_rng(0)
    rows = [(*np.exp(draws.uniform(np.log(0.05), 1.0, 3)), draws.uniform(1, 4)) for _ in range(100)]
    times = 20 * jnp.linspace(0, 1, 401) ** 2

    def difference(loop: Any) -> Any:
        found = adaptation(loop, "X", (0.55 * (1 - 5e-5), 0.55 * (1 + 5e-5)), times)
        measured = (jnp.log(found.after) - jnp.log(found.before)) / (jnp.log(1 + 5e-5) - jnp.log(1 - 5e-5))
        return jnp.abs(measured - loop_log_gain(loop, 0.55))

    errors = np.asarray(jax.jit(jax.vmap(difference))(_loops(rows)))
    report(f"exact law against small steps of 100 random loops: {errors.max():.1e}")
    error = Measurement("log gain of small steps less that of the law", "I1", errors, "", "lower")
    return [error], [Claim("the exact law is what small steps do (to 1e-7)", LAW, error, at_most=1e-7)]


def _designs(config: Config, report: Callable[[str], None]) -> tuple[list[Measurement], list[Claim]]:
    keys, times = jax.random.split(jax.random.key(0), config.starts), design_times(dtype=jnp.float64)
    wanted = jnp.asarray([(time, height / rest) for time, height, rest, _ in TABLE.values()])

    def designs(target: Any) -> Any:
        return jax.vmap(
            lambda k: design_pulse(random_start(k, jnp.float64), target[0], target[1], times, config.iterations).error
        )(keys)

    errors = np.asarray(jax.jit(lambda w: jax.lax.map(designs, w))(wanted))
    shares = 100 * np.mean(errors < 1e-3, axis=1)
    report(f"designs within 1e-3 of peak time and overshoot: {', '.join(f'{s:.0f} %' for s in shares)}")
    reached = Measurement("random starts whose design is within 1e-3, by row of the table", "I1", shares, "%", "higher")
    statement = f"at least 90 % of {config.starts} random starts reach each pulse of the table to 1e-3"
    return [reached], [Claim(statement, "bar set beforehand", reached, at_least=90.0)]


def _stripes(config: Config) -> list[Curve]:
    loop, s = feed_forward_loop("I1", K_xy=1.0, K_xz=1.0, K_yz=0.1), jnp.linspace(0, 8, 401)
    profiles = jax.jit(jax.vmap(lambda a: stripe(loop, a, 1.0, s).profile))(jnp.asarray(config.amplitudes))
    return [
        Curve(
            "A stripe in a morphogen gradient X = A exp(-s)",
            f"A = {a:g}",
            np.asarray(s),
            np.asarray(p)[None],
            "distance from the source / decay length",
            "Z at rest",
        )
        for a, p in zip(config.amplitudes, profiles, strict=True)
    ]
