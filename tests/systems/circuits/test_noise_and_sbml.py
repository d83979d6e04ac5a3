"""Circuits as reactions against closed laws; exported text against the equations that it stands for."""

import math
from xml.etree import ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.dynamics import linear_noise, ssa
from actlab.systems.circuits import (
    CircuitError,
    autoregulation,
    birth_death_law,
    burst_fano,
    fano,
    feed_forward_loop,
    hill_curve,
    reactions_of,
    repressilator,
    response,
    ring,
    to_sbml,
    toggle_switch,
    transcription_translation,
)
from actlab.systems.circuits.sbml import MATHML, NAMESPACE


def test_autoregulated_gene_has_the_exact_law_of_its_births_and_deaths():
    circuit, volume, runs = autoregulation(hill_curve(-1, 2.0, 0.5), production=1.0), 20.0, 20_000
    reactions = reactions_of(circuit, volume=volume)
    found = jax.jit(lambda k: ssa(k, reactions, {"Y": 5}, jnp.asarray([12.0]), runs))(jax.random.key(0))
    counts = np.asarray(found.counts["Y"][0]).astype(int)
    k = np.arange(41)
    births = np.asarray(reactions.rates({"Y": jnp.asarray(k, jnp.float32)})[0])
    law = birth_death_law(births, k.astype(float))
    observed = np.bincount(counts, minlength=41)[:41]
    good = runs * law > 20
    chi2 = np.sum((observed[good] - runs * law[good]) ** 2 / (runs * law[good]))
    assert chi2 < good.sum() + 3.1 * np.sqrt(2 * good.sum())  # p = 0.001
    assert np.var(counts) < 0.8 * np.mean(counts)  # quieter than Poisson
    predicted = jax.jit(lambda: linear_noise(reactions, {"Y": 8.0}).fano("Y"))()
    exact = (law * (k - (law * k).sum()) ** 2).sum() / (law * k).sum()
    assert float(predicted) == pytest.approx(exact, rel=0.05)


def test_bursts():
    gene = transcription_translation(2.0, 4.0, 20.0, 0.5)
    predicted = jax.jit(lambda: linear_noise(gene, {"M": 1.0, "P": 10.0}).fano("P"))()
    assert float(predicted) == pytest.approx(burst_fano(4.0, 20.0, 0.5), rel=1e-5)
    runs = jax.jit(lambda k: ssa(k, gene, {"M": 0, "P": 20}, jnp.asarray([12.0]), 4000))(jax.random.key(1))
    assert float(fano(runs.counts["P"])[0]) == pytest.approx(burst_fano(4.0, 20.0, 0.5), rel=0.12)


def test_the_toggle_switches_between_two_states():
    reactions = reactions_of(toggle_switch(production=4.0), volume=10.0)
    found = jax.jit(lambda k: ssa(k, reactions, {"U": 10, "V": 10}, jnp.asarray([15.0]), 2000))(jax.random.key(2))
    u, v = (np.asarray(found.counts[name][0]) for name in ("U", "V"))
    apart = np.abs(u - v) > 15
    assert apart.mean() > 0.8
    assert 0.4 < (u > v)[apart].mean() < 0.6


def evaluate(element, names):
    """A MathML expression's value."""
    tag = element.tag.rpartition("}")[2]
    if tag == "ci":
        return names[element.text.strip()]
    if tag == "cn":
        return float(element.text)
    operator, *operands = element
    values = [evaluate(o, names) for o in operands]
    return {
        "plus": sum,
        "times": math.prod,
        "minus": lambda v: v[0] - v[1],
        "divide": lambda v: v[0] / v[1],
        "power": lambda v: v[0] ** v[1],
    }[operator.tag.rpartition("}")[2]](values)


@pytest.mark.parametrize(
    ("circuit", "inputs"),
    [
        (feed_forward_loop("I1", n=1.7, K_xy=0.3, basal=0.01), {"X": 0.8}),
        (feed_forward_loop("C4", gate="or", n=3.0, removal=0.7), {"X": 1.4}),
        (toggle_switch(n=2.5), {}),
        (repressilator(), {}),
    ],
)
def test_exported_rate_rules_are_the_circuits_equations(circuit, inputs, float64):
    state = {name: 0.37 * (i + 1) for i, name in enumerate(circuit.names)}
    model = ET.fromstring(to_sbml(circuit, inputs, state))[0]
    space = {"s": NAMESPACE, "m": MATHML}
    values = {p.get("id"): float(p.get("value")) for p in model.iterfind(".//s:parameter", space)}
    varying = {p.get("id") for p in model.iterfind(".//s:parameter", space) if p.get("constant") == "false"}
    rates = circuit.rates({**inputs, **{k: jnp.asarray(v) for k, v in state.items()}})
    rules = {r.get("variable"): r.find("m:math", space)[0] for r in model.iterfind(".//s:rateRule", space)}
    assert varying == set(rules) == {name.replace(" ", "_") for name in circuit.names}
    for name, rate in rates.items():
        assert evaluate(rules[name.replace(" ", "_")], values) == pytest.approx(float(rate), rel=1e-13)


def test_what_has_no_sbml_text_is_refused():
    with pytest.raises(CircuitError, match="is not exported"):
        to_sbml(ring(response(al.sigmoid, repression=True)))
    with pytest.raises(CircuitError, match="delays"):
        to_sbml(autoregulation(hill_curve(-1), delay=1.0))
    with pytest.raises(CircuitError, match="start of 'W'"):
        to_sbml(toggle_switch(), initial={"W": 1.0})
    with pytest.raises(CircuitError, match="no delays|have no delays"):
        reactions_of(autoregulation(hill_curve(-1), delay=1.0))
