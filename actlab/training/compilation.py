"""The persistent compilation cache: the second process compiles nothing that a first one compiled."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import jax
from jaxlib.version import __version__ as jaxlib_version

from actlab.training.folder import RunFolderError, run_folder


def user_cache() -> Path:
    """The folder `actlab` in the user's cache folder ($XDG_CACHE_HOME or ~/.cache); it may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "actlab"


def enable_compilation_cache(path: str | Path | None = None) -> Path | None:
    """Keeps compiled programs under `path`, in a folder of this jaxlib version and machine type.

    Programs of another jaxlib must not be loaded (they can crash it), hence the folder. Nothing but time depends on the
    cache: a folder that cannot be written leaves it off, and an entry that cannot be used is compiled again.

    Args:
        path: by default `jax` in `user_cache`.

    Returns:
        The folder, or None where the cache stays off.
    """
    if path is None:
        path = user_cache() / "jax"
    folder = Path(path) / f"jaxlib-{jaxlib_version}-{platform.machine()}"
    try:
        run_folder(folder)
    except RunFolderError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    return folder
