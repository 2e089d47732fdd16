"""Specifications of folders for tensorstore, and names that tensorstore can't use."""

import os
from pathlib import Path
from typing import Any

__all__ = ["kvstore", "plain_path", "refused_name"]

_LOCK = ".__lock"
"""Suffix of tensorstore's own lock files."""


def kvstore(folder: Path) -> dict[str, Any]:
    """Return the specification of tensorstore's file driver for a folder, which need not exist."""
    path = plain_path(folder).replace(os.sep, "/")
    if os.sep == "/":  # POSIX doesn't define two slashes at the beginning; Linux takes them as one
        path = "/" + path.lstrip("/")
    return {"driver": "file", "path": path.rstrip("/") + "/"}


def plain_path(folder: Path) -> str:
    """Return the absolute path without ``..``, ``.`` and doubled slashes, which the driver refuses.

    A ``..`` behind a link is resolved as the system resolves it; other links stay as they are.
    """
    parts = folder.parts
    if ".." not in parts:
        return os.path.abspath(folder)
    after = len(parts) - parts[::-1].index("..")
    return os.path.join(os.path.realpath(Path(*parts[:after])), *parts[after:])


def refused_name(path: Path) -> str | None:
    """Return the reason why a path can't be that of a store; None if it can.

    The driver takes a backslash as a separator on every system, and puts files in another place.
    """
    text = os.fspath(path)
    if os.sep == "/" and "\\" in text:
        return f"{text} has a backslash in its name, which zarr stores can't have; rename it"
    if any(part.endswith(_LOCK) for part in path.parts):
        return f"{text} has a part that ends in {_LOCK}, which stands for lock files; rename it"
    return None
