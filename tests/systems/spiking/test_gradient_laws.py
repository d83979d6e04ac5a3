"""The laws of surrogate gradients against the reference table, Monte Carlo and measured explosions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.spiking import (
    LIF,
    RESETS,
    SHAPES,
    SpikingError,
    carried_slope,
    convergence_order,
    critical_beta,
    critical_peak,
    gaussian_moments,
    largest_factor,
    limit_moments,
    surrogate,
)

DENSITY = 0.3989422804014327
# E h and E h^2/beta of the sigmoid's of area 1, beta E h of SuperSpike: measured on 4e6 samples of N(0, 1).
TABLE = {
    1.0: (0.2066, 0.0449, 0.413),
    5.0: (0.3759, 0.0649, 0.658),
    25.0: (0.3977, 0.0664, 0.762),
    100.0: (0.3985, 0.0664, 0.788),
}


def test_the_reference_table():
    for beta, (mean, second, vanishing) in TABLE.items():
        found = gaussian_moments(surrogate("sigmoid", beta))
        np.testing.assert_allclose([found.mean, found.second / beta], [mean, second], rtol=2e-3)
        np.testing.assert_allclose(beta * gaussian_moments(surrogate("superspike", beta)).mean, vanishing, rtol=2e-3)


@pytest.mark.parametrize("name", [n for n in SHAPES if n != "straight_through"])
def test_limits_and_how_fast_they_are_reached(name):
    """Mean: area p(0); second moment: integral of h^2 times p(0); the order in 1/beta as the tail's exponent says."""
    betas = (50.0, 100.0, 200.0)
    made = [surrogate(name, b) for b in betas]
    found, limits = [gaussian_moments(s) for s in made], [limit_moments(s.shape_facts, DENSITY) for s in made]
    errors = [1 - f.mean / limit.mean for f, limit in zip(found, limits, strict=True)]
    np.testing.assert_allclose(found[-1].second, limits[-1].second, rtol=1e-3)
    orders = -np.diff(np.log(errors)) / np.log(2)
    assert orders[-1] == pytest.approx(convergence_order(made[0].shape_facts), abs=0.12)
    assert abs(errors[-1]) < (2e-2 if convergence_order(made[0].shape_facts) < 2 else 1e-3)


def test_moments_of_shifted_potentials_against_monte_carlo():
    u = 0.7 * jax.random.normal(jax.random.key(0), (400_000,)) - 0.4
    for name in ("arctan", "rectangular", "triangle", "hyperbolic"):
        s = surrogate(name, 3.0)
        found = gaussian_moments(s, -0.4, 0.7)
        h = np.asarray(jax.jit(s.evaluate)(u), np.float64)
        np.testing.assert_allclose([h.mean(), (h**2).mean()], [found.mean, found.second], rtol=6e-3)
    with pytest.raises(SpikingError, match="deviation = 0"):
        gaussian_moments(surrogate("arctan"), 0.0, 0.0)


@pytest.mark.parametrize("reset", RESETS)
def test_the_largest_factor_bounds_every_step(reset):
    """|d carried/du| on a dense grid of potentials, for every shape and a steep and a flat slope; nearly attained."""
    u = jnp.concatenate(
        [jnp.linspace(-4.0, 6.0, 20_001), 1 + jnp.geomspace(1e-6, 1, 500), 1 - jnp.geomspace(1e-6, 1, 500)]
    )
    names = [n for n in SHAPES if n != "straight_through" or reset != "zero"]
    neurons = [
        LIF(surrogate=surrogate(n, b), reset_gradient=1.0, reset=reset, decay=0.9) for n in names for b in (1.5, 40.0)
    ]
    slopes = jax.jit(lambda u: [jnp.max(jnp.abs(carried_slope(n, u))) for n in neurons])(u)
    for neuron, slope in zip(neurons, slopes, strict=True):
        bound = float(largest_factor(neuron))
        assert slope <= bound * (1 + 1e-5)
        if reset != "zero" and neuron.surrogate.name != "straight_through":
            assert slope >= 0.98 * bound


def test_critical_beta():
    """4 (1 + decay)/theta for the sigmoid; beyond it, and only beyond it, one step can amplify."""
    neuron = LIF(reset_gradient=1.0, decay=0.9, surrogate=surrogate("sigmoid", 1.0))
    assert critical_beta(neuron) == pytest.approx(7.6)
    assert critical_peak(LIF(decay=0.5, reset="subtract and decay")) == pytest.approx(3.0)
    for beta, grows in ((7.5, False), (7.7, True)):
        steep = LIF(reset_gradient=1.0, decay=0.9, surrogate=surrogate("sigmoid", beta))
        assert (float(largest_factor(steep)) > 1) == grows
    assert critical_beta(LIF(surrogate=surrogate("superspike"))) == np.inf  # peak 1 <= 1.9: at no beta
    assert float(largest_factor(LIF(surrogate=surrogate("sigmoid", 100.0)), attached=False)) == pytest.approx(0.9)
    with pytest.raises(SpikingError, match="zero"):
        critical_peak(LIF(reset="zero"))
