"""Strict numerics for every test: no implicit promotion of rank or dtype, eight fake devices, a warm compile cache."""

import os
from pathlib import Path

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"

import jax
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of data sets that are not shipped; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the data sets of {SHARED_DATA}, which are not shipped with the package")
    return SHARED_DATA


@pytest.fixture
def float64():
    """Enables float64 for one test."""
    with jax.enable_x64(True):
        yield
