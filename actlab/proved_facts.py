"""What is proved of an activation before it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax

from actlab.activations import Activation, Facts
from actlab.proofs import Certificate, Certified, UndefinedError, UnsupportedPrimitiveError, confirm, prove


@dataclass(frozen=True)
class ProvedFacts:
    """An activation as it is evaluated, and what is proved of it.

    Attributes:
        activation: with the proved facts where it came with none.
        facts: its facts; their standing is "proved" where the proof confirms all that is declared.
        certificate: of the proof; None where nothing could be proved.
        remark: why nothing is proved, or which declared facts the proof leaves open; empty where all is proved.
    """

    activation: Activation
    facts: Facts
    certificate: Certificate | None = None
    remark: str = ""


def prove_facts(activation: Activation) -> ProvedFacts:
    """Proves what can be proved of an activation over all of float32, in ball arithmetic.

    A function without facts gets the proved ones, unless it has parameters: those may be trained, and the proof holds
    for their present values. Declared facts are kept, as the parts that rely on them know them, and confirmed.

    Raises:
        ContradictionError: a declared fact is not so.
    """
    facts = activation.facts
    try:
        if facts.standing == "declared" and facts.gradient == "exact":
            confirmation = confirm(activation, tier="proved", loose=True)
            if not confirmation.open:
                return ProvedFacts(activation, replace(facts, standing="proved"), confirmation.certificate)
            remark = f"The proof leaves open: {'; '.join(confirmation.open)}."
            return ProvedFacts(activation, facts, confirmation.certificate, remark)
        certificate = prove(activation)
    except (UnsupportedPrimitiveError, UndefinedError) as error:
        return ProvedFacts(activation, facts, remark=f"Nothing is proved: {error}.")
    if facts.standing != "unknown":
        remark = "" if facts.standing == "proved" else "Proved of the function; its gradient is a declared surrogate."
        return ProvedFacts(activation, facts, certificate, remark)
    if jax.tree.leaves(activation):
        return ProvedFacts(activation, facts, certificate, "Proved for the present values of its parameters alone.")
    proved = Certified(activation, certificate)
    return ProvedFacts(proved, proved.facts, certificate)
