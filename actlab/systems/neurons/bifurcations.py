"""Equilibria of a neuron along the current: saddle-nodes and Hopf points, a complete list, and how each bends."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from actlab.dynamics import all_roots
from actlab.systems.neurons.conductance import Neuron

Tensors = Callable[[float], tuple[np.ndarray, np.ndarray, np.ndarray]]
LARGEST = 4
"""Dimensions for which the Hurwitz determinant is written out."""


@dataclass(frozen=True)
class Bifurcation:
    """One bifurcation of equilibria.

    Attributes:
        kind: "saddle-node" or "Hopf".
        current: uA/cm^2.
        voltage: mV.
        frequency: of the oscillation that is born, Hz; 0 at a saddle-node.
        cubic: at a Hopf point the a of r' = a r^3, r the amplitude of the voltage in mV: 1/(ms mV^2). Positive:
            subcritical, the cycle is unstable; negative: supercritical. At a saddle-node the quadratic coefficient of
            the voltage along the critical direction, 1/(ms mV).
    """

    kind: Literal["saddle-node", "Hopf"]
    current: float
    voltage: float
    frequency: float
    cubic: float

    @property
    def subcritical(self) -> bool:
        """Of a Hopf point: whether its cycle is unstable."""
        return self.kind == "Hopf" and self.cubic > 0


def equilibria(neuron: Neuron, current: float) -> Float[np.ndarray, " equilibria"]:
    """The voltages, mV, of all equilibria at a current, uA/cm^2, ascending.

    Raises:
        RootError: two of them cannot be told apart: the current is at a saddle-node.
    """
    found = all_roots(lambda v: neuron.current(v) - current, *neuron.voltages, name=f"{neuron.name}: equilibrium")
    return found.points


def bifurcations(neuron: Neuron) -> tuple[Bifurcation, ...]:
    """All saddle-nodes and Hopf points along the current, by ascending current: none is missed.

    The current is explicit in the voltage of the equilibrium, so saddle-nodes are the roots of I'(V) and Hopf points
    roots of the Hurwitz determinant: functions of one number, whose roots interval bounds enumerate. Roots of the
    determinant without an imaginary pair (neutral saddles) are left out. In float64, x64 enabled or not.

    Raises:
        ValueError: no gate, or more than three.
        RootError: a bifurcation of higher codimension (a cusp, a Bogdanov-Takens point) lies at these parameters.

    Source: Kuznetsov 2004, Elements of Applied Bifurcation Theory, sections 3.2, 3.4 and 5.4.
    """
    with jax.enable_x64(True):
        tensors = _derivatives(neuron)
        folds = all_roots(neuron.current, *neuron.voltages, order=1, name=f"{neuron.name}: I'(V)").points
        found = [_saddle_node(neuron, tensors, float(v)) for v in folds]
        turning = all_roots(hurwitz(neuron), *neuron.voltages, name=f"{neuron.name}: Hurwitz determinant").points
        found += [h for h in (_hopf(neuron, tensors, float(v)) for v in turning) if h is not None]
    return tuple(sorted(found, key=lambda b: b.current))


def current_at(neuron: Neuron, bifurcation: Bifurcation) -> Any:
    """The current of a bifurcation as a function of the neuron's leaves, by the implicit function theorem.

    Args:
        neuron: the neuron, whose leaves may be traced; at the bifurcation's own parameters the value is its current.
        bifurcation: found at nearby, concrete parameters.
    """
    condition = jax.grad(neuron.current) if bifurcation.kind == "saddle-node" else hurwitz(neuron)
    voltage = jnp.asarray(bifurcation.voltage)
    slope = jax.lax.stop_gradient(jax.grad(condition)(voltage))
    moved = voltage - condition(voltage) / slope
    return neuron.current(moved)


def characteristic(neuron: Neuron) -> Callable[[Any], tuple[Any, ...]]:
    """V -> the coefficients a1 ... aN of the characteristic polynomial at the equilibrium of voltage V.

    lambda^N + a1 lambda^(N-1) + ... + aN. The gates do not see each other, so the Jacobian is an arrow.
    """
    count = len(neuron.gates)

    def coefficients(voltage: Any) -> tuple[Any, ...]:
        opened = neuron.at_rest(voltage)
        own = jax.grad(neuron.ionic)(voltage, opened) / neuron.capacitance
        others = tuple(
            jax.grad(lambda x, k=k: neuron.ionic(voltage, (*opened[:k], x, *opened[k + 1 :])))(opened[k])
            for k in range(count)
        )
        rates = [gate.rate(voltage) for gate in neuron.gates]
        couplings = [
            others[k] / neuron.capacitance * rates[k] * jax.grad(gate.steady)(voltage)
            for k, gate in enumerate(neuron.gates)
        ]
        total = _expanded([own, *rates])
        for k in range(count):
            partial = _expanded([r for j, r in enumerate(rates) if j != k])
            for power, value in enumerate(partial):
                total[power + 2] = total[power + 2] + couplings[k] * value
        return tuple(total[1:])

    return coefficients


def hurwitz(neuron: Neuron) -> Callable[[Any], Any]:
    """V -> the Hurwitz determinant of order N - 1, which vanishes where two eigenvalues sum to 0.

    Raises:
        ValueError: no gate, or more than three.
    """
    dimension = len(neuron.gates) + 1
    if not 2 <= dimension <= LARGEST:
        raise ValueError(f"hurwitz: {neuron.name} has {dimension - 1} gates; one to {LARGEST - 1} are supported")
    coefficients = characteristic(neuron)

    def determinant(voltage: Any) -> Any:
        a = coefficients(voltage)
        if dimension == 2:
            return a[0]
        if dimension == 3:
            return a[0] * a[1] - a[2]
        return a[0] * a[1] * a[2] - a[2] * a[2] - a[0] * a[0] * a[3]

    return determinant


def _expanded(shifts: list[Any]) -> list[Any]:
    """The coefficients of the product of (lambda + s), the highest first."""
    found: list[Any] = [1.0]
    for s in shifts:
        found = [a + b for a, b in zip([*found, 0.0], [0.0, *(s * v for v in found)], strict=True)]
    return found


def _saddle_node(neuron: Neuron, tensors: Tensors, voltage: float) -> Bifurcation:
    current = float(neuron.current(voltage))
    jacobian, quadratic, _ = tensors(voltage)
    right, left = _null(jacobian), _null(jacobian.T)
    right = right / right[0]  # the direction's voltage is the coordinate
    left = left / (left @ right)
    a = 0.5 * left @ np.einsum("ijk,j,k->i", quadratic, right, right)
    return Bifurcation("saddle-node", current, voltage, 0.0, float(a))


def _hopf(neuron: Neuron, tensors: Tensors, voltage: float) -> Bifurcation | None:
    current = float(neuron.current(voltage))
    A, B, C = tensors(voltage)
    values, vectors = (np.asarray(v, np.complex128) for v in np.linalg.eig(A))
    k = int(np.argmin(np.where(np.imag(values) > 0, np.abs(np.real(values)), np.inf)))
    omega = float(values[k].imag)
    if abs(values[k].real) > 1e-6 * abs(values[k]) or omega <= 0:
        return None  # the sum of two real eigenvalues vanishes: a neutral saddle
    q = vectors[:, k] / (2 * vectors[0, k])  # V = x for z = x + iy
    values, adjoint = np.linalg.eig(A.T)
    p = adjoint[:, int(np.argmin(np.abs(values - 1j * omega)))]
    p = p / (p @ q)
    bar, one = q.conj(), np.eye(len(A))

    def twice(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.einsum("ijk,j,k->i", B, u, v)

    cubic = np.einsum("ijkl,j,k,l->i", C, q, q, bar)
    cubic = cubic - 2 * twice(q, np.linalg.solve(A, twice(q, bar)))
    cubic = cubic + twice(bar, np.linalg.solve(2j * omega * one - A, twice(q, q)))
    return Bifurcation("Hopf", current, voltage, 1e3 * omega / (2 * np.pi), float((0.5 * p @ cubic).real))


def _derivatives(neuron: Neuron) -> Tensors:
    """Voltage -> first, second and third derivatives of the right-hand side at its equilibrium.

    Compiled once for all neurons that differ in numbers alone.
    """
    leaves, structure = jax.tree.flatten(neuron)
    numeric = [isinstance(leaf, int | float | np.ndarray | np.generic | Array) for leaf in leaves]
    numbers = [jnp.asarray(leaf, jnp.float64) for leaf, is_number in zip(leaves, numeric, strict=True) if is_number]
    rest = tuple(None if is_number else leaf for leaf, is_number in zip(leaves, numeric, strict=True))

    def tensors(voltage: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = _differentiated(structure, rest, numbers, jnp.asarray(voltage, jnp.float64))
        a, b, c = (np.asarray(v, np.float64) for v in found)
        return a, b, c

    return tensors


@functools.partial(jax.jit, static_argnums=(0, 1))
def _differentiated(structure: Any, rest: tuple[Any, ...], numbers: list[Array], voltage: Array) -> list[Array]:
    """The three derivatives; leaves of the neuron that are no numbers, functions, are static."""
    given = iter(numbers)
    neuron: Neuron = jax.tree.unflatten(structure, [next(given) if leaf is None else leaf for leaf in rest])
    first = jax.jacfwd(lambda y: neuron.field(0.0)(0.0, y))  # the current adds a constant
    second = jax.jacfwd(first)
    return [d(neuron.state(voltage)) for d in (first, second, jax.jacfwd(second))]


def _null(matrix: np.ndarray) -> np.ndarray:
    """The direction of the smallest singular value."""
    return np.linalg.svd(matrix)[2][-1]
