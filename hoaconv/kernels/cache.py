"""Where numba keeps compiled kernels, and what to do where it can't.

A package in a read-only place and a home that isn't writable, a full disk, a file that was cut: all
of that is common in containers and batch jobs, and none of it is a reason to end a run.
"""

import atexit
import shutil
import sys
from collections.abc import Iterator
from tempfile import mkdtemp
from typing import Any

import numba
from numba.core.caching import NullCache

__all__ = ["compiled", "place", "reset", "stop_keeping"]

_CONFIG: Any = numba.config


def _probe() -> None:
    """Stand for any kernel of this folder."""


def place() -> str | None:
    """Let numba keep kernels in a temporary folder if it finds no other place.

    Returns
    -------
    str or None
        That folder, which is removed when the process ends; None where it isn't needed.
    """
    if _CONFIG.DISABLE_JIT:
        return None
    try:
        numba.njit(cache=True)(_probe)
    except RuntimeError:  # "cannot cache function: no locator available"
        folder = mkdtemp(prefix="hoaconv-kernels-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _CONFIG.CACHE_DIR = folder
        return folder
    return None


def _dispatchers() -> Iterator[Any]:
    """Give every kernel that is loaded."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{__package__}."):
            for value in vars(module).values():
                if hasattr(value, "py_func") and hasattr(value, "_cache"):
                    yield value


def compiled() -> int:
    """Return how many times a kernel was compiled, since it wasn't found on disk."""
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in _dispatchers())


def reset() -> str:
    """Forget the kernels on disk, which can't be read; return their folder."""
    folder = ""
    for kernel in _dispatchers():
        folder = kernel.stats.cache_path or folder
        kernel._cache.flush()
    return folder


def stop_keeping() -> str:
    """Compile kernels for this process alone from now on; return where they were kept."""
    folder = ""
    for kernel in _dispatchers():
        folder = kernel.stats.cache_path or folder
        kernel._cache = NullCache()
    return folder
