"""The tier of the proofs of the zoo (`PROOF_TIER=proved` in the environment for the full one), each proof made once."""

import functools
import os
from collections.abc import Callable

import pytest

from actlab.proofs import Certificate, prove

TIER = os.environ.get("PROOF_TIER", "fast")
_prove = functools.cache(lambda name, tier: prove(name, tier=tier))


@pytest.fixture
def tier() -> str:
    return TIER


@pytest.fixture
def proved() -> Callable[[str], Certificate]:
    """The certificate of an activation of the zoo."""
    return lambda name: _prove(name, TIER)
