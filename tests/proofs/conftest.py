"""The tier of the proofs of the zoo: `PROOF_TIER=proved` in the environment for the full one."""

import os

import pytest


@pytest.fixture
def tier() -> str:
    return os.environ.get("PROOF_TIER", "fast")
