"""Proofs: enclosures of an activation's range, slope and curvature over every float32, and what follows from them."""

from actlab.proofs.certificate import (
    Certificate,
    Claims,
)
from actlab.proofs.certify import (
    Certified,
    certify,
    prove,
)
from actlab.proofs.confirm import (
    Confirmation,
    confirm,
)
from actlab.proofs.errors import (
    ContradictionError,
    UndefinedError,
    UnsupportedPrimitiveError,
)

__all__ = [
    "Certificate",
    "Certified",
    "Claims",
    "Confirmation",
    "ContradictionError",
    "UndefinedError",
    "UnsupportedPrimitiveError",
    "certify",
    "confirm",
    "prove",
]
