"""Strict numerics for every test: no implicit promotion of rank or dtype, eight fake devices, a warm compile cache."""

import os
from pathlib import Path

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"

import jax
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # small programs recur in other tests

# Files whose tests spend their time in XLA and whose meaning does not hang on how it rounds: compiled without its
# optimizations. Rounding, bitwise equality and whole trainings are tested as users run them.
QUICKLY_COMPILED = (
    "tests/bounds/test_networks.py",
    "tests/experiments/test_coded_images_experiment.py",
    "tests/experiments/test_continual_experiment.py",
    "tests/experiments/test_distillation_experiments.py",
    "tests/experiments/test_sparsity_experiment.py",
    "tests/experiments/test_trained_depths_experiment.py",
    "tests/nets/test_chain_and_boxes.py",
    "tests/systems/continual/test_continual_evaluation.py",
    "tests/systems/continual/test_methods.py",
    "tests/systems/continual/test_online_learning.py",
    "tests/systems/continual/test_plasticity.py",
    "tests/systems/continual/test_streams.py",
    "tests/systems/distillation/",
    "tests/systems/neurons/test_response.py",
    "tests/systems/outliers/test_outliers_evaluation.py",
    "tests/systems/outliers/test_sensitivity.py",
    "tests/systems/robustness/test_certificates.py",
    "tests/systems/robustness/test_robustness_evaluation.py",
    "tests/systems/saliency/",
    "tests/systems/spiking/test_codes_and_losses.py",
    "tests/systems/spiking/test_gradient_budget.py",
    "tests/systems/spiking/test_spiking_evaluation.py",
    "tests/systems/uncertainty/test_positive_and_count_heads.py",
    "tests/systems/uncertainty/test_uncertainty_evaluation.py",
    "tests/systems/uncertainty/test_uncertainty_gaussian.py",
    "tests/test_documents.py",
)

# Files about rounding, equal bits, what users compile, or whose time is not XLA's: compiled as users do it. All others
# are "tolerant".
AS_USERS_COMPILE = (
    "tests/activations/test_bounded.py",
    "tests/activations/test_horner.py",
    "tests/activations/test_laws.py",
    "tests/activations/test_numerics.py",
    "tests/activations/test_ulp.py",
    "tests/bounds/test_lines.py",
    "tests/bounds/test_rounding.py",
    "tests/faults/",
    "tests/proofs/",
    "tests/signal/test_dual_and_kernels.py",
    "tests/systems/attention/",
    "tests/systems/spiking/test_lif.py",
    "tests/test_evaluate.py",
    "tests/test_notebooks.py",
    "tests/training/",
)

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compiles the tests of some files quickly; marks those that are tolerant of how XLA rounds."""
    root = Path(__file__).parents[1]
    for item in items:
        path = item.path.relative_to(root).as_posix()
        if path.startswith(QUICKLY_COMPILED):
            item.fixturenames.insert(0, "quick_compilation")  # pyright: ignore[reportAttributeAccessIssue]
        if not path.startswith(AS_USERS_COMPILE):
            item.add_marker("tolerant")


@pytest.fixture
def quick_compilation():
    """Compiles a test's programs without XLA's optimizations: the same meaning in other last bits, sooner."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


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
