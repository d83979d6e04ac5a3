"""What a matrix of accuracies says of a run: average accuracy, forgetting, backward and forward transfer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from actlab.systems.continual.error import ContinualError


class Transfer(NamedTuple):
    """Summaries of a run over T tasks, one value a seed.

    Attributes:
        average: mean accuracy over all tasks after the last.
        forgetting: mean over tasks but the last of the best accuracy ever reached (after any earlier task from its own
            on) less the final one. Negative where later tasks helped throughout.
        backward: mean over tasks but the last of the final accuracy less that right after the task.
        forward: mean over tasks but the first of the accuracy just before the task less that of the untrained net.
    """

    average: Float[np.ndarray, "*seeds"]
    forgetting: Float[np.ndarray, "*seeds"]
    backward: Float[np.ndarray, "*seeds"]
    forward: Float[np.ndarray, "*seeds"]


def transfer(accuracy: Float[np.ndarray, "..."]) -> Transfer:
    """Summaries of accuracies, (*seeds, tasks + 1, tasks): rows before the first task, after it, ..., after the last.

    Raises:
        ContinualError: not one row more than tasks, or fewer than two tasks.

    Source: Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eqs. 2-4 (average, backward, forward); Chaudhry et al. 2018,
    arXiv:1801.10112, eqs. 3-4 (forgetting).
    """
    accuracy = np.asarray(accuracy, np.float64)
    tasks = accuracy.shape[-1]
    if accuracy.ndim < 2 or tasks < 2 or accuracy.shape[-2] != tasks + 1:
        raise ContinualError(
            f"transfer: accuracy has shape {accuracy.shape}; its last two axes must be tasks + 1 rows (the "
            "untrained net first) and tasks, two at least"
        )
    after = accuracy[..., 1:, :]
    learned = np.diagonal(after, axis1=-2, axis2=-1)
    final = after[..., -1, :]
    # A task's own row and those behind it, the last left out.
    since = np.tril(np.ones((tasks, tasks), bool))[:-1]
    best = np.where(since, after[..., :-1, :], -np.inf).max(-2)[..., :-1]
    before = np.diagonal(accuracy[..., :-1, :], axis1=-2, axis2=-1)[..., 1:]
    return Transfer(
        average=final.mean(-1),
        forgetting=(best - final[..., :-1]).mean(-1),
        backward=(final - learned)[..., :-1].mean(-1),
        forward=(before - accuracy[..., 0, 1:]).mean(-1),
    )
