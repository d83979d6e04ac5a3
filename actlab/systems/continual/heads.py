"""Which outputs a task trains and is judged by: task-, domain- and class-incremental learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from actlab.systems.continual.error import ContinualError

Scenario = Literal["task", "domain", "class"]
SCENARIOS: tuple[Scenario, ...] = ("task", "domain", "class")


@dataclass(frozen=True)
class Heads:
    """The outputs of a net that meets `tasks` tasks of `classes` classes each.

    "task": outputs of its own for each task, and the task is told: only those count, in training and at the test.
    "domain": one set of outputs for all tasks; the task is not told.
    "class": outputs of their own, and the task is not told: every class met so far counts, those of later tasks do not
    (their number is not leaked).

    Attributes:
        scenario: one of the three.
        tasks: how many.
        classes: of each task.

    Raises:
        ContinualError: an unknown scenario, or numbers that are not positive.

    Source: van de Ven, Tuytelaars & Tolias 2022, Nature Machine Intelligence 4, box 1.
    """

    scenario: Scenario
    tasks: int
    classes: int

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise ContinualError(f"Heads: scenario = {self.scenario!r}; known: {', '.join(SCENARIOS)}")
        if self.tasks < 1 or self.classes < 2:
            raise ContinualError(
                f"Heads: tasks = {self.tasks}, classes = {self.classes}: need 1 task of 2 classes at least"
            )

    @property
    def outputs(self) -> int:
        """Of the net."""
        return self.classes if self.scenario == "domain" else self.tasks * self.classes

    def target(self, task: Any, label: Any) -> Any:
        """The output that stands for this class (from 0, within its task) of this task."""
        return label if self.scenario == "domain" else task * self.classes + label

    def open(self, task: Any, now: Any) -> Bool[Array, "*rows outputs"]:
        """The outputs that count for examples of `task`, of any shape, while the present task is `now`."""
        task = jnp.asarray(task)
        owner = jnp.broadcast_to(jnp.arange(self.outputs) // self.classes, (*task.shape, self.outputs))
        if self.scenario == "task":
            return owner == task[..., None]
        return jnp.ones_like(owner, bool) if self.scenario == "domain" else owner <= now

    def before(self, now: Any) -> tuple[Bool[Array, "groups outputs"], Float[Array, " groups"]]:
        """Groups of outputs trained before task `now`, each a distribution, and their weights: sum 1, or all 0.

        One group for each earlier task where the task is told; else one of all earlier outputs.
        """
        if self.scenario == "task":
            tasks = jnp.arange(self.tasks)
            return self.open(tasks, now), (tasks < now) / jnp.maximum(1.0, now)
        return self.open(jnp.zeros(1, int), jnp.maximum(0, now - 1)), jnp.ones(1) * (now > 0)
