"""Random compositions of elementary operations: as jax functions, and as reference jets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from reference_jets import OPERATIONS, Three, composed

DOMAINS = [None, None, (-4.0, 4.0), (-50.0, 50.0), (0.25, 3.0), (-1000.0, 1000.0), (-1e-3, 1e30)]
BINARY = ("add", "sub", "mul", "max", "min", "where", "quotient")


@dataclass(frozen=True)
class Step:
    """One operation on earlier values, x being number 0."""

    op: str
    args: tuple[int, ...]
    constants: tuple[float, ...] = ()


@dataclass(frozen=True)
class Composition:
    """Steps, the last of which is the value."""

    steps: tuple[Step, ...]
    domain: tuple[float, float] | None

    def __str__(self) -> str:
        text = "; ".join(f"v{k} = {s.op}{s.args}{s.constants or ''}" for k, s in enumerate(self.steps, 1))
        return f"{text} on {self.domain}"

    def function(self) -> Callable[[Any], Any]:
        """What a user would write."""

        def f(x: Any) -> Any:
            values = [x]
            for s in self.steps:
                values.append(_executed(s, [values[i] for i in s.args]))
            return values[-1]

        return f

    def jet(self, M: Any, x: Any) -> Three:
        """The reference for f, f', f''."""
        values: list[Three] = [(x, 1 + 0 * x, 0 * x)]
        for s in self.steps:
            values.append(_referred(M, s, [values[i] for i in s.args]))
        return values[-1]


def draw(generator: np.random.Generator, depth: int) -> Composition:
    """A composition in which each step takes the one before it."""
    names = list(OPERATIONS)
    shares = np.array([OPERATIONS[n].share for n in names])
    steps = []
    for k in range(depth):
        kind = generator.random()
        if kind < 0.55:
            steps.append(Step(str(generator.choice(names, p=shares / shares.sum())), (k,)))
        elif kind < 0.7:
            steps.append(Step("affine", (k,), (_constant(generator), _constant(generator))))
        else:
            op = str(generator.choice(BINARY))
            steps.append(Step(op, (k, int(generator.integers(k + 1))), (_constant(generator),)))
    return Composition(tuple(steps), DOMAINS[generator.integers(len(DOMAINS))])


def _constant(generator: np.random.Generator) -> float:
    return float(np.round(generator.normal() * 2, int(generator.integers(4))))


def _executed(s: Step, args: list[Any]) -> Any:
    if s.op in OPERATIONS:
        return OPERATIONS[s.op].jax(args[0])
    if s.op == "affine":
        return s.constants[0] * args[0] + s.constants[1]
    a, b = args
    return {
        "add": lambda: a + b,
        "sub": lambda: a - s.constants[0] * b,
        "mul": lambda: a * b,
        "max": lambda: jnp.maximum(a, b),
        "min": lambda: jnp.minimum(a, s.constants[0] * b),
        "where": lambda: jnp.where(a > s.constants[0], b, a),
        "quotient": lambda: a / (1 + b * b),
    }[s.op]()


def _referred(M: Any, s: Step, args: list[Three]) -> Three:
    if s.op in OPERATIONS:
        return composed(OPERATIONS[s.op].jet(M, args[0][0]), args[0])
    c = M.number(s.constants[0])
    if s.op == "affine":
        return tuple(c * v + (M.number(s.constants[1]) if k == 0 else 0) for k, v in enumerate(args[0]))  # pyright: ignore
    a, b = args
    scaled = tuple(c * v for v in b)
    if s.op in ("max", "min", "where"):
        other = scaled if s.op == "min" else b
        take = a[0] > c if s.op == "where" else a[0] < other[0]
        first, second = (b, a) if s.op in ("max", "where") else (a, scaled)
        return tuple(M.where(take, p, q) for p, q in zip(first, second, strict=True))  # pyright: ignore
    if s.op == "add":
        return tuple(p + q for p, q in zip(a, b, strict=True))  # pyright: ignore
    if s.op == "sub":
        return tuple(p - q for p, q in zip(a, scaled, strict=True))  # pyright: ignore
    if s.op == "mul":
        return _product(a, b)
    square = _product(b, b)
    size = 1 + square[0]
    inverse = (1 / size, -1 / size**2, 2 / size**3)
    return _product(a, composed(inverse, (size, square[1], square[2])))


def _product(a: Three, b: Three) -> Three:
    return a[0] * b[0], a[1] * b[0] + a[0] * b[1], a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2]
