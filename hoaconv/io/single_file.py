"""Volumes that lie in one file: which file an address names, and libraries that read its header."""

import os
from collections.abc import Sequence
from glob import has_magic
from importlib import import_module
from pathlib import Path
from typing import Any

from hoaconv.errors import SourceError
from hoaconv.io.address import Address
from hoaconv.io.files import near
from hoaconv.io.opened import check_regular
from hoaconv.io.slices import blame
from hoaconv.io.url import is_remote

__all__ = ["file_of", "has_suffix", "library", "of_one_volume"]


def has_suffix(path: str, suffixes: Sequence[str]) -> bool:
    """Return whether a path is that of one file with one of these suffixes, in lower case.

    A glob pattern that is no existing path, a folder, and an address of the network aren't.
    """
    if is_remote(path) or not path.lower().endswith(tuple(suffixes)):
        return False
    return not os.path.isdir(path) if os.path.lexists(path) else not has_magic(path)


def file_of(address: Address) -> Path:
    """Return the file of an address, which exists and is a regular file.

    Raises
    ------
    SourceError
        If it doesn't exist, or is a folder, a pipe or a link to nothing.
    """
    path = Path(address.given)
    with blame(str(path)):
        if not os.path.lexists(path):
            raise SourceError(f"{path} does not exist{near(path)}")
        check_regular(path)
    return path


def of_one_volume(address: Address, what: str) -> Path:
    """Return the file of an address; refuse a dataset behind it.

    Raises
    ------
    SourceError
        If there is no such file, or the address names a dataset in it.
    """
    path = file_of(address)
    if address.inside:
        raise SourceError(f"{path} is {what}, which holds one volume; drop ::{address.inside}")
    return path


def library(name: str, extra: str, path: Path) -> Any:
    """Return a library that reads a format, imported when it is needed.

    Raises
    ------
    SourceError
        If it is missing; the message says how to install it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise SourceError(
            f"{path} needs {name}, which can't be imported ({error}): "
            f'pip install "hoaconv[{extra}]"'
        ) from error
