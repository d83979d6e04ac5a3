"""`prove` and `certify`: from a function to a certificate, and to an activation whose facts are proved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Float

from actlab.activations import Activation, Elementary, Facts
from actlab.activations.interval import Interval
from actlab.activations.lookup import as_activation
from actlab.proofs.certificate import Certificate, Claims
from actlab.proofs.conclusions import Seams, holes, monotone, seams
from actlab.proofs.enclosure import Evaluator
from actlab.proofs.ends import FloatEnds
from actlab.proofs.errors import UndefinedError
from actlab.proofs.program import Program, hexadecimal
from actlab.proofs.search import LARGEST, Boxes, evaluated, growing, search
from actlab.proofs.trace import formula_of, traced

Tier = Literal["proved", "fast"]
Of = Literal["formula", "float64 trace", "float32 trace"]


def prove(
    f: Activation | Callable[..., Any] | str,
    *,
    domain: Interval | tuple[float, float] | None = None,
    order: int = 2,
    tier: Tier = "proved",
    tolerance: float = 1e-9,
    of: Of = "formula",
    precision: int = 200,
) -> Certificate:
    """Encloses f, f', f'' over a domain by branch and bound on interval jets, and says how f joins at its kinks.

    Args:
        f: an Activation, a function of one array, or a name of the zoo.
        domain: `(lower, upper)`; all finite float32 where not given. There a bound that grows with |x| to the ends of
            the domain is claimed as infinite.
        order: the highest derivative that is bounded: 0, 1 or 2.
        tier: "fast" computes in outward-rounded float64 and assumes that the C library and scipy are within 8 units in
            the last place; "proved" checks the cover that this finds in ball arithmetic (Arb), which assumes nothing.
        tolerance: how far a bound may be from a value that is attained, relative to max(1, |value|). Where it cannot
            be reached the certificate says so in its notes; the bounds hold all the same.
        of: "formula": the activation's formula, with constants to 1e-16. "float64 trace", "float32 trace": the code as
            executed in that dtype, with its constants, but in exact arithmetic.
        precision: bits of the proved tier.

    Raises:
        UnsupportedPrimitiveError: an operation that has no interval rule; names it and its place in the code.
        UndefinedError: f is not a real number in part of the domain.
        ValueError: an empty or infinite domain, or a wrong order, tier, tolerance or `of`.
    """
    lower, upper = _checked(domain, order, tier, tolerance, of)
    activation = as_activation(f)
    program = _program(activation, of)
    fast = Evaluator(program, FloatEnds())
    options: dict[str, Any] = {"tolerance": tolerance, "order": order, "grows": domain is None}
    with np.errstate(all="ignore"):
        found = search(fast, lower, upper, **options)
        evaluator = fast
        if tier == "proved" and not found.boxes.nowhere.any():
            from actlab.proofs.ball_ends import BallEnds

            evaluator = Evaluator(program, BallEnds(precision))
            edges = found.boxes.edges()
            again = replace(found, boxes=evaluated(evaluator, edges[:-1], edges[1:]))
            found = search(evaluator, lower, upper, known=again, **options)
        boxes, best = found.boxes, found.best
        _refuse_undefined(activation, program, boxes, (lower, upper))
        if places := holes(evaluator, boxes):
            where = ", ".join(f"{x:.6g}" for x in places[:4])
            raise UndefinedError(f"{activation.name} is not defined at x = {where}, a single point of the domain")
        joined = seams(evaluator, boxes)
        claims, notes = _claims(boxes, best, joined, order, tolerance, widened=domain is None)
    return Certificate(
        name=activation.name,
        reference=f if isinstance(f, str) else _zoo_name(activation),
        parameters=_parameters(activation),
        of=of,
        tier=evaluator.A.tier,
        precision=evaluator.A.precision,
        domain=(lower, upper),
        program=program,
        cover=tuple(boxes.edges().tolist()),
        claims=claims,
        notes=notes,
    )


def certify(f: Activation | Callable[..., Any] | str, **options: Any) -> Certified:
    """An activation equal to f whose facts are proved; takes the options of `prove`.

    Its parameters are fixed at their present values, for which alone the proof holds. Facts of a stated domain hold
    inside it only; they are the caller's to use there.
    """
    activation = as_activation(f)
    certificate = prove(f if isinstance(f, str) else activation, **options)
    return Certified(activation, certificate)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Certified(Activation):
    """An activation with the certificate of its facts; see `certify`."""

    inner: Activation = field(metadata={"static": True})
    certificate: Certificate = field(metadata={"static": True})

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The name of the function."""
        return self.inner.name

    @property
    def family(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The family of the function."""
        return self.inner.family

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        return self.inner.evaluate(x)

    @property
    def facts(self) -> Facts:
        """The proved facts."""
        return self.certificate.facts(self.inner.facts)

    def __repr__(self) -> str:
        lower, upper = self.certificate.domain
        everywhere = (lower, upper) == (-LARGEST, LARGEST)
        return repr(self.inner) if everywhere else f"{self.inner!r} on [{lower:g}, {upper:g}]"


def _checked(domain: Any, order: int, tier: str, tolerance: float, of: str) -> tuple[float, float]:
    if order not in (0, 1, 2):
        raise ValueError(f"prove: order = {order}; it is 0 (range), 1 (slope too) or 2 (curvature too)")
    if tier not in ("proved", "fast"):
        raise ValueError(f'prove: tier = {tier!r}; it is "proved" or "fast"')
    if of not in ("formula", "float64 trace", "float32 trace"):
        raise ValueError(f'prove: of = {of!r}; it is "formula", "float64 trace" or "float32 trace"')
    if not 0 < tolerance < 1:
        raise ValueError(f"prove: tolerance = {tolerance}; it lies between 0 and 1")
    if domain is None:
        return -LARGEST, LARGEST
    lower, upper = (domain.lower, domain.upper) if isinstance(domain, Interval) else domain
    lower, upper = float(lower), float(upper)
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise ValueError(f"prove: domain = [{lower}, {upper}]; it needs finite ends, the lower below the upper")
    return lower, upper


def _program(activation: Activation, of: str) -> Program:
    dtype = np.float32 if of == "float32 trace" else np.float64
    return traced(formula_of(activation), dtype=dtype, ideal=of == "formula", name=activation.name)


def _zoo_name(activation: Activation) -> str | None:
    from actlab.activations.zoo import ZOO

    known = ZOO.get(activation.name)
    same = isinstance(activation, Elementary) and known is not None and known.definition is activation.definition
    return activation.name if same else None


def _parameters(activation: Activation) -> dict[str, Any]:
    if not isinstance(activation, Elementary):
        return {}

    def text(value: Any) -> Any:
        array = np.asarray(value, np.float64)
        return [hexadecimal(v) for v in array.ravel()] if array.ndim else hexadecimal(float(array))

    return {name: text(value) for name, value in activation.parameters.items()}


def _refuse_undefined(activation: Activation, program: Program, boxes: Boxes, domain: tuple[float, float]) -> None:
    bad = np.flatnonzero(boxes.undefined)
    if not bad.size:
        return
    runs = np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1)
    places = []
    for run in runs[:4]:
        left, right = boxes.left[run[0]], boxes.right[run[-1]]
        ends = (left == domain[0], right == domain[1])
        inner = f"x in [{left:.6g}, {right:.6g}]"
        places.append({(True, False): f"x < {right:.6g}", (False, True): f"x > {left:.6g}"}.get(ends, inner))
    equation = program.equations[boxes.culprit[bad[0]]]
    place = f", used at {equation.place}" if equation.place else ""
    perhaps = "" if boxes.nowhere.any() else "perhaps "
    raise UndefinedError(
        f"{activation.name} is {perhaps}not defined for {', '.join(places)}{', ...' if len(runs) > 4 else ''}: "
        f"{equation.op} outside its domain{place}; state a domain inside which it is: domain=(lower, upper)"
    )


def _claims(
    boxes: Boxes, best: np.ndarray, joined: Seams, order: int, tolerance: float, *, widened: bool
) -> tuple[Claims, tuple[str, ...]]:
    notes = list(joined.notes)
    bounds = []
    grows = growing(best) & widened
    for k, what in enumerate(("range", "slope", "curvature")[: order + 1]):
        low, high = float(np.min(boxes.low[k])), float(np.max(boxes.high[k]))
        least, most = float(best[0, 0, k]), float(best[0, 1, k])
        if k == 0:
            low, high = min(low, joined.point_low), max(high, joined.point_high)
            least, most = min(least, joined.point_low), max(most, joined.point_high)
        for side, (bound, value) in enumerate(((low, least), (high, most))):
            if grows[side, k] or not math.isfinite(bound):
                continue
            if abs(bound - value) > tolerance * max(1.0, abs(value)):
                notes.append(f"{what}: the bound {bound:.12g} holds; attained is {value:.12g}")
        notes += _poles(boxes, k, what)
        if widened:
            low, high = _extended(grows, k, what, low, high, notes)
        bounds.append(Interval(low + 0.0, high + 0.0))
    bounds += [None] * (3 - len(bounds))
    claims = Claims(*bounds, monotone(boxes, joined), joined.continuous, joined.smoothness, joined.kinks)  # pyright: ignore
    return claims, tuple(dict.fromkeys(notes))


def _poles(boxes: Boxes, k: int, what: str) -> list[str]:
    """Where an enclosure is infinite."""
    infinite = np.flatnonzero(np.isinf(boxes.low[k]) | np.isinf(boxes.high[k]))
    runs = np.split(infinite, np.flatnonzero(np.diff(infinite) > 1) + 1) if infinite.size else []
    notes = []
    for run in runs[:4]:
        left, right = boxes.left[run[0]], boxes.right[run[-1]]
        narrow = right - left <= 1e-3 * max(1.0, abs(left))
        place = f"near {0.0 if left <= 0 <= right else left:.6g}" if narrow else f"in [{left:.6g}, {right:.6g}]"
        notes.append(f"{what} unbounded {place}")
    return notes


def _extended(grows: np.ndarray, k: int, what: str, low: float, high: float, notes: list[str]) -> tuple[float, float]:
    """Ends that go on growing up to the ends of the domain, as infinite: a weaker claim, independent of them."""
    result = []
    for side, (bound, infinity) in enumerate(((low, -math.inf), (high, math.inf))):
        if grows[side, k]:
            notes.append(f"{what} grows with |x|: {bound:.6g} at the end of the domain, claimed as unbounded")
        result.append(infinity if grows[side, k] else bound)
    return result[0], result[1]
