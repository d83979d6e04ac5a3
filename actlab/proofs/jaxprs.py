"""Jaxprs with another meaning of their equations: the one walk that proofs, bounds and attributions take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import Jaxpr, Literal

Apply = Callable[[Any, list[Any]], Sequence[Any]]
"""(equation, values of its inputs) -> values of its outputs."""


def interpreted(
    jaxpr: Jaxpr,
    consts: Sequence[Any],
    arguments: Sequence[Any],
    apply: Apply,
    *,
    literal: Callable[[Any], Any] = lambda value: value,
) -> list[Any]:
    """The values of the outputs, one equation after another.

    Args:
        jaxpr: calls of other jaxprs are equations like any other: `apply` may interpret them in turn.
        consts: values of its constants.
        arguments: values of its inputs.
        apply: what an equation does.
        literal: the value that a literal number of the jaxpr stands for.
    """
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, arguments, strict=True))

    def read(v: Any) -> Any:
        return literal(v.val) if isinstance(v, Literal) else known[v]

    for eqn in jaxpr.eqns:
        known.update(zip(eqn.outvars, apply(eqn, [read(v) for v in eqn.invars]), strict=True))
    return [read(v) for v in jaxpr.outvars]
