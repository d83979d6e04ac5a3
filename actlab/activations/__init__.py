"""Activations: pure elementwise functions together with the facts that others rely on."""

from actlab.activations.activation import Activation, Elementary, activation
from actlab.activations.algebra import add, affine, compose, mix, negate
from actlab.activations.domain import POSITIVE, REAL_LINE, Domain
from actlab.activations.facts import SMOOTH, UNKNOWN, FactError, Facts
from actlab.activations.interval import REALS, Interval
from actlab.activations.lookup import (
    ActivationLookupError,
    NotElementwiseError,
    as_activation,
    check_elementwise,
    get,
    resolve,
)
from actlab.activations.requirement import require

__all__ = [
    "POSITIVE",
    "REALS",
    "REAL_LINE",
    "SMOOTH",
    "UNKNOWN",
    "Activation",
    "ActivationLookupError",
    "Domain",
    "Elementary",
    "FactError",
    "Facts",
    "Interval",
    "NotElementwiseError",
    "activation",
    "add",
    "affine",
    "as_activation",
    "check_elementwise",
    "compose",
    "get",
    "mix",
    "negate",
    "require",
    "resolve",
]
