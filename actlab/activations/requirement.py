"""Demanding facts: a part that relies on a fact asks for it here, and refuses with one clear error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np

from actlab.activations.activation import Activation
from actlab.activations.facts import FactError, Facts


class Demands(TypedDict, total=False):
    """What can be demanded; each key is an argument of `require`."""

    slope_above: float
    slope_at_least: float
    lipschitz: float
    bounded_slope: bool
    bounded_curvature: bool
    range_above: float
    range_within: tuple[float, float]
    bounded_range: bool
    strictly_monotone: bool
    nondecreasing: bool
    smoothness: float
    exact_gradient: bool


@dataclass(frozen=True)
class Rule:
    """How one demand reads, which fact answers it, when it is met, and a construction that meets it."""

    wanted: str
    fact: str
    met: Callable[[Facts, Any], Any]
    construction: Callable[[Any], str] = lambda value: ""


def _lower_end_excluded(f: Facts, bound: float) -> Any:
    """Every value is above the bound: the range's end is, or it is the bound itself and never attained."""
    return f.range is not None and ((f.range.lower > bound) | ((f.range.lower == bound) & f.strictly_monotone))


RULES: dict[str, Rule] = {
    "slope_above": Rule(
        "slope > {0:g}",
        "slope",
        lambda f, v: f.slope is not None and f.slope.lower > v,
        lambda v: f"bounded_slope(softplus, lower={max(v, 0) + 0.1:g}, upper={max(v, 0) + 2:g})",
    ),
    "slope_at_least": Rule("slope >= {0:g}", "slope", lambda f, v: f.slope is not None and f.slope.lower >= v),
    "lipschitz": Rule(
        "|slope| <= {0:g} and no jump",
        "slope",
        lambda f, v: f.lipschitz() <= v,
        lambda v: f"bounded_slope(softplus, lower={v / 10:g}, upper={v:g})",
    ),
    "bounded_slope": Rule("a bounded slope and no jump", "slope", lambda f, _: f.lipschitz() < math.inf),
    "bounded_curvature": Rule(
        "a bounded curvature and no kink in the slope",
        "curvature",
        lambda f, _: (
            f.curvature is not None
            and f.smoothness is not None
            and (f.smoothness >= 1) & (f.curvature.magnitude < math.inf)
        ),
    ),
    "range_above": Rule("values > {0:g}", "range", _lower_end_excluded, lambda v: f"affine(softplus, shift={v:g})"),
    "range_within": Rule(
        "values in {0}",
        "range",
        lambda f, v: f.range is not None and (f.range.lower >= v[0]) & (f.range.upper <= v[1]),
        lambda v: f"bounded_range(tanh, lower={v[0]:g}, upper={v[1]:g})" if math.isfinite(v[1] - v[0]) else "",
    ),
    "bounded_range": Rule(
        "a bounded range",
        "range",
        lambda f, _: f.range is not None and f.range.magnitude < math.inf,
        lambda _: "bounded_range(tanh, lower=-1, upper=1)",
    ),
    "strictly_monotone": Rule("strictly monotone", "monotone", lambda f, _: f.strictly_monotone),
    "nondecreasing": Rule("nondecreasing", "monotone", lambda f, _: f.increasing),
    "smoothness": Rule(
        "smoothness >= {0:g}", "smoothness", lambda f, v: f.smoothness is not None and f.smoothness >= v
    ),
    "exact_gradient": Rule("an exact gradient", "gradient", lambda f, _: f.gradient == "exact"),
}


def require(activation: Activation, *, because: str, **demands: Unpack[Demands]) -> Activation:
    """Returns the activation if its facts meet every demand.

    Args:
        activation: whose facts are asked.
        because: the part and its reason, the beginning of the error: "a flow must be invertible".
        **demands: flags are demands when true.
            slope_above: inf f' > value. slope_at_least: inf f' >= value.
            lipschitz: continuous with sup |f'| <= value. bounded_slope: continuous with sup |f'| finite.
            bounded_curvature: once continuously differentiable with sup |f''| finite.
            range_above: every value of f > value. An end of the range that equals it will do where strict monotonicity
            shows that it is never attained (softplus is above 0, relu is not).
            range_within: values in [lower, upper]. bounded_range: finite range.
            strictly_monotone: one to one. nondecreasing: never decreasing.
            smoothness: at least so many continuous derivatives.
            exact_gradient: autodiff returns f', not a surrogate.

    Raises:
        FactError: a demand is not met, or the fact is unknown. Says what is demanded and why, what the activation has
            and with what standing, and two or three that would do.
        TypeError: no such demand.
    """
    for name in demands:
        if name not in RULES:
            raise TypeError(f"require: no demand {name!r}; there are: {', '.join(RULES)}")
    asked = {name: value for name, value in demands.items() if value is not False}
    unmet = [name for name in asked if not _is_met(activation.facts, name, asked[name])]
    if unmet:
        raise FactError(_message(activation, because, unmet, asked))
    return activation


def _is_met(facts: Facts, name: str, value: Any) -> bool:
    return bool(np.all(np.asarray(RULES[name].met(facts, value))))


def _message(activation: Activation, because: str, unmet: list[str], asked: dict[str, Any]) -> str:
    facts = activation.facts
    needs = " and ".join(RULES[name].wanted.format(asked[name]) for name in unmet)
    has = ", ".join(_seen(facts, fact) for fact in dict.fromkeys(RULES[name].fact for name in unmet))
    text = f"{because}: needs {needs}, but {activation!r} has {has}."
    would_do = [*_suggestions(activation, asked), *(RULES[n].construction(asked[n]) for n in unmet)]
    would_do = [w for w in would_do if w]
    return text + (f" What would do: {', '.join(would_do)}." if would_do else "")


def _seen(facts: Facts, fact: str) -> str:
    """The fact that answers a demand, with its standing: "slope in [0, 1] (declared)"."""
    value = getattr(facts, fact)
    if value is None or value == "unknown":
        return f"an unknown {fact} (unknown is not no: declare it, or have it proved)"
    text = {"monotone": "monotonicity"}.get(fact, fact)
    jump = ", a jump" if fact == "slope" and facts.smoothness is not None and facts.smoothness < 0 else ""
    joined = f"{text} in {value}" if fact in ("range", "slope", "curvature") else f'{text} "{value}"'
    return f"{joined}{jump} ({facts.standing})"


def _suggestions(activation: Activation, asked: dict[str, Any], at_most: int = 2) -> Iterator[str]:
    """Members of the zoo that meet every demand, well-known ones and the family of the activation first."""
    from actlab.activations.zoo import ZOO

    familiar = ("leaky_relu", "softplus", "tanh", "sigmoid", "swish", "relu", "elu", "identity")
    others = [n for n, a in ZOO.items() if a.family == activation.family]
    candidates = dict.fromkeys(n for n in (*familiar, *others, *ZOO) if n in ZOO and n != activation.name)
    found = (n for n in candidates if all(_is_met(ZOO[n].facts, name, value) for name, value in asked.items()))
    return (name for name, _ in zip(found, range(at_most), strict=False))
