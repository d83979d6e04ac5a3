"""`confirm`: the declared facts of an activation, compared with what is proved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.activations import Activation, Elementary
from actlab.activations.facts import Facts
from actlab.activations.interval import Interval
from actlab.activations.lookup import as_activation
from actlab.proofs.certificate import Certificate
from actlab.proofs.certify import Tier, prove
from actlab.proofs.errors import ContradictionError
from actlab.proofs.search import LARGEST
from actlab.proofs.trace import formula_of, traced

ROUNDING = 1e-14
"""Declared bounds are float64 numbers of formulas: so much they may lie inside the attained values."""


@dataclass(frozen=True)
class Confirmation:
    """The outcome for one activation: its certificate, and what was left open, in words."""

    name: str
    certificate: Certificate
    open: tuple[str, ...]
    """Facts that are neither confirmed nor contradicted: undeclared ones, and those that the proof does not reach."""


def confirm(
    activation: Activation | str,
    *,
    tier: Tier = "fast",
    tolerance: float = 1e-9,
    certificate: Certificate | None = None,
    loose: bool = False,
) -> Confirmation:
    """Compares every declared fact with the proved one.

    A declared bound is confirmed where it contains the attained values and is within `tolerance` (relative to
    max(1, |bound|)) of the proved bound; an infinite one where the function grows to the ends of float32. A certificate
    of the same function that is at hand saves the proof. With `loose` a declared bound may be as wide as its author
    likes: it is true, and is named among what is open.

    Raises:
        ContradictionError: a declared fact cannot be true, or, unless `loose`, a declared bound is wider than the
            tolerance.
        ValueError: the certificate is of another function, or of a part of the finite float32 numbers alone.
    """
    act = as_activation(activation)
    declared = act.facts
    if certificate is None:
        certificate = prove(act, tier=tier, tolerance=tolerance)
    elif certificate.program != traced(formula_of(act), name=act.name):
        raise ValueError(f"confirm: the certificate is of {certificate.name}, whose program is not that of {act!r}")
    if certificate.domain != (-LARGEST, LARGEST):
        raise ValueError(
            f"confirm: the certificate is of the domain {list(certificate.domain)}, and declared facts are of every "
            "finite float32; prove it without a domain"
        )
    wrong: list[str] = []
    unsure: list[str] = []
    for what in ("range", "slope", "curvature"):
        ends = getattr(declared, what), getattr(certificate.claims, what)
        _compare(what, *ends, tolerance, wrong, unsure, wide=unsure if loose else wrong)
    _compare_order(declared, certificate, wrong, unsure)
    _compare_joins(declared, certificate, wrong, unsure, trained=_trained(act))
    if wrong:
        raise ContradictionError(f"{act!r} declares what is not so: {'; '.join(wrong)}")
    return Confirmation(act.name, certificate, tuple(unsure))


def _compare(
    what: str,
    declared: Interval | None,
    proved: Interval | None,
    tolerance: float,
    wrong: list[str],
    unsure: list[str],
    *,
    wide: list[str],
) -> None:
    if declared is None:
        unsure.append(f"{what} is not declared; proved: {proved}")
        return
    if proved is None:
        unsure.append(f"{what} is declared {declared}, and the certificate has no bounds of it")
        return
    for side, sign in (("lower", -1.0), ("upper", 1.0)):
        d, p = float(getattr(declared, side)), float(getattr(proved, side))
        if d == p:
            continue
        outside = (d - p) * sign > 0
        if math.isinf(d) or math.isinf(p):
            (wide if outside else wrong).append(f"{what}.{side} is declared {d:.17g}, proved {p:.17g}")
        elif abs(d - p) > (tolerance + ROUNDING) * max(1.0, abs(p)):
            where = "outside" if outside else "inside"
            (wide if outside else wrong).append(f"{what}.{side} is declared {d:.17g}, {where} the proved {p:.17g}")


def _compare_order(declared: Facts, certificate: Certificate, wrong: list[str], unsure: list[str]) -> None:
    order, proved = declared.monotone, certificate.claims.monotone
    if order == proved:
        return
    if order == "unknown" or proved == "unknown":
        unsure.append(f"monotone is declared {order!r}, proved {proved!r}")
    else:
        wrong.append(f"monotone is declared {order!r}, proved {proved!r}")


def _trained(activation: Activation) -> bool:
    """Whether it has coefficients to be trained: those at hand may by chance leave a knot without a kink."""
    return isinstance(activation, Elementary) and any(np.ndim(p) for p in activation.parameters.values())


def _compare_joins(
    declared: Facts, certificate: Certificate, wrong: list[str], unsure: list[str], *, trained: bool
) -> None:
    claims = certificate.claims
    at_least = any("smoothness is at least" in note for note in certificate.notes)
    smoothness = (declared.smoothness, claims.smoothness)
    if smoothness[0] != smoothness[1]:
        known = None not in smoothness and not (at_least and smoothness[0] > smoothness[1])  # pyright: ignore
        text = f"smoothness is declared {smoothness[0]}, proved {smoothness[1]}"
        (wrong if known else unsure).append(text)
    if declared.kinks is None or claims.kinks is None:
        if declared.kinks != claims.kinks:
            unsure.append(f"kinks are declared {declared.kinks}, proved {claims.kinks}")
        return
    missing = [k for k in claims.kinks if not _among(k, declared.kinks)]
    if missing:
        wrong.append(f"kinks at {missing} are not declared")
    extra = [k for k in declared.kinks if not _among(k, claims.kinks)]
    if extra:
        (unsure if trained else wrong).append(f"kinks are declared at {extra}, where the function is smooth")


def _among(kink: float, kinks: tuple[Any, ...]) -> bool:
    return any(abs(kink - float(k)) <= 1e-12 * max(1.0, abs(kink)) for k in kinks)
