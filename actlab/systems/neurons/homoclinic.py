"""Homoclinic currents: where the orbit that leaves a saddle comes back to it, and a cycle is born or ends there."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import root_scalar

from actlab.dynamics import CycleError
from actlab.systems.neurons.bifurcations import equilibria
from actlab.systems.neurons.conductance import Neuron
from actlab.systems.neurons.invariant_circle import RISE, rises

AWAY = 1e-4
"""mV from the saddle at which the orbit starts: it is within the square of this of the unstable manifold."""
MARGIN = 1e-6
"""mV around the voltages of a saddle at two currents, for what rounding does to a current between."""


@dataclass(frozen=True)
class Homoclinic:
    """A homoclinic orbit of a saddle.

    Attributes:
        current: uA/cm^2.
        error: of the current, from the same search with steps twice as long, uA/cm^2.
        voltage: of the saddle, mV.
        unstable: its positive eigenvalue, 1/ms: near the orbit a cycle's period is -ln|I - current| / unstable + const.
        saddle_quantity: the sum of the positive eigenvalue and the largest negative one, 1/ms; where it is negative the
            cycle that ends here is stable.
    """

    current: float
    error: float
    voltage: float
    unstable: float
    saddle_quantity: float


def homoclinic(
    neuron: Neuron, low: float, high: float, *, step: float = 0.02, duration: float = 1000.0, tolerance: float = 1e-10
) -> Homoclinic:
    """The current at which the orbit that leaves the saddle depolarizing returns to it.

    On one side the orbit fires again and again, on the other it fires once and comes to rest: bisection on which. The
    answer is sharp, since what is a little off the saddle leaves it exponentially.

    Args:
        neuron: all of its leaves numbers.
        low: uA/cm^2; here and at `high` there are three equilibria, the middle one a saddle with one way out.
        high: uA/cm^2, on the other side; which of the two is larger does not matter.
        step: of the integration, ms.
        duration: ms that an orbit is watched.
        tolerance: uA/cm^2, to which the current is found, up to the integration's error.

    Raises:
        CycleError: no such saddle, or the orbit does the same at both ends.

    Source: Kuznetsov 2004, Elements of Applied Bifurcation Theory, section 6.2.
    """
    with jax.enable_x64(True):
        saddle = _Saddle(neuron, low, high)
        search = functools.partial(_search, saddle, low, high, duration, tolerance)
        current, coarse = search(step), search(2 * step)
        voltage, values, _ = saddle.at(current)
    error = abs(current - coarse) / 15  # of order four: it falls by 16
    return Homoclinic(current, error, voltage, float(values[0]), float(values[0] + values[1]))


def _search(saddle: _Saddle, low: float, high: float, duration: float, tolerance: float, step: float) -> float:
    def fires(current: float) -> bool:
        neuron, (voltage, _, out) = saddle.neuron, saddle.at(current)
        start = neuron.state(jnp.asarray(voltage, jnp.float64)) + AWAY * out
        return bool(rises(neuron, jnp.asarray(current), start, voltage + RISE, step, round(duration / step)) > 1)

    at_low, at_high = fires(low), fires(high)
    if at_low == at_high:
        does = "fires on" if at_low else "comes to rest"
        raise CycleError(
            f"homoclinic: the orbit that leaves the saddle of {saddle.neuron.name} {does} at {low:g} uA/cm^2 and at "
            f"{high:g}: give currents on two sides of the homoclinic orbit"
        )
    while abs(high - low) > tolerance:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if fires(middle) == at_low else (low, middle)
    return 0.5 * (low + high)


class _Saddle:
    """The saddle of a neuron between two currents."""

    def __init__(self, neuron: Neuron, low: float, high: float):
        self.neuron = neuron
        self._ends = self._middle(low), self._middle(high)

    def at(self, current: float) -> tuple[float, np.ndarray, np.ndarray]:
        """Its voltage, its eigenvalues by falling real part, and the way out along which the voltage rises by 1."""

        def excess(v: float) -> float:
            return float(_current(self.neuron, jnp.asarray(v, jnp.float64))) - current

        low, high = min(self._ends) - MARGIN, max(self._ends) + MARGIN
        voltage = float(root_scalar(excess, bracket=(low, high), xtol=1e-12).root)
        state = self.neuron.state(jnp.asarray(voltage, jnp.float64))
        found = np.linalg.eig(np.asarray(_jacobian(self.neuron, jnp.asarray(current), state)))
        values, vectors = np.real(found.eigenvalues), np.real(found.eigenvectors)
        order = np.argsort(-values)
        if not values[order[0]] > 0 > values[order[1]]:
            raise CycleError(f"homoclinic: {self.neuron.name} has no saddle at {voltage:.6g} mV, {current:g} uA/cm^2")
        out = vectors[:, order[0]]
        return voltage, values[order], out / out[0]

    def _middle(self, current: float) -> float:
        rest = equilibria(self.neuron, current)
        if len(rest) != 3:
            raise CycleError(
                f"homoclinic: {self.neuron.name} has {len(rest)} equilibria at {current:g} uA/cm^2 where a saddle "
                "between two others is needed; give currents between its saddle-nodes, of `bifurcations`"
            )
        return float(rest[1])


@jax.jit
def _current(neuron: Neuron, voltage: Array) -> Array:
    return neuron.current(voltage)


@jax.jit
def _jacobian(neuron: Neuron, current: Array, state: Array) -> Array:
    return jax.jacfwd(lambda y: neuron.field(current)(0.0, y))(state)
