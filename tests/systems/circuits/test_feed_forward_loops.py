"""Feed-forward loops against the reference table, the exact law of adaptation, and the logic of the eight kinds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp, mpf, quad

import actlab.activations as al
from actlab.systems.circuits import (
    LOOPS,
    CircuitError,
    Gene,
    Regulation,
    adaptation,
    circuit,
    feed_forward_loop,
    half_way_time,
    kind,
    log_gain,
    log_sensitivities,
    loop_log_gain,
    loop_log_gain_bounds,
    pulse,
    simulate,
    steady_state,
    sweep,
)

# Quadrature and DOP853 at 1e-13 agree on these: K_xy, K_xz, K_yz -> peak time, height, rest, half time.
REFERENCE = {
    (0.1, 0.1, 0.1): (0.339674692400, 0.10843436540036, 0.00999801029696, 0.00506602659159),
    (0.1, 0.1, 0.3): (0.703750593936, 0.26187625408888, 0.08325632047364, 0.0432440748804),
    (1.0, 1.0, 0.5): (1.814644429249, 0.29398908568193, 0.25, 0.295986414309),
}
OVERSHOOT, SPEED_UP = (10.84559449, 3.145421904, 1.175956343), (136.8, 16.03, 2.342)


def grid(end=6.0, steps=6000):
    """Fine where a fast loop is: steps grow with the root of time."""
    return end * jnp.linspace(0, 1, steps + 1) ** 2


def stacked(loop_of, rows):
    """One circuit with a leading axis on every leaf."""
    return jax.tree.map(lambda *v: jnp.stack([jnp.asarray(x) for x in v]), *(loop_of(*row) for row in rows))


def incoherent(K_xy, K_xz, K_yz, n=2.0):
    return feed_forward_loop("I1", n=n, K_xy=K_xy, K_xz=K_xz, K_yz=K_yz)


@pytest.fixture(scope="module")
def pulses():
    with jax.enable_x64(True):
        loops = stacked(incoherent, REFERENCE)
        yield jax.jit(jax.vmap(lambda c: pulse(c, {"X": 1.0}, grid())))(loops)


def test_reference_table_to_ten_digits(pulses, float64):
    found = np.stack([pulses.peak_time, pulses.height, pulses.steady, pulses.half_time], axis=1)
    np.testing.assert_allclose(found, list(REFERENCE.values()), rtol=0, atol=1e-10)
    np.testing.assert_allclose(pulses.overshoot, OVERSHOOT, rtol=1e-9)
    np.testing.assert_allclose(pulses.acceleration(), SPEED_UP, rtol=3e-4)


def test_the_table_by_quadrature(pulses):
    """Y in closed form, Z as an integral: no integrator of ours."""
    mp.dps = 30
    K_xy, K_xz, K_yz = (mpf(v) for v in ("0.1", "0.1", "0.3"))
    y_rest, z_max = 1 / (1 + K_xy**2), 1 / (1 + K_xz**2)
    t = mpf(float(pulses.peak_time[1]))
    at_peak = z_max * quad(
        lambda s: mp.exp(s - t) / (1 + (y_rest * (1 - mp.exp(-s)) / K_yz) ** 2), [0, t / 4, t / 2, t]
    )
    assert float(at_peak) == pytest.approx(float(pulses.height[1]), abs=1e-12)


def test_an_adaptive_solver_agrees(float64):
    loop, times = incoherent(0.1, 0.1, 0.3), jnp.asarray([0.0, 0.703750593936])
    z = jax.jit(lambda: simulate(loop, {"X": 1.0}, times, solver="dopri8", rtol=1e-13, atol=1e-13).levels["Z"][-1])()
    np.testing.assert_allclose(z, 0.26187625408888, atol=1e-11)


def test_back_to_basal_is_a_limit_and_not_a_fact(pulses, float64):
    assert float(pulses.steady.min()) > 0.009  # basal is 0
    steady = [float(steady_state(incoherent(0.1, 0.1, K), {"X": 1.0})["Z"]) for K in (1e-2, 1e-4, 1e-6)]
    assert steady[0] > steady[1] > steady[2] > 0
    assert steady[2] < 1e-11


def test_adaptation_to_a_step_as_measured(float64):
    rows = [(1.0, 1.0, 0.5, 2.0), (5.0, 5.0, 0.05, 2.0), (10.0, 10.0, 0.005, 1.0)]
    found = jax.jit(jax.vmap(lambda c: adaptation(c, "X", (0.5, 0.6), grid(20.0, 2000))))(stacked(incoherent, rows))
    np.testing.assert_allclose(found.sensitivity, [1.0449, 1.894, 0.349], rtol=1e-3)
    np.testing.assert_allclose(found.precision, [1.0041, 0.528, 13.06], rtol=1e-3)


def test_exact_law_of_adaptation(float64):
    rng = np.random.default_rng(0)
    rows = [tuple(rng.uniform(0.05, 2.0, 3)) + (rng.uniform(1, 4),) for _ in range(24)]
    X = jnp.asarray(rng.uniform(0.1, 3.0, 24))

    def gains(c, X, n):
        y, z = c.gene("Y"), c.gene("Z")
        a_z, a_y = z.regulations[0].curve(X), y.regulations[0].curve(X)
        R = 1 - z.regulations[1].curve(steady_state(c, {"X": X})["Y"])
        return jnp.stack([log_gain(c, {"X": X}, "X", "Z"), loop_log_gain(c, X), n * (1 - a_z) - n * R * n * (1 - a_y)])

    n = jnp.asarray([row[3] for row in rows])
    by_autodiff, by_gains, by_law = jax.jit(jax.vmap(gains))(stacked(incoherent, rows), X, n).T
    np.testing.assert_allclose(by_gains, by_law, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(by_autodiff, by_law, rtol=1e-10, atol=1e-12)
    for gain, row in zip(by_law, rows, strict=True):
        assert bool(loop_log_gain_bounds(incoherent(*(float(v) for v in row))).contains(float(gain)))


def test_perfect_adaptation_in_the_limit_and_over_correction_with_n_of_two(float64):
    gains = [float(loop_log_gain(incoherent(K, K, 1 / K**2, n=1.0), 1.0)) for K in (1e2, 1e3, 1e4)]
    assert gains[0] > 5 * gains[1] > 25 * gains[2] > 0
    assert gains[2] < 1e-3
    assert float(loop_log_gain(incoherent(1e2, 1e2, 1e-7, n=2.0), 1.0)) == pytest.approx(-2, abs=1e-2)
    bounds = loop_log_gain_bounds(incoherent(1.0, 1.0, 1.0, n=2.0))
    assert (bounds.lower, bounds.upper) == pytest.approx((-4, 2))


def test_fold_change_detection_in_the_limit(float64):
    """X -> cX gives the same Z(t) as K_xy, K_xz >> X and Y >> K_yz."""
    times = grid(8.0, 800)

    def difference(K, c):
        loop = incoherent(K, K, 1e-3 / K, n=1.0)

        def response(scale):
            rest = steady_state(loop, {"X": scale})
            return simulate(loop, {"X": 3 * scale}, times, rest).levels["Z"] / rest["Z"]

        return jnp.max(jnp.abs(response(c) - response(1.0)))

    far = jax.jit(jax.vmap(difference, (0, None)))(jnp.asarray([10.0, 100.0, 1000.0]), 2.0)
    assert float(far[0]) > 3 * float(far[1]) > 9 * float(far[2])
    assert float(far[2]) < 0.01


def test_eight_kinds_by_sign():
    for name, signs in LOOPS.items():
        loop = feed_forward_loop(name)
        assert kind(loop) == name
        assert loop.signs == dict(zip((("X", "Y"), ("Y", "Z"), ("X", "Z")), signs, strict=True))
        assert (name[0] == "C") == (signs[0] * signs[1] == signs[2])


def test_sign_sensitive_delay_and_acceleration(float64):
    """Half-way times over ln 2 of simple regulation, on a step up and a step down of X, AND and OR gates.

    Mangan & Alon 2003: C1 with AND delays the step up alone, with OR the step down alone; I1 with AND accelerates it.
    """
    times = grid(12.0, 400)

    def ratios(name, gate):
        loop = feed_forward_loop(name, gate=gate, n=4.0, K_yz=0.5)
        found = jax.jit(lambda c: [half_way_time(c, "X", s, times) for s in ((1e-3, 10.0), (10.0, 1e-3))])(loop)
        return np.asarray(found) / np.log(2)

    up, down = ratios("C1", "and")
    assert up > 1.5
    assert down == pytest.approx(1, abs=0.02)
    up, down = ratios("C1", "or")
    assert up == pytest.approx(1, abs=0.02)
    assert down > 1.5
    up, down = ratios("I1", "and")
    assert up < 0.3
    assert down == pytest.approx(1, abs=0.02)


def test_log_sensitivities_are_those_of_differences(float64):
    def height(c):
        z = simulate(c, {"X": 1.0}, grid(3.0, 300)).levels["Z"]
        return jnp.max(z)

    loop = incoherent(0.1, 0.1, 0.3)
    found = jax.jit(lambda: log_sensitivities(height, loop))()
    K = found.gene("Z").regulations[1].curve.parameters["K"]
    of_K = jax.jit(jax.vmap(lambda K: height(incoherent(0.1, 0.1, K))))
    up, down = of_K(0.3 * jnp.asarray([1 + 1e-4, 1 - 1e-4]))
    np.testing.assert_allclose(K, (jnp.log(up) - jnp.log(down)) / 2e-4, rtol=1e-5)
    assert float(found.gene("Z").production) == pytest.approx(1, abs=1e-10)  # Z is proportional to it


def test_a_sweep_of_many_loops_agrees_with_one():
    K_xy, K_xz, K_yz = jnp.asarray(np.array(list(REFERENCE)).T, jnp.float32)
    found = sweep({"n": jnp.full(3, 2.0), "K_xy": K_xy, "K_xz": K_xz, "K_yz": K_yz}, block=2)
    time, height, rest, _ = np.array(list(REFERENCE.values())).T
    np.testing.assert_allclose(found.height, height, rtol=1e-5)
    np.testing.assert_allclose(found.peak_time, time, rtol=1e-4)
    np.testing.assert_allclose(found.final, rest, rtol=2e-5)


def test_circuits_that_do_not_hang_together_are_refused():
    up = al.hill
    with pytest.raises(CircuitError, match="regulated by 'W', which is neither"):
        circuit(Gene("Y", (Regulation("W", up),)))
    with pytest.raises(CircuitError, match="given twice"):
        circuit(Gene("Y"), Gene("Y"))
    with pytest.raises(al.FactError, match="values in"):
        circuit(Gene("Y", (Regulation("X", al.softplus),)), inputs=("X",))
    with pytest.raises(CircuitError, match=r"inputs given: \[\]; the circuit's are: \['X'\]"):
        simulate(feed_forward_loop("C1"), None, jnp.linspace(0, 1, 3))
    with pytest.raises(CircuitError, match="start of 'W'"):
        simulate(feed_forward_loop("C1"), {"X": 1.0}, jnp.linspace(0, 1, 3), {"W": 1.0})
