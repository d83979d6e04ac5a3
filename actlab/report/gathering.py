"""Figures that several evaluations bring: each once, with the activation that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from actlab.measurement import Figure

F = TypeVar("F", bound=Figure)


def gather(brought: Iterable[tuple[str | None, F]]) -> tuple[tuple[str | None, F], ...]:
    """Every figure once with the activation that brings it; None for the references, and where several do.

    What several evaluations bring alike (a usual head beside each activation's own) is there once and belongs to
    none of them. Figures of one label that differ are told apart by the activation's name.
    """
    groups: list[tuple[list[str | None], F]] = []
    for owner, figure in brought:
        equal = next((owners for owners, f in groups if _same(f, figure)), None)
        if equal is None:
            groups.append(([owner], figure))
        else:
            equal.append(owner)
    labels = [(f.name, f.activation) for _, f in groups]
    return tuple(
        _labelled(owners, f, label) if labels.count(label) > 1 else (_sole(owners), f)
        for (owners, f), label in zip(groups, labels, strict=True)
    )


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if is_dataclass(a):
        return all(_same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a == b


def _sole(owners: Sequence[str | None]) -> str | None:
    return owners[0] if len(set(owners)) == 1 else None


def _labelled(owners: Sequence[str | None], figure: F, label: tuple[str, str]) -> tuple[str | None, F]:
    """The figure under its owners' names, because another has the same label."""
    names = [o for o in dict.fromkeys(owners) if o not in (None, label[1])]
    said = f"{label[1]} ({', '.join(names)})" if names else label[1]
    return _sole(owners), replace(figure, activation=said)
