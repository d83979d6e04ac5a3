"""From a certificate's program to the checker's own: every name resolved, nothing the prover computed with it kept."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from mpmath.libmp import fone, from_float, fzero

from actlab.proofs.checker import functions
from actlab.proofs.checker.algebra import Algebraic, polynomial
from actlab.proofs.checker.jets import Node, Program

UNARY = {*functions.AT, "sin", "cos", "sinc", "neg", "abs", "sign", "floor", "ceil", "round", "not", "number", "square"}
BINARY = {"add", "sub", "mul", "div", "max", "min", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor"}
ARITY = dict.fromkeys(UNARY, 1) | dict.fromkeys(BINARY, 2) | {"select": 3, "integer_pow": 1, "pow": 1, "algebraic": 1}


class Malformed(ValueError):
    """The certificate is not one: a field is missing or cannot be read."""


def real(text: Any, what: str) -> float:
    """A number of the certificate: a hexadecimal float or an infinity.

    Raises:
        Malformed: it is neither.
    """
    if isinstance(text, str) and (text.lstrip("+-").startswith("0x") or text in ("inf", "-inf", "+inf")):
        try:
            return float.fromhex(text)
        except (ValueError, OverflowError):
            pass
    raise Malformed(f"{what}: {text!r} is not a hexadecimal float")


class Builder:
    """Collects nodes; equal ones are one node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[Node, int] = {}

    def node(self, op: str, args: tuple[int, ...] = (), data: Any = None) -> int:
        """The index of this node, old or new."""
        if (known := self._simplified(op, args)) is not None:
            return known
        if op == "square" or (op == "integer_pow" and data == 2):  # one of three ways to write it
            op, args, data = "mul", (args[0], args[0]), None
        made = Node(op, args, data)
        if made not in self._known:
            self._known[made] = len(self.nodes)
            self.nodes.append(made)
        return self._known[made]

    def _simplified(self, op: str, args: tuple[int, ...]) -> int | None:
        """The identities without which an enclosure cannot see what is plain: x + 0, softplus in two halves, sin^2."""
        nodes = [self.nodes[a] for a in args]
        zero = [n.op == "constant" and n.data == fzero for n in nodes]
        if op in ("add", "sub") and zero[1]:
            return args[0]
        if op == "add":
            return args[1] if zero[0] else self._softplus(*args) or self._softplus(*args[::-1])
        if op == "select" and (u := self._sinc(*args)) is not None:
            return self.node("sinc", (u,))
        squared = op == "square" or (op == "mul" and args[0] == args[1])
        if squared and nodes[0].op in ("sin", "cos"):  # (1 -+ cos 2u)/2
            angle = self.node("add", (nodes[0].args[0], nodes[0].args[0]))
            half, wave = self.number(0.5), self.node("cos", (angle,))
            return self.node("sub" if nodes[0].op == "sin" else "add", (half, self.node("mul", (half, wave))))
        return None

    def _softplus(self, high: int, log: int) -> int | None:
        """max(u, 0) + log1p(exp(-|u|))."""
        top, node = self.nodes[high], self.nodes[log]
        for op in ("log1p", "exp", "neg", "abs"):
            if node.op != op:
                return None
            node = self.nodes[node.args[0]] if op != "abs" else node
        u, zero = node.args[0], self.number(0.0)
        return self.node("softplus", (u,)) if top.op == "max" and set(top.args) == {u, zero} else None

    def _sinc(self, test: int, elsewhere: int, at_zero: int) -> int | None:
        """Where u = 0, 1, else sin(v)/v, v being u there: returns u."""
        equal, quotient, one = (self.nodes[i] for i in (test, elsewhere, at_zero))
        if equal.op != "eq" or quotient.op != "div" or one.op != "constant" or one.data != fone:
            return None
        u, v = next((a for a in equal.args if a != self.number(0.0)), None), quotient.args[1]
        guard, wave = self.nodes[v], self.nodes[quotient.args[0]]
        inner = guard.args[1] if guard.op == "select" and guard.args[0] == test else v
        return u if wave.op == "sin" and wave.args[0] == v and inner == u and self.number(0.0) in equal.args else None

    def number(self, value: float) -> int:
        """The node of a constant.

        Raises:
            Malformed: it is not finite.
        """
        if not math.isfinite(value):
            raise Malformed(f"the program computes with {value}")
        return self.node("constant", (), from_float(value))

    def program(self, output: int) -> Program:
        """What the output needs, in order, the output last."""
        needed, stack = set(), [output]
        while stack:
            if (index := stack.pop()) not in needed:
                needed.add(index)
                stack += self.nodes[index].args
        order = [*sorted(needed - {output}), output]
        place = {old: new for new, old in enumerate(order)}
        return tuple(Node(n.op, tuple(place[a] for a in n.args), n.data) for n in (self.nodes[i] for i in order))


def read(data: Any) -> Program:
    """The program of a certificate.

    Raises:
        Malformed: an equation that is not one.
    """
    try:
        builder = Builder()
        names = {data["input"]: builder.node("input")}
        _append(builder, names, data["equations"])
        return builder.program(_argument(builder, names, data["output"]))
    except Malformed:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise Malformed(f"the program cannot be read: {type(error).__name__}: {error}") from error


def _append(builder: Builder, names: dict[str, int], equations: Any) -> None:
    for equation in equations:
        op, name = equation["op"], equation["name"]
        arguments = [_argument(builder, names, a) for a in equation["args"]]
        if ARITY.get(op) != len(arguments):
            raise Malformed(f"equation {name}: {op} of {len(arguments)} arguments is no operation")
        if name in names:
            raise Malformed(f"equation {name}: defined twice")
        names[name] = _equation(builder, op, arguments, equation.get("params") or {})


def _equation(builder: Builder, op: str, arguments: list[int], params: dict[str, Any]) -> int:
    if op == "algebraic":
        return _algebraic(builder, arguments[0], params)
    if op == "integer_pow":
        if not isinstance(params["n"], int):
            raise Malformed(f"integer_pow: n = {params['n']!r} is not whole")
        return builder.node(op, tuple(arguments), params["n"])
    if op == "pow":
        exponent = builder.number(real(params["exponent"], "exponent"))
        return builder.node(op, (arguments[0], exponent))
    return builder.node(op, tuple(arguments))


def _algebraic(builder: Builder, u: int, params: dict[str, Any]) -> int:
    """One formula for u >= 0 and one for u <= 0, or one of exp(u)."""

    def side(name: str) -> int:
        p, q, s, d = (polynomial([Fraction(text) for text in params[name][k]]) for k in "PQSD")
        return builder.node("algebraic", (u,), Algebraic(p, q, s if q else (), d, params["of"] == "exp"))

    right, left = side("right"), side("left")
    if right == left:
        return right
    return builder.node("select", (builder.node("ge", (u, builder.number(0.0))), left, right))


def _argument(builder: Builder, names: dict[str, int], argument: Any) -> int:
    return names[argument] if argument in names else builder.number(real(argument, "argument"))
