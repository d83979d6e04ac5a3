"""The standard test of an activation: nets of it trained for certificates, certified, and attacked beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.activations import maxmin
from actlab.measurement import Curve, Evaluation, Measurement, System
from actlab.systems.robustness.arm import Arm, Outcome, outcome_of
from actlab.systems.robustness.attack import Attack
from actlab.systems.robustness.model import Recipe, certified_activation

BOX, BALL, PLAIN = "interval training", "orthogonal layers", "ordinary training"
SURE, TRIED = "Certified accuracy", "Accuracy under attack"


@dataclass(frozen=True, eq=False)
class Settings:
    """The size of the test.

    Attributes:
        steps: of each training.
        hidden: widths of each net.
        box: radius of the linf balls of interval training, at which it is judged.
        ball: the same of the l2 balls of the nets of orthogonal layers.
        attack: the falsifier.
    """

    steps: int = 600
    hidden: tuple[int, ...] = (64, 64)
    box: float = 0.06
    ball: float = 0.5
    attack: Attack = Attack(20, 1)

    def arms(self) -> dict[str, Arm]:
        """Three ways to train, by name, each with the balls of its certificates; `evaluate` takes the first two."""
        scales = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
        boxes, balls = (tuple(round(s * r, 6) for s in scales) for r in (self.box, self.ball))
        return {
            BOX: Arm(self._recipe("interval", self.box), "linf", boxes, self.hidden),
            BALL: Arm(self._recipe("lipschitz", self.ball), "l2", balls, self.hidden, "cayley"),
            PLAIN: Arm(self._recipe("plain", 0.0), "l2", balls, self.hidden),
        }

    def _recipe(self, method: Any, radius: float) -> Recipe:
        return Recipe(method, radius, self.steps, learning_rate=5e-3)

    def judged(self, arm: str) -> float:
        """The radius at which an arm is judged."""
        return self.box if arm == BOX else self.ball


STANDARD = Settings()


def evaluate(activation: Any, seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """Trains nets of the activation in two ways, certifies them and attacks them.

    Args:
        activation: an Activation, a function, a name or a VectorActivation.
        seeds: of split, initial weights, order of batches and attack; all in one compiled program.
        settings: the size of the test.

    Raises:
        FactError: the activation's slope is not known to be bounded: nothing can be certified.
    """
    activation, seeds = certified_activation(activation), tuple(int(s) for s in seeds)
    outcomes = {name: outcome_of(activation, settings.arms()[name], seeds, settings.attack) for name in (BOX, BALL)}
    who = activation.name
    measured = [m for name, o in outcomes.items() for m in _measurements(who, name, o, seeds, settings)]
    refuted = sum((o.refuted for o in outcomes.values()), np.zeros(len(seeds)))
    measured.append(Measurement("certificates that an attack refutes", who, refuted, "", "lower", seeds))
    curves = [c for name in (BOX, BALL) for c in _curves(who, name, outcomes[name], settings)]
    return Evaluation(tuple(measured), tuple(curves), notes=(_note(outcomes, settings),))


def references(seeds: Sequence[int], settings: Settings = STANDARD) -> Evaluation:
    """MaxMin between orthogonal layers: a vector activation that keeps the length of every gradient."""
    seeds = tuple(int(s) for s in seeds)
    outcome = outcome_of(maxmin, settings.arms()[BALL], seeds, settings.attack)
    return Evaluation(
        tuple(_measurements(maxmin.name, BALL, outcome, seeds, settings)),
        tuple(_curves(maxmin.name, BALL, outcome, settings)),
    )


def _measurements(
    who: str, name: str, outcome: Outcome, seeds: tuple[int, ...], settings: Settings
) -> list[Measurement]:
    arm, radius = settings.arms()[name], settings.judged(name)
    at, ball = arm.radii.index(radius), f"{arm.norm} {radius:g}"
    rows = [
        (f"certified accuracy, {ball}, {name}", 100.0 * outcome.certified[:, at], "%", "higher"),
        (f"accuracy under attack, {ball}, {name}", 100.0 * outcome.attacked[:, at], "%", "higher"),
        (f"mean certified radius, {arm.norm}, {name}", outcome.radius, "", "higher"),
        (f"clean accuracy, {name}", 100.0 * outcome.clean, "%", "higher"),
    ]
    if arm.norm == "l2":  # these two make the radius: neither says anything without the other
        rows += [
            (f"mean margin of the logits, {name}", outcome.margin, "", "neither"),
            (f"Lipschitz constant, {name}", outcome.lipschitz, "", "neither"),
        ]
    return [Measurement(title, who, values, unit, better, seeds) for title, values, unit, better in rows]


def _curves(who: str, name: str, outcome: Outcome, settings: Settings) -> list[Curve]:
    arm = settings.arms()[name]
    return [
        Curve(f"{what}, {name}", who, np.asarray(arm.radii), 100.0 * values, f"radius, {arm.norm}", "test images, %")
        for what, values in ((SURE, outcome.certified), (TRIED, outcome.attacked))
    ]


def _note(outcomes: dict[str, Outcome], settings: Settings) -> str:
    box = outcomes[BOX]
    at = settings.arms()[BOX].radii.index(settings.box)
    sure, tried = 100 * box.certified[:, at].mean(), 100 * box.attacked[:, at].mean()
    return (
        f"Certified on {sure:.1f} % of the test images at linf {settings.box:g}, right under attack on {tried:.1f} %: "
        "the truth lies between. A certificate that an attack refutes would be an error of the bounds. A small "
        "Lipschitz constant alone says nothing: the margins of a flat activation shrink too; the radius is their ratio."
    )


SYSTEM = System(
    name="robustness",
    title="Robustness: certificates in balls of inputs",
    question="For how many inputs is it proved that no small change can flip the class, and how large is that change?",
    data="digits of 8 x 8 pixels (Alpaydin & Kaynak 1998), a fifth held out by the seed; dense nets of 64-64",
    evaluate=evaluate,
    references=references,
)
