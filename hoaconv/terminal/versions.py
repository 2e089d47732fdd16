"""Versions of what the program works with: a report of a fault needs them."""

import platform
from collections.abc import Iterator
from importlib import import_module

__all__ = ["versions"]

LIBRARIES = ("numpy", "numba", "tensorstore", "imagecodecs", "tifffile", "pillow", "typer")
"""Libraries that decode, compute and write."""


def versions() -> Iterator[tuple[str, str]]:
    """Give names and versions: of Python, and of the libraries."""
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    metadata = import_module("importlib.metadata")  # slow to import, and a command's help isn't
    for name in LIBRARIES:
        yield name, metadata.version(name)
    yield "OpenJPEG", import_module("imagecodecs").jpeg2k_version().removeprefix("openjpeg ")
