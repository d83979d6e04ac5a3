"""An independent checker of certificates: it shares no code with the prover, and believes none of its steps.

Own arithmetic (mpmath), own derivative rules, own translation of traced functions; jax is imported only to trace the
named function again.
"""

from actlab.proofs.checker.program import Malformed
from actlab.proofs.checker.verdict import Verdict, check

__all__ = ["Malformed", "Verdict", "check"]
