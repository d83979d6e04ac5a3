"""Export of a circuit to SBML Level 3 Version 1 text: one rate rule for each entry of the state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from actlab.systems.circuits.circuit import Circuit, CircuitError, Gene, Levels, check_inputs, check_levels
from actlab.systems.circuits.hill import hill_parameters

NAMESPACE = "http://www.sbml.org/sbml/level3/version1/core"
MATHML = "http://www.w3.org/1998/Math/MathML"


def to_sbml(circuit: Circuit, inputs: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None) -> str:
    """The circuit as an SBML document: every rate, K, n and input is a global parameter that a simulator can set.

    Entries of the state are parameters that vary by rate rules; names become identifiers (`lacI mRNA` is `lacI_mRNA`),
    parameters are `K_X_Z`, `n_X_Z`, `production_Z`, `basal_Z`, `removal_Z`, and of a gene with an mRNA
    `translation_Z`, `mrna_removal_Z`.

    Args:
        circuit: of Hill curves, with numbers as parameters, without delays.
        inputs: concentrations, numbers.
        initial: concentrations at time 0; 0 where not given.

    Raises:
        CircuitError: inputs or initial concentrations that do not fit, a delay, a curve other than `hill` and
            `hill_repression`, or a name that makes no identifier.
    """
    given, begun = check_inputs(circuit, inputs), check_levels(circuit, initial)
    if circuit.delays:
        raise CircuitError("SBML simulators differ on delays, so a circuit with delays is not exported")
    constants: dict[str, float] = {identifier(name): float(value) for name, value in given.items()}
    rules: dict[str, ET.Element] = {}
    for gene in circuit.genes:
        _add_gene(gene, constants, rules)
    values = {identifier(name): float(begun.get(name, 0.0)) for name in circuit.names}
    return _document(constants, values, rules)


def identifier(name: str) -> str:
    """The name as an SBML identifier.

    Raises:
        CircuitError: it makes none.
    """
    text = name.replace(" ", "_")
    if not re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII):
        raise CircuitError(f"{name!r} makes no SBML identifier; use letters, digits and spaces, a letter first")
    return text


def _add_gene(gene: Gene, constants: Levels, rules: dict[str, ET.Element]) -> None:
    """Adds the gene's parameters and rate rules."""
    me = identifier(gene.name)
    rates = {"production": gene.production, "basal": gene.basal, "removal": gene.removal}
    if gene.translation is not None:
        rates |= {"translation": gene.translation, "mrna_removal": gene.mrna_removal}
    constants.update({f"{name}_{me}": float(value) for name, value in rates.items()})
    activities = [_activity(gene, r.source, r.curve, constants) for r in gene.regulations]
    made = apply("plus", _ci(f"basal_{me}"), apply("times", _ci(f"production_{me}"), *_joined(gene.gate, activities)))
    if gene.translation is None:
        rules[me] = apply("minus", made, apply("times", _ci(f"removal_{me}"), _ci(me)))
        return
    message = identifier(gene.mrna)
    rules[message] = apply("minus", made, apply("times", _ci(f"mrna_removal_{me}"), _ci(message)))
    born, lost = (
        apply("times", _ci(f"{rate}_{me}"), _ci(of)) for rate, of in (("translation", message), ("removal", me))
    )
    rules[me] = apply("minus", born, lost)


def _joined(gate: str, activities: list[ET.Element]) -> Sequence[ET.Element]:
    """The factors of the promoter's activity."""
    if gate == "and" or len(activities) <= 1:
        return activities
    return [apply("minus", _cn(1.0), apply("times", *(apply("minus", _cn(1.0), a) for a in activities)))]


def _activity(gene: Gene, source: str, curve: Any, constants: Levels) -> ET.Element:
    hill = hill_parameters(curve)
    if hill is None:
        raise CircuitError(
            f"gene {gene.name!r}: {curve!r} is not exported; SBML text is written for hill and hill_repression with "
            "numbers as parameters"
        )
    n, K, sign = hill
    key = f"{identifier(source)}_{identifier(gene.name)}"
    constants.update({f"n_{key}": n, f"K_{key}": K})
    of_x, of_K = (apply("power", _ci(base), _ci(f"n_{key}")) for base in (identifier(source), f"K_{key}"))
    top = of_x if sign > 0 else of_K
    return apply("divide", top, apply("plus", of_K, of_x))


def apply(operator: str, *operands: ET.Element) -> ET.Element:
    """A MathML application."""
    element = ET.Element("apply")
    ET.SubElement(element, operator)
    element.extend(operands)
    return element


def _ci(name: str) -> ET.Element:
    element = ET.Element("ci")
    element.text = f" {name} "
    return element


def _cn(value: float) -> ET.Element:
    element = ET.Element("cn")
    element.text = f" {value!r} "
    return element


def _document(constants: Levels, values: Levels, rules: dict[str, ET.Element]) -> str:
    root = ET.Element("sbml", {"xmlns": NAMESPACE, "level": "3", "version": "1"})
    model = ET.SubElement(root, "model", {"id": "circuit"})
    parameters = ET.SubElement(model, "listOfParameters")
    for constant, table in (("true", constants), ("false", values)):
        for name, value in table.items():
            ET.SubElement(parameters, "parameter", {"id": name, "value": repr(value), "constant": constant})
    listed = ET.SubElement(model, "listOfRules")
    for name, expression in rules.items():
        rule = ET.SubElement(listed, "rateRule", {"variable": name})
        ET.SubElement(rule, "math", {"xmlns": MATHML}).append(expression)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
