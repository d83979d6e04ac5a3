"""The standard test in small: sigmoid is the Boltzmann curve of the published neuron, what is no gate is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab import systems
from actlab.systems.neurons import bifurcations, gate_curve, morris_lecar
from actlab.systems.neurons.evaluation import SNIC_SET, Settings, evaluate

TINY = Settings(duration=1500.0, step=0.1, currents=9, refinements=1)


def test_what_is_measured_of_a_sigmoid():
    found = evaluate("sigmoid", (0,), TINY)
    by_name = {m.name: m for m in found.measurements}
    assert all(np.all(np.isfinite(m.values)) and m.seeds == (0,) for m in found.measurements)
    assert by_name["Hopf set: class I, from rate 0"].mean == 0
    assert by_name["SNIC set: class I, from rate 0"].mean == 1
    assert by_name["SNIC set: width of the bistable range below it"].mean == 0
    assert 4 < by_name["Hopf set: width of the bistable range below it"].mean < 7  # 5.56 at published parameters
    assert by_name["Hopf set: rate 0.1 uA/cm^2 above it"].mean > 7
    assert by_name["SNIC set: rate 0.1 uA/cm^2 above it"].mean < 3
    hopf, snic = found.notes[1:]
    assert "subcritical Hopf at 93.8576; subcritical Hopf at 212.019" in hopf
    assert "class I, firing starts from rate 0. In uA/cm^2: saddle-node at -9.94904; saddle-node at 39.9632" in snic
    assert found.curves[0].values.shape == (1, 9)
    assert systems.load("neurons").name == "neurons"


def test_the_curve_of_tanh_is_boltzmanns(float64):
    voltage = jnp.linspace(-100.0, 100.0, 41)
    for falling in (al.tanh, al.negate(al.tanh), al.affine(al.sigmoid, scale=3.0, shift=-1.0, input_shift=0.7)):
        curve = gate_curve(falling, V_half=-20.0, k=15.0)
        np.testing.assert_allclose(curve(voltage), al.boltzmann(voltage, V_half=-20.0, k=15.0), rtol=1e-9, atol=1e-12)


def test_the_shape_of_the_curve_decides_the_class():
    # With the tails of arctan rest ends in a Hopf point before the saddle-node is reached: class II instead of I.
    fast, slow = gate_curve(al.arctan, -1.2, 9.0), gate_curve(al.arctan, SNIC_SET["V3"], SNIC_SET["V4"] / 2)
    found = bifurcations(morris_lecar(**SNIC_SET, fast=fast, slow=slow))
    assert [b.kind for b in found] == ["saddle-node", "Hopf", "saddle-node", "Hopf"]
    assert min(found, key=lambda b: b.voltage).current == pytest.approx(39.09991, abs=1e-5)


def test_what_is_no_gate_is_refused():
    for name, missing in (("relu", "a bounded range"), ("hard_sigmoid", "smoothness >= 3"), ("sin", "nondecreasing")):
        with pytest.raises(al.FactError, match=rf"a gate opens smoothly.*{missing}.*What would do"):
            gate_curve(al.as_activation(name), 0.0, 10.0)
    constant = al.affine(al.tanh, scale=0.0)
    with pytest.raises(al.FactError):
        gate_curve(constant, 0.0, 10.0)
