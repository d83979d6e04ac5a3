"""The compilation cache: a folder for each jaxlib, and silence where it cannot be."""

import subprocess
import sys
from importlib.metadata import version

import jax
import pytest

from actlab.training import enable_compilation_cache

PROGRAM = """
import sys, jax
jax.config.update("jax_platforms", "cpu")
from actlab.training import enable_compilation_cache
enable_compilation_cache(sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name) if name.endswith("cache_hits") else None)
print(float(jax.jit(lambda x: x * 3)(2.0)), len(hits) > 0)
"""


@pytest.fixture
def configuration():
    """Restores what the function sets."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_folder_is_of_this_jaxlib(tmp_path, configuration) -> None:
    folder = enable_compilation_cache(tmp_path)
    assert folder is not None
    assert version("jaxlib") in folder.name
    assert jax.config.jax_compilation_cache_dir == str(folder)


def test_a_folder_that_cannot_be_written_leaves_it_off(tmp_path, configuration) -> None:
    before = jax.config.jax_compilation_cache_dir
    (tmp_path / "file").touch()
    assert enable_compilation_cache(tmp_path / "file") is None
    assert jax.config.jax_compilation_cache_dir == before


def test_a_second_process_finds_what_the_first_compiled(tmp_path) -> None:
    def run():
        command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert [run(), run()] == [["6.0", "False"], ["6.0", "True"]]
