"""`activation`: makes an activation of a function, as a call or as a decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, overload

import jax
import numpy as np

from actlab.activations.activation import Activation, Elementary
from actlab.activations.definition import Definition, Function
from actlab.activations.domain import Domain
from actlab.activations.facts import UNKNOWN, Facts


@overload
def activation(function: Function, /) -> Elementary: ...
@overload
def activation(
    *,
    family: str = ...,
    facts: Callable[..., Facts] | Facts = ...,
    slope: Function | None = ...,
    curvature: Function | None = ...,
    domains: Mapping[str, Domain] | None = ...,
    source: str = ...,
    name: str | None = ...,
    ideal: Function | None = ...,
) -> Callable[[Function], Elementary]: ...


def activation(
    function: Function | None = None,
    /,
    *,
    family: str = "user",
    facts: Callable[..., Facts] | Facts = UNKNOWN,
    slope: Function | None = None,
    curvature: Function | None = None,
    domains: Mapping[str, Domain] | None = None,
    source: str = "",
    name: str | None = None,
    ideal: Function | None = None,
) -> Any:
    """Makes an activation of a pure elementwise function of one array; as a call or as a decorator.

    Args:
        function: `f(x, *, parameter=default, ...)`; every keyword-only argument with a number as default
            is a parameter, and every other argument with a float; the rest keep their defaults.
        family: the family of the zoo that `actlab list --family` filters by.
        facts: `Facts`, or a function of the parameters that returns them. Without it they are unknown.
        slope: closed form of f', called as f is; must be in [f'(x-), f'(x+)] at a kink. Autodiff without it.
        curvature: closed form of f'', likewise.
        domains: the admissible values of each parameter, the real line where not given.
        source: paper and equation.
        name: the function's name where not given.
        ideal: f as it reads in real arithmetic, called as f is: what proofs are about. Needed where the function itself
            computes f by a series, a switch of formulas or a clip, which is right up to rounding only.

    Raises:
        TypeError: not a callable of one positional array and keyword parameters with numeric defaults.
    """
    if function is None:
        return functools.partial(
            activation,
            family=family,
            facts=facts,
            slope=slope,
            curvature=curvature,
            domains=domains,
            source=source,
            name=name,
            ideal=ideal,
        )
    if isinstance(function, Activation):
        return function
    if curvature is not None and slope is None:
        raise TypeError("activation: curvature is given without slope; give slope too")
    known = facts
    definition = Definition(
        name=name or getattr(function, "__name__", type(function).__name__),
        family=family,
        derivatives=tuple(f for f in (function, slope, curvature) if f is not None),
        facts=known if callable(known) else lambda **_: known,
        defaults=_parameters_of(function),
        domains=dict(domains or {}),
        source=source,
        doc=inspect.getdoc(function) or "",
        ideal=ideal,
    )
    return Elementary(parameters=dict(definition.defaults), definition=definition)


def _parameters_of(function: Function) -> dict[str, Any]:
    """The keyword parameters of a function, with their defaults.

    Raises:
        TypeError: a second required argument, or a default that is not a number or an array.
    """
    if not callable(function):
        raise TypeError(f"an activation is made from a function of one array; got {function!r}")
    try:
        signature = list(inspect.signature(function).parameters.values())
    except ValueError:  # a ufunc or builtin without a signature has no parameters to offer
        return {}
    name = getattr(function, "__name__", repr(function))
    if signature and signature[0].kind is inspect.Parameter.KEYWORD_ONLY or not signature:
        raise TypeError(f"{name} takes no positional array; an activation is a function of one array")
    parameters: dict[str, Any] = {}
    for p in signature[1:]:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.default is p.empty:
            raise TypeError(
                f"{name}: argument {p.name!r} has no default; give it one, or wrap it in a lambda of x alone"
            )
        if not _is_parameter(p):
            if p.kind is p.KEYWORD_ONLY:
                raise TypeError(
                    f"{name}: parameter {p.name!r} has the default {p.default!r}, which is not a number; "
                    "fix it in a lambda of x alone"
                )
            continue
        parameters[p.name] = float(p.default) if isinstance(p.default, int) else p.default
    return parameters


def _is_parameter(argument: inspect.Parameter) -> bool:
    """Numbers and arrays are; flags are not, nor whole numbers that may be passed by position (softmax's `axis=-1`)."""
    kinds = (
        (float, np.ndarray, jax.Array)
        if argument.kind is not argument.KEYWORD_ONLY
        else (int, float, np.ndarray, jax.Array)
    )
    return isinstance(argument.default, kinds) and not isinstance(argument.default, bool)
