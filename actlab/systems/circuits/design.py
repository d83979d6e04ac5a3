"""Design and inference by gradients: parameters of a circuit that give a wanted pulse, or that fit measured levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.dynamics import Fit, least_squares
from actlab.systems.circuits.circuit import Circuit
from actlab.systems.circuits.measures import Pulse, pulse
from actlab.systems.circuits.motifs import feed_forward_loop
from actlab.systems.circuits.simulation import simulate

STEEPEST = 8.0
"""Hill coefficients of designs lie between 1 and this."""


def decoded(unknowns: Float[Array, "4"]) -> dict[str, Any]:
    """The loop's parameters from four real numbers: ln K_xy, ln K_xz, ln K_yz and a logit of n in (1, 8)."""
    K = jnp.exp(unknowns[:3])
    return {"K_xy": K[0], "K_xz": K[1], "K_yz": K[2], "n": 1 + (STEEPEST - 1) * jax.nn.sigmoid(unknowns[3])}


def encoded(n: Any, K_xy: Any, K_xz: Any, K_yz: Any) -> Array:
    """The inverse of `decoded`."""
    logs = [jnp.log(jnp.asarray(K)) for K in (K_xy, K_xz, K_yz)]
    return jnp.stack([*logs, jax.scipy.special.logit((jnp.asarray(n) - 1) / (STEEPEST - 1))])


def random_start(key: Array, dtype: Any = jnp.float32) -> Array:
    """Unknowns of a random loop: K log-uniform in [0.05, 1], n uniform in [1.5, 4]."""
    of_K, of_n = jax.random.split(key)
    low, high = jnp.log(jnp.asarray([0.05, 1.0], dtype))
    K = jnp.exp(jax.random.uniform(of_K, (3,), dtype, low, high))
    return encoded(jax.random.uniform(of_n, (), dtype, 1.5, 4.0), K[0], K[1], K[2])


def design_times(end: float = 12.0, steps: int = 400, dtype: Any = jnp.float32) -> Array:
    """Steps that grow in proportion to the root of time: fine where a fast pulse is."""
    return end * jnp.square(jnp.linspace(0, 1, steps + 1, dtype=dtype))


class Design(NamedTuple):
    """A loop I1 designed for a pulse.

    Attributes:
        parameters: n, K_xy, K_xz, K_yz.
        pulse: what it does.
        error: the larger of the relative errors of peak time and overshoot.
    """

    parameters: dict[str, Any]
    pulse: Pulse
    error: Array


def design_pulse(
    start: Float[Array, "4"], peak_time: Any, overshoot: Any, times: Float[Array, " times"], iterations: int = 60
) -> Design:
    """An I1 loop whose Z peaks at a wanted time, so many times above its steady level, after a step of X from 0 to 1.

    Both depend on Y's level over K_yz and on n alone, so a design is one of many: the nearest that the search meets.

    Args:
        start: unknowns, as of `random_start`.
        peak_time: wanted, in units of 1/removal.
        overshoot: wanted height over steady level, above 1.
        times: the steps of the integration.
        iterations: of least squares, on the logarithms of both.
    """
    wanted = jnp.log(jnp.stack([jnp.asarray(v, start.dtype) for v in (peak_time, overshoot)]))

    def made(x: Array) -> Pulse:
        return pulse(feed_forward_loop("I1", **decoded(x)), {"X": jnp.ones((), x.dtype)}, times)

    def residual(x: Array) -> Array:
        p = made(x)
        return jnp.log(jnp.stack([p.peak_time, p.overshoot])) - wanted

    fit = least_squares(residual, start, iterations)
    return Design(decoded(fit.x), made(fit.x), jnp.max(jnp.abs(jnp.expm1(fit.residual))))


def infer(
    circuit_of: Callable[[Array], Circuit],
    start: Float[Array, " unknowns"],
    inputs: dict[str, Any],
    times: Float[Array, " times"],
    observed: Float[Array, " times"],
    gene: str = "Z",
    iterations: int = 60,
) -> Fit:
    """Parameters whose trajectory of a gene is nearest to measured levels in the least-squares sense.

    Args:
        circuit_of: unknowns -> circuit, differentiable.
        start: unknowns.
        inputs: concentrations from outside.
        times: of the measurements and of the steps.
        observed: levels there.
        gene: measured.
        iterations: of least squares.
    """
    return least_squares(lambda x: simulate(circuit_of(x), inputs, times).levels[gene] - observed, start, iterations)
