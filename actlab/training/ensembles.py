"""Ensembles: one run mapped over the leading axis of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax

Strategy = Literal["vmap", "jit", "pmap"]


def ensemble(run: Callable[..., Any], strategy: Strategy = "vmap") -> Callable[..., Any]:
    """Maps `run` over the leading axis of every argument (pytrees allowed), compiled.

    Args:
        run: a pure function, such as one that builds a model from a key and returns `fit(...)`. What all members share
            (the data, as a rule) it closes over.
        strategy: "vmap": all members in one program on one device.

    Returns:
        A function of the stacked arguments that returns the stacked results.
    """
    if strategy != "vmap":
        raise ValueError(f"strategy = {strategy!r}; known: vmap")
    return jax.jit(jax.vmap(run))
