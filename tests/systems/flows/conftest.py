"""Fixtures of this folder."""

import jax
import pytest


@pytest.fixture
def quick_compilation():
    """Programs that are compiled without most optimizations: for tests of meaning, not of rounding as executed."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
