"""No value escapes a proved enclosure: primitives against mpmath, random compositions against a million samples."""

import warnings
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from mpmath import mpf
from random_compositions import Composition, Step, draw
from reference_jets import NUMPY, OPERATIONS, PRECISE, TooLarge

from actlab.activations import Interval
from actlab.proofs import Certificate, UndefinedError, prove
from actlab.proofs.ball_ends import BallEnds
from actlab.proofs.enclosure import Evaluator
from actlab.proofs.ends import Ends, FloatEnds
from actlab.proofs.search import LARGEST
from actlab.proofs.symbols import SYMBOLS
from actlab.proofs.trace import traced

DIGITS = 150


def precise(f: Any, x: Any) -> tuple[Any, Any, Any] | None:
    """The jet at x in many digits; None where there is none, or where mpmath should not try."""
    try:
        jet = f(PRECISE, mpf(x))
    except (TooLarge, ZeroDivisionError, OverflowError, ValueError, TypeError, mpmath.libmp.NoConvergence):
        return None
    return jet if all(isinstance(v, mpf) and mpmath.isfinite(v) for v in map(mpmath.mpmathify, jet)) else None


@pytest.mark.parametrize("name", OPERATIONS)
def test_reference_derivatives_are_derivatives(name: str) -> None:
    operation = OPERATIONS[name]
    low, high = max(operation.domain[0], -3.3), min(operation.domain[1], 3.3)
    with mpmath.workdps(60):
        for x in np.linspace(low, high, 9)[1:-1] + 0.01234:
            found = [mpmath.mpmathify(v) for v in operation.jet(PRECISE, mpf(x))]
            for k in (1, 2):
                true = mpmath.diff(lambda v: operation.jet(PRECISE, v)[0], mpf(x), k, h=mpf(10) ** -15)
                assert abs(true - found[k]) <= 1e-8 * (1 + abs(true)), (x, k)


@pytest.mark.parametrize("name", OPERATIONS)
def test_reference_values_are_those_of_jax(name: str) -> None:
    import jax

    operation = OPERATIONS[name]
    low, high = max(operation.domain[0], -3.3), min(operation.domain[1], 3.3)
    x = np.linspace(low, high, 33)[1:-1] + 0.01234
    with jax.enable_x64(True):
        np.testing.assert_allclose(operation.jax(jax.numpy.asarray(x)), operation.jet(NUMPY, x)[0], rtol=1e-9)


def test_every_primitive_that_has_a_rule_is_here() -> None:
    import jax

    seen: set[str] = set()

    def walk(jaxpr: Any) -> None:
        for eqn in jaxpr.eqns:
            seen.add(eqn.primitive.name)
            for value in eqn.params.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    walk(inner)

    for operation in OPERATIONS.values():
        walk(jax.make_jaxpr(operation.jax)(1.5).jaxpr)
    written = {"max", "min", "add_any"}  # of two arguments: in the compositions; add_any: of derivatives
    assert set(SYMBOLS) - seen - written == set()
    assert {"jit", "custom_jvp_call", "custom_vjp_call"} <= seen


