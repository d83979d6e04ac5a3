"""Activations: pure elementwise functions together with the facts that others rely on."""

from actlab.activations.activation import Activation, Elementary, activation
from actlab.activations.domain import POSITIVE, REAL_LINE, Domain
from actlab.activations.facts import SMOOTH, UNKNOWN, FactError, Facts
from actlab.activations.interval import REALS, Interval

__all__ = [
    "POSITIVE",
    "REALS",
    "REAL_LINE",
    "SMOOTH",
    "UNKNOWN",
    "Activation",
    "Domain",
    "Elementary",
    "FactError",
    "Facts",
    "Interval",
    "activation",
]
