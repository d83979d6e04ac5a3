"""Toggle, rings, delayed repression: thresholds in closed form against simulation, and what slope bounds prove."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.circuits import (
    CircuitError,
    autoregulation,
    certificates,
    delay_hopf,
    feed_forward_loop,
    hill_curve,
    no_oscillation,
    reachable,
    repressilator,
    response,
    ring,
    ring_hopf,
    simulate,
    simulate_delayed,
    steady_state,
    toggle_switch,
    toggle_threshold,
)

pytestmark = pytest.mark.usefixtures("float64")


def test_hopf_points_of_the_ring_of_three():
    assert ring_hopf(3.0).value == pytest.approx(3.77976314968462, rel=1e-14)
    assert ring_hopf(4.0).value == pytest.approx(2.0, rel=1e-14)
    assert ring_hopf(4.0).omega == pytest.approx(np.sqrt(3), rel=1e-14)
    assert ring_hopf(2.0) is None
    with pytest.raises(ValueError, match="ring of 4"):
        ring_hopf(3.0, 4)


def test_eigenvalues_cross_at_the_hopf_points():
    for n, genes in ((3.0, 3), (2.0, 5)):
        hopf = ring_hopf(n, genes)
        circuit = ring(hill_curve(-1, n), genes, production=hopf.value)

        def rates(y, c=circuit):
            return jnp.stack(list(c.rates(dict(zip(c.names, y, strict=True))).values()))

        eigenvalues = np.linalg.eigvals(jax.jit(jax.jacfwd(rates))(jnp.full(genes, hopf.level)))
        top = eigenvalues[np.argmax(eigenvalues.real + 1e-9 * eigenvalues.imag)]
        assert top.real == pytest.approx(0, abs=1e-12)
        assert top.imag == pytest.approx(hopf.omega, rel=1e-12)


def test_rings_oscillate_above_the_threshold_and_rest_below():
    def swing(production):
        circuit = ring(hill_curve(-1, 3.0), production=production)
        z = simulate(circuit, None, jnp.linspace(0, 400, 8001), {"R1": 1.0, "R2": 1.3, "R3": 1.6}).levels["R1"]
        return jnp.ptp(z[-400:])

    below, above = jax.jit(jax.vmap(swing))(ring_hopf(3.0).value * jnp.asarray([0.9, 1.1]))
    assert float(below) < 1e-6
    assert float(above) > 0.3


def test_the_repressilator_oscillates():
    times = jnp.linspace(0, 200, 20001)
    found = jax.jit(lambda: simulate(repressilator(), None, times, {"lacI mRNA": 1.0, "tetR": 5.0}).levels)()
    assert set(found) == {"lacI", "tetR", "cI", "lacI mRNA", "tetR mRNA", "cI mRNA"}
    late = np.asarray(found["cI"][-8000:])
    assert late.max() > 10 * late.min()


def test_slope_bounds_prove_rest_up_to_the_secant_condition():
    """Proved while production times the steepest slope, 0.84 for n = 3, is below 2; the Hopf point lies at 3.78."""
    verdicts = {a: no_oscillation(ring(hill_curve(-1, 3.0), production=a)) for a in (0.5, 2.0, 2.38, 2.39, 20.0)}
    assert [v.holds for v in verdicts.values()] == [True, True, True, False, False]
    assert verdicts[2.38].gain < verdicts[2.38].limit == pytest.approx(8)
    assert "secant condition" in verdicts[2.39].because
    small = no_oscillation(ring(hill_curve(-1, 2.0), production=1.2))
    assert small.holds
    assert small.limit == 1


def test_the_box_holds_trajectories():
    circuit = ring(hill_curve(-1, 3.0), production=5.0, basal=0.1)
    box = reachable(circuit, {})
    ends = simulate(circuit, None, jnp.linspace(0, 100, 4001), {"R1": 30.0, "R2": 0.0}).levels
    for name, level in ends.items():
        assert box[name].lower <= float(level[2000:].min())
        assert float(level[2000:].max()) <= box[name].upper
    assert box["R1"].upper < 5.1


def test_tightening_stops_where_nothing_moves(monkeypatch):
    seen = []
    monkeypatch.setattr(certificates, "_values", lambda *a, f=certificates._values: seen.append(a) or f(*a))
    box = reachable(feed_forward_loop("I1"), {"X": 1.0})
    assert len(seen) <= 3 * 5  # three regulations; from an input on, a round settles a gene
    assert box["Z"].width < 1e-9


def test_verdicts_on_other_graphs():
    loop = no_oscillation(feed_forward_loop("I1"), {"X": 1.0})
    assert loop.holds
    assert loop.gain == pytest.approx(0, abs=1e-9)  # no cycle, no feedback gain
    assert not no_oscillation(toggle_switch(production=4.0)).holds  # two stable states
    assert no_oscillation(toggle_switch(production=1.5)).holds
    with pytest.raises(CircuitError, match="proteins alone"):
        no_oscillation(repressilator())
    logistic = no_oscillation(ring(response(al.sigmoid, 1.2, repression=True), production=1.0, basal=0.5))
    assert logistic.holds


def test_delayed_repression_starts_to_oscillate_where_it_must():
    """y' = production rep(y(t-d)) - y with n = 4: level 1 at production 2, slope -2."""
    d, omega = delay_hopf(-2.0)
    assert np.tan(omega * d) == pytest.approx(-omega, rel=1e-12)
    assert delay_hopf(-1.0) is None

    def swing(delay):
        circuit = autoregulation(hill_curve(-1, 4.0), production=2.0, delay=delay)
        late = simulate_delayed(circuit, None, delay / 40, 8000, {"Y": 1.2}).levels["Y"][-800:]
        return float(late.max() - late.min())

    assert swing(0.9 * d) < 1e-4
    assert swing(1.1 * d) > 0.2
    assert no_oscillation(autoregulation(hill_curve(-1, 2.0), production=1.2, delay=50.0)).holds  # whatever the delay


def test_toggle_has_two_stable_states_above_its_threshold():
    assert toggle_threshold(2.0) == pytest.approx(2.0)
    assert toggle_threshold(1.0) is None
    starts = {"U": jnp.asarray([3.0, 0.0]), "V": jnp.asarray([0.0, 3.0])}

    @jax.jit
    def distance(production):
        def end(start):
            return simulate(toggle_switch(production=production), None, jnp.linspace(0, 200, 2001), start).levels["U"][
                -1
            ]

        return jnp.abs(jnp.diff(jax.vmap(end)(starts))[0])

    assert float(distance(1.8)) < 0.01
    assert float(distance(2.2)) > 0.3
    high = jax.jit(lambda: steady_state(toggle_switch(production=4.0), None, {"U": 4.0, "V": 0.1}))()
    np.testing.assert_allclose([high["U"], high["V"]], [2 + np.sqrt(3), 2 - np.sqrt(3)], rtol=1e-12)


def test_negative_autoregulation_is_faster_than_simple_regulation():
    circuit = autoregulation(hill_curve(-1, 2.0, 0.1), production=1.0)
    times = jnp.linspace(0, 1, 2001)

    @jax.jit
    def half_time():
        rest = steady_state(circuit, None, {"Y": 0.2})["Y"]
        return times[jnp.argmax(simulate(circuit, None, times).levels["Y"] > rest / 2)]

    half = float(half_time())
    assert half < 0.3 * np.log(2)