def boxes_of(domain: tuple[float, float], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random ones, and the adversarial: of no width, subnormal, huge, next to 0 and to the ends, across everything."""
    low, high = domain
    size = generator.uniform(-12, 3, 24)
    left = np.clip(generator.normal(size=24) * 10.0 ** generator.uniform(-3, 2, 24), low, high)
    right = np.clip(left + 10.0**size, low, high)
    ends = [
        (0.0, 0.0), (0.0, 5e-324), (-5e-324, 5e-324), (5e-324, 1e-310), (-1e-310, 0.0), (1e-300, 2e-300), (1.0, 1.0),
        (1e30, 1e30), (1e30, np.nextafter(1e30, np.inf)), (-1e30, 1e30), (-LARGEST, LARGEST), (3e38, LARGEST),
        (-LARGEST, -1e30), (0.5, 0.5), (np.nextafter(1.0, 0.0), np.nextafter(1.0, 2.0)), (-1e-5, 1e-5), (low, high),
        (low, low), (high, high), (np.pi, np.pi), (1.5707, 1.5709), (-0.25, 700.0),
    ]  # fmt: skip
    extra = np.clip(np.array(ends), low, high)
    return np.concatenate([left, extra[:, 0]]), np.concatenate([right, extra[:, 1]])


def inside(left: float, right: float) -> list[float]:
    middle = 0.5 * left + 0.5 * right
    third = left + (right - left) / 3
    return [x for x in dict.fromkeys([left, third, middle, right]) if left <= x <= right]


@pytest.mark.parametrize("tier", ["fast", "proved"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_enclosures_hold_the_values_of_mpmath(name: str, tier: str) -> None:
    operation = OPERATIONS[name]
    evaluator = Evaluator(traced(operation.jax), FloatEnds() if tier == "fast" else BallEnds(120))
    left, right = boxes_of(operation.domain, np.random.default_rng(len(name)))
    with np.errstate(all="ignore"):
        enclosure = evaluator(left, right)
    node = enclosure.node
    bounds = [evaluator.A.floats(node.wide[k]) for k in range(3)]
    tried = 0
    with mpmath.workdps(DIGITS):
        for i in range(left.size):
            for x in inside(left[i], right[i]):
                jet = None if node.undefined[i] else precise(operation.jet, x)
                ends = x in (left[i], right[i])
                for k in range(3 if jet else 0):
                    if ends and (k or (enclosure.touched[i] and left[i] < right[i])):
                        continue  # limits from inside the box
                    assert jet is not None
                    assert bounds[k][0][i] <= jet[k] <= bounds[k][1][i], (left[i], right[i], x, k)
                    tried += 1
    assert tried > 60


def samples(certificate: Certificate, generator: np.random.Generator, count: int) -> np.ndarray:
    """Uniform, geometric, and next to the edges of the cover."""
    low, high = certificate.domain
    span = min(high, 60.0), max(low, -60.0)
    parts = [generator.uniform(max(low, -60.0), min(high, 60.0), count // 2) if span[1] < span[0] else np.zeros(0)]
    powers = 10.0 ** generator.uniform(-40, 38.5, count // 3)
    parts += [powers, -powers[: count // 6]]
    edges = generator.choice(np.asarray(certificate.cover), count // 6)
    parts.append(edges + np.abs(edges) * generator.integers(-3, 4, edges.size) * 2.0**-52)
    x = np.concatenate(parts)
    return x[(x > low) & (x < high)]


def escapes(c: Composition, certificate: Certificate, x: np.ndarray) -> list[str]:
    """Samples outside of a claim, as mpmath confirms: a float may leave an enclosure by its own rounding."""
    said = certificate.claims
    found = []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jet = c.jet(NUMPY, x)
        worst: list[set[int]] = []
        for bounds, v in zip((said.range, said.slope, said.curvature), jet, strict=True):
            assert bounds is not None
            v = np.where(np.isfinite(v), v, np.nan)
            over = np.fmax(bounds.lower - v, v - bounds.upper)
            over = np.where(np.isnan(over), -np.inf, over)
            out = np.argsort(over)[-6:]
            picked = {int(k) for k in out if over[k] > -1e-12 * (1 + abs(float(v[k])))}
            if np.isfinite(v).any():
                picked |= {int(np.nanargmin(v)), int(np.nanargmax(v))}
            worst.append(picked)
    with mpmath.workdps(DIGITS):
        for order, (bounds, picked) in enumerate(zip((said.range, said.slope, said.curvature), worst, strict=True)):
            for k in picked:
                for at in beside(float(x[k])) if order else (mpf(float(x[k])),):
                    true = precise(c.jet, at)
                    if true is not None and not bounds.lower <= true[order] <= bounds.upper:
                        text = mpmath.nstr(true[order], 20)
                        found.append(f"{c}: derivative {order} at {mpmath.nstr(at, 80)} is {text}, outside {bounds}")
    return found


def beside(x: float) -> tuple[Any, Any]:
    """Next to x on both sides: on a tie of a comparison the reference takes a branch of which no side need be.

    |x^2| is one: at 0 the branch below 0 has the second derivative -2, which the function has nowhere.
    """
    step = mpf(abs(x)) * mpf(10) ** -60 if x else mpf(10) ** -120
    return mpf(x) - step, mpf(x) + step


def tried(count: int, size: int, seed: int, tier: str = "fast") -> tuple[list[str], int]:
    """Escapes of so many proved compositions of depth 1 to 6, and how many others have no value somewhere."""
    generator = np.random.default_rng(seed)
    found: list[str] = []
    proved = refused = 0
    while proved < count:
        c = draw(generator, 1 + proved % 6)
        try:
            certificate = prove(c.function(), domain=c.domain, tier=tier)  # pyright: ignore
        except UndefinedError:
            refused += 1
            continue
        proved += 1
        found += escapes(c, certificate, samples(certificate, generator, size))
    return found, refused


def test_nothing_escapes_from_random_compositions() -> None:
    found, refused = tried(8, 20_000, seed=1)
    assert found == []
    assert refused < 8


@pytest.mark.exhaustive
@pytest.mark.parametrize("tenth", range(10))
def test_nothing_escapes_from_five_hundred_compositions_a_million_samples_each(tenth: int) -> None:
    found, _ = tried(50, 1_000_000, seed=100 + tenth)
    assert found == []


def test_a_tie_that_is_not_crossed_is_no_escape_and_a_wrong_bound_is_one() -> None:
    touching = Composition((Step("square", (0,)), Step("abs", (1,))), (-2.0, 2.0))
    certificate = prove(touching.function(), domain=touching.domain, tier="fast")
    x = np.array([-1.0, 0.0, 0.5])
    assert escapes(touching, certificate, x) == []
    narrow = replace(certificate.claims, curvature=Interval(1.9, 1.99))
    assert escapes(touching, replace(certificate, claims=narrow), x)


@pytest.mark.exhaustive
def test_nothing_escapes_from_the_proved_tier() -> None:
    found, _ = tried(30, 200_000, seed=3, tier="proved")
    assert found == []


@pytest.mark.parametrize("op", ["add", "mul", "div", "square", "sqrt"])
def test_outward_rounding_against_exact_rationals(op: str) -> None:
    from fractions import Fraction

    generator = np.random.default_rng(5)
    pool = np.concatenate(
        [
            generator.normal(size=300) * 10.0 ** generator.uniform(-320, 308, 300),
            2.0 ** generator.integers(-1074, 1023, 100),
            np.round(generator.normal(size=100) * 8) / 8,
            [0.0, 5e-324, -5e-324, 1.7e308, 0.8, 0.4, 1e-300, 1e-310],
        ]
    )
    x, y = np.sort(generator.choice(pool, (2, 2, 1500)), axis=1)
    x[1, ::2], y[1, ::3] = x[0, ::2], y[0, ::3]
    exact = {
        "add": lambda p, q: p + q,
        "mul": lambda p, q: p * q,
        "div": lambda p, q: p / q,
        "square": lambda p, q: p * p,
        "sqrt": lambda p, q: p,
    }[op]
    arguments = [Ends(*x), Ends(*y)][: 2 if op in ("add", "mul", "div") else 1]
    with np.errstate(all="ignore"):
        found = getattr(FloatEnds(), op)(*arguments)
    for i, (low, high) in enumerate(zip(found.lo.tolist(), found.hi.tolist(), strict=True)):
        for p in x[:, i].tolist():
            for q in y[:, i].tolist():
                if (op == "div" and q == 0) or (op == "sqrt" and p < 0):
                    continue
                true = exact(Fraction(p), Fraction(q))
                ends = [Fraction(e) if np.isfinite(e) else e for e in (low, high)]
                if op == "sqrt":
                    ends = [e * e for e in ends]
                assert ends[0] <= true <= ends[1], (p, q)


@pytest.mark.parametrize(
    ("f", "domain"),
    [
        (jnp.floor, (0.0, 1.0)),
        (jnp.ceil, (0.0, 1.0)),
        (jnp.round, (0.0, 1.5)),
        (jnp.sign, (0.0, 1.0)),
        (lambda x: jnp.where(x >= 1, -1.0, x), (0.25, 1.0)),
        (jnp.floor, (2.0**53, 2.0**53 + 2)),
        (jnp.ceil, (2.0**53, 2.0**53 + 2)),
        (jnp.round, (2.0**52 + 1, 2.0**52 + 2)),
    ],
)
@pytest.mark.parametrize("tier", ["fast", "proved"])
def test_the_values_at_the_ends_of_a_domain_are_in_the_range(f: Any, domain: tuple[float, float], tier: Any) -> None:
    found = prove(f, domain=domain, tier=tier).claims.range
    with jax.enable_x64(True):
        values = [float(f(jnp.float64(x))) for x in domain]
    assert found.lower <= min(values) <= max(values) <= found.upper
