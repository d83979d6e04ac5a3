"""What is no longer finite: the metric, step, member, seed, and the first array where it shows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

_LOG = logging.getLogger("actlab")


class NotFiniteError(FloatingPointError):
    """The data, a metric or a parameter is not finite.

    Attributes:
        step: the first step where it was seen, from 0; for "parameters" the last step taken; None for the data.
        metric: its name, or "parameters", or "data".
        member: the member of the ensemble, None for a single run.
        seed: the member's seed where seeds were given.
        array: the first array that is not finite, in the order in which a step computes: of the batch, of the gradient,
            or a parameter, with its step; empty where none is found.
    """

    def __init__(
        self, step: int | None, metric: str, member: int | None = None, seed: int | None = None, array: str = ""
    ):
        self.step, self.metric, self.member, self.seed, self.array = step, metric, member, seed, array
        when = "" if step is None else f" at step {step}"
        who = "" if member is None else f" in member {member}"
        who += "" if seed is None else f" (seed {seed})"
        where = f", first in {array}" if array else ""
        remedy = "lower the learning rate or clip the gradients" if step is not None else "correct or mask those rows"
        super().__init__(f"{metric} is not finite{when}{who}{where}; {remedy}")


def refuse_data(data: Any) -> None:
    """Refuses data that is not finite.

    Raises:
        NotFiniteError: names the array and its first such row.
    """
    for path, leaf in jax.tree.leaves_with_path(data):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) or not _whole(leaf):
            continue
        values = np.asarray(leaf)
        finite = np.atleast_1d(np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if not finite.all():
            row = int(np.argmin(finite))
            raise NotFiniteError(None, "data", array=f"{path_name(path) or 'the array'}, row {row}")


def path_name(path: Any) -> str:
    """A path of a pytree in words, as `layers.0.kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")  # of an nnx variable


def finite_leaves(tree: Any) -> dict[str, Bool[Array, ""]]:
    """Whether each array of numbers is finite, by its path; traceable."""
    return {
        path_name(path): jnp.isfinite(leaf).all()
        for path, leaf in jax.tree.leaves_with_path(tree)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
    }


@dataclass
class Watch:
    """Looks at what a chunk of steps reports.

    Attributes:
        seeds: of the members, for messages.
        mapped: whether there are members.
        go_on: whether the healthy members go on when one diverges.
        locate: (step, member) -> the first array that is not finite, or "".
        diverged: the members that are no longer finite; filled by `look`.
    """

    seeds: Sequence[int]
    mapped: bool
    go_on: bool
    locate: Callable[[int, int | None], str] = lambda step, member: ""
    diverged: set[int] = field(default_factory=set)

    def good_steps(self, metrics: dict[str, np.ndarray]) -> int:
        """How many of the first steps may be recorded: those before the first that is not finite, or all."""
        steps = len(next(iter(metrics.values())))
        if self.go_on:
            return steps
        return min(_leading_trues(np.isfinite(v).reshape(steps, -1).all(1)) for v in metrics.values())

    def look(self, first: int, metrics: dict[str, np.ndarray], finite: dict[str, np.ndarray]) -> None:
        """Looks at the steps from `first` on.

        Args:
            first: the first step of the chunk.
            metrics: (steps,) or (steps, members) each.
            finite: of each parameter after the chunk, () or (members,).

        Raises:
            NotFiniteError: something diverged and the others shall not go on, or nobody is left.
        """
        found: dict[int, NotFiniteError] = {}
        for name, values in metrics.items():
            ok = np.isfinite(values).reshape(len(values), -1)
            for member in np.flatnonzero(~ok.all(0)).tolist():
                step = first + int(np.argmin(ok[:, member]))
                earlier = found.get(member)
                if earlier is None or (earlier.step or 0) > step:
                    found[member] = self._error(step, name, member)
        last = first + len(next(iter(metrics.values()))) - 1
        for name, ok in finite.items():
            for member in np.flatnonzero(~np.atleast_1d(ok)).tolist():
                found.setdefault(member, self._error(last, "parameters", member, name))
        new = {member: error for member, error in found.items() if member not in self.diverged}
        if not new:
            return
        self.diverged |= new.keys()
        worst = min(new.values(), key=lambda error: error.step or 0)
        members = len(np.atleast_1d(next(iter(metrics.values()))[0]))
        if not self.go_on or len(self.diverged) == members:
            member = worst.member if self.mapped else None
            raise self._error(worst.step or 0, worst.metric, member or 0, worst.array, locate=True)
        for error in new.values():
            _LOG.warning("%s; the other members go on", str(error).partition(";")[0])

    def _error(self, step: int, metric: str, member: int, array: str = "", locate: bool = False) -> NotFiniteError:
        seed = self.seeds[member] if member < len(self.seeds) else None
        who = member if self.mapped else None
        array = (self.locate(step, who) if locate else "") or array
        return NotFiniteError(step, metric, who, seed, array)


def first_bad_array(probe: Callable[[Any, Any], tuple[Any, dict[str, Any]]], state: Any, data: Any, steps: int) -> str:
    """Takes up to `steps` single steps from a state; the first array that is not finite, with its step, or "".

    Args:
        probe: (state, data) -> (the next state, OrderedDict {array: whether it is finite}, as computed).
        state: of one member, before the chunk.
        data: of the run.
        steps: up to and with the step where something was seen.
    """
    one = jax.jit(probe)
    for _ in range(steps):
        step = int(state.step)
        state, flags = one(state, data)
        bad = [name for name, ok in jax.device_get(flags).items() if not ok]
        if bad:
            return f"{bad[0]} (step {step})"
    return ""


def _whole(leaf: Any) -> bool:
    return not isinstance(leaf, jax.Array) or leaf.is_fully_addressable


def _leading_trues(flags: Any) -> int:
    return len(flags) if flags.all() else int(np.argmin(flags))
