"""A method of continual learning: what it remembers, and what it does with a gradient, after a step, after a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Array

from actlab.systems.continual.classifier import Batch, Classifier, Seen
from actlab.systems.continual.model import Parameters

Memory = Any
Draw = Callable[[Array, int], Batch]
"""(key, count) -> that many random examples of the task that has just ended."""


class Step(NamedTuple):
    """One step of the optimizer.

    Attributes:
        before: the parameters.
        after: the parameters.
        seen: of the batch, at `before`.
    """

    before: Parameters
    after: Parameters
    seen: Seen


class Renewed(NamedTuple):
    """What a method makes of a step.

    Attributes:
        parameters: to go on with.
        memory: of the method.
        fresh: a tree of booleans like the parameters: where they start anew, so that the optimizer forgets its moments
            there; None where nothing does.
    """

    parameters: Parameters
    memory: Memory
    fresh: Any = None


def _no_memory(classifier: Classifier, parameters: Parameters) -> Memory:
    return ()


def _plain_gradient(
    classifier: Classifier, parameters: Parameters, memory: Memory, seen: Seen, batch: Batch, now: Any, key: Array
) -> Parameters:
    return seen.gradient


def _keep(classifier: Classifier, step: Step, memory: Memory, key: Array) -> Renewed:
    return Renewed(step.after, memory)


def _go_on(
    classifier: Classifier, parameters: Parameters, memory: Memory, draw: Draw, now: Any, key: Array
) -> tuple[Parameters, Memory]:
    return parameters, memory


@dataclass(frozen=True)
class Method:
    """Four pure functions; the defaults do nothing, which is the naive method.

    Attributes:
        name: for tables.
        start: (classifier, parameters) -> memory, of a shape that stays.
        gradient: (classifier, parameters, memory, seen, batch, now, key) -> the direction that the optimizer is given;
            `seen` is the batch's own loss and gradient at these parameters.
        after_step: (classifier, step, memory, key) -> parameters and memory.
        after_task: (classifier, parameters, memory, draw, now, key) -> parameters and memory; `draw` gives examples of
            task `now`, which has just ended.
    """

    name: str
    start: Callable[..., Memory] = _no_memory
    gradient: Callable[..., Parameters] = _plain_gradient
    after_step: Callable[..., Renewed] = _keep
    after_task: Callable[..., tuple[Parameters, Memory]] = _go_on


def naive() -> Method:
    """Goes on training: the baseline."""
    return Method("naive")
