"""The folder in which numba keeps compiled kernels, and the ways on without it.

Read-only packages, homes that cannot be written, full disks and damaged files are common in
containers and batch jobs. None of them ends a run.
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
    """Represent any kernel of this package in a trial of its cache folder."""


def place() -> str | None:
    """Make numba keep kernels in a temporary folder if it finds no other one.

    Returns
    -------
    str or None
        The temporary folder, which is removed when the process ends; None if numba has another.
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
    """Yield each kernel of the modules that are loaded."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{__package__}."):
            for value in vars(module).values():
                if hasattr(value, "py_func") and hasattr(value, "_cache"):
                    yield value


def compiled() -> int:
    """Return the number of kernels that were compiled because they were not found on disk."""
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in _dispatchers())


def reset() -> str:
    """Delete the index of the kernels on disk, so that they are compiled again.

    Returns
    -------
    str
        The folder of the kernels.
    """
    folder = ""
    for kernel in _dispatchers():
        folder = kernel.stats.cache_path or folder
        kernel._cache.flush()
    return folder


def stop_keeping() -> str:
    """Compile kernels for this process alone from now on.

    Returns
    -------
    str
        The folder in which kernels were kept until now.
    """
    folder = ""
    for kernel in _dispatchers():
        folder = kernel.stats.cache_path or folder
        kernel._cache = NullCache()
    return folder
