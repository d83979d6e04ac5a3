"""Does a flat activation make a net more robust? Certified radius and accuracy of six activations at equal training.

A slope of at most 1/4 (sigmoid) makes the bound of the Lipschitz constant small; it makes the margins small as well.
The certified radius is their ratio, so the three are measured together: same nets, same steps, same splits, on the
digits. What the nets come to under attack is drawn beside what is certified of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from actlab.measurement import Better, Claim, Curve, Measurement
from actlab.systems.robustness import Attack, activation_of
from actlab.systems.robustness.arm import Outcome, outcome_of
from actlab.systems.robustness.evaluation import BALL, BOX, PLAIN, Settings

SOURCE = "Tsuzuku et al. 2018, arXiv:1802.04034: radius = margin / (sqrt(2) L)"
FLAT, STEEP = "sigmoid", "relu"


@dataclass(frozen=True)
class Config:
    """Which activations, and how large the study is.

    Attributes:
        activations: names, "maxmin" included; sigmoid and relu among them for the claims.
        seeds: of splits, initial weights and batches, from 0.
        steps: of each training.
        hidden: widths of each net.
        box: radius of the linf balls.
        ball: radius of the l2 balls.
        attack_steps: of projected gradient descent.
        restarts: of it.
    """

    activations: tuple[str, ...] = ("relu", "tanh", "sigmoid", "softplus", "gelu", "maxmin")
    seeds: Annotated[int, Field(ge=2)] = 5
    steps: Annotated[int, Field(ge=1)] = 1000
    hidden: tuple[Annotated[int, Field(ge=2)], ...] = (64, 64)
    box: Annotated[float, Field(gt=0)] = 0.06
    ball: Annotated[float, Field(gt=0)] = 0.5
    attack_steps: Annotated[int, Field(ge=1)] = 20
    restarts: Annotated[int, Field(ge=0)] = 1


def run(
    config: Config, out: Path | None, report: Callable[[str], None]
) -> tuple[list[Measurement], list[Claim], list[Curve]]:
    """Trains every activation in every way; the claims compare sigmoid with ReLU, seed by seed."""
    settings = Settings(
        config.steps, config.hidden, config.box, config.ball, Attack(config.attack_steps, config.restarts)
    )
    seeds, outcomes = tuple(range(config.seeds)), {}
    for name in config.activations:
        for way, arm in settings.arms().items():
            o = outcome_of(activation_of(name), arm, seeds, settings.attack)
            outcomes[way, name] = o
            at = arm.radii.index(settings.judged(way))
            report(
                f"{name:9s} {way:18s} {arm.norm}: certified {100 * o.certified[:, at].mean():5.1f} %, under attack "
                f"{100 * o.attacked[:, at].mean():5.1f} %, clean {100 * o.clean.mean():5.1f} %, radius "
                f"{o.radius.mean():.4f}, margin {o.margin.mean():.3g}, Lipschitz {o.lipschitz.mean():.3g}"
            )
    measured = [m for (way, name), o in outcomes.items() for m in _measurements(way, name, o, seeds, settings)]
    return measured, _claims(outcomes, seeds), _curves(outcomes, settings)


def _measurements(way: str, name: str, o: Outcome, seeds: tuple[int, ...], settings: Settings) -> list[Measurement]:
    arm, radius = settings.arms()[way], settings.judged(way)
    at, ball = arm.radii.index(radius), f"{arm.norm} {radius:g}, {way}"
    rows: list[tuple[str, np.ndarray, str, Better]] = [
        (f"certified accuracy, {ball}", 100 * o.certified[:, at], "%", "higher"),
        (f"accuracy under attack, {ball}", 100 * o.attacked[:, at], "%", "higher"),
        (f"mean certified radius, {arm.norm}, {way}", o.radius, "", "higher"),
        (f"clean accuracy, {way}", 100 * o.clean, "%", "higher"),
        (f"mean margin of the logits, {way}", o.margin, "", "neither"),
        (f"Lipschitz constant in {arm.norm}, {way}", o.lipschitz, "", "neither"),
    ]
    return [Measurement(title, name, values, unit, better, seeds) for title, values, unit, better in rows]


def _claims(outcomes: dict[tuple[str, str], Outcome], seeds: tuple[int, ...]) -> list[Claim]:
    refuted = np.sum([o.refuted for o in outcomes.values()], axis=0)
    broken = Measurement("certificates refuted", "all", refuted, "", "lower", seeds)
    claims = [Claim("no attack refutes a certificate", "soundness", broken, at_most=0.0)]
    for way in (PLAIN, BALL):
        if (way, FLAT) not in outcomes or (way, STEEP) not in outcomes:
            continue
        flat, steep = outcomes[way, FLAT], outcomes[way, STEEP]
        pairs = {"Lipschitz constant": "lipschitz", "mean margin": "margin"}
        for what, field in pairs.items():
            ratio = getattr(flat, field) / getattr(steep, field)
            m = Measurement(f"{what}, {FLAT} / {STEEP}, {way}", FLAT, ratio, "", "neither", seeds)
            claims.append(Claim(f"{way}: {FLAT}'s {what} is smaller than {STEEP}'s", SOURCE, m, at_most=1.0))
        ratio = flat.radius / steep.radius
        m = Measurement(f"mean certified radius, {FLAT} / {STEEP}, {way}", FLAT, ratio, "", "neither", seeds)
        claims.append(Claim(f"{way}: {FLAT}'s certified radius is no larger than {STEEP}'s", SOURCE, m, at_most=1.0))
    return claims


def _curves(outcomes: dict[tuple[str, str], Outcome], settings: Settings) -> list[Curve]:
    """For each way to train: what is certified, and how far the attack leaves it below what may be true."""
    curves = []
    for (way, name), o in outcomes.items():
        arm = settings.arms()[way]
        x, label = np.asarray(arm.radii), f"radius, {arm.norm}"
        curves += [
            Curve(f"certified accuracy, {way}", name, x, 100 * o.certified, label, "test images, %"),
            Curve(f"accuracy under attack, {way}", name, x, 100 * o.attacked, label, "test images, %"),
            Curve(
                f"undecided: under attack less certified, {way}", name, x, 100 * (o.attacked - o.certified), label, "%"
            ),
        ]
    ways = {BOX, BALL} & {way for way, _ in outcomes}
    for way in sorted(ways):
        arm = settings.arms()[way]
        for how in ("under attack", "certified"):
            for name in (STEEP, FLAT, "maxmin"):
                if (way, name) in outcomes:
                    o = outcomes[way, name]
                    values = 100 * (o.certified if how == "certified" else o.attacked)
                    title = f"certified against empirical, {way}"
                    curves.append(
                        Curve(
                            title,
                            f"{name}, {how}",
                            np.asarray(arm.radii),
                            values,
                            f"radius, {arm.norm}",
                            "test images, %",
                        )
                    )
    return curves
