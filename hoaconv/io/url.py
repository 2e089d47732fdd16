"""URLs of stores that are read and written through the network, as paths."""

import os
from pathlib import Path

__all__ = ["REMOTE", "Url", "as_path", "is_remote"]

REMOTE = ("s3", "gs", "http", "https")
"""Schemes of stores that are read through the network."""


class Url(type(Path())):  # type: ignore[misc] # the class of this system's paths
    """A URL that is taken apart and put together like a path; no file system knows it.

    Examples
    --------
    >>> str(Url("s3://bucket/brain.zarr") / "0"), Url("s3://bucket/brain.zarr").name
    ('s3://bucket/brain.zarr/0', 'brain.zarr')
    """

    __slots__ = ()

    def __str__(self) -> str:
        text = super().__str__().replace(os.sep, "/")
        scheme, mark, rest = text.partition(":/")
        return f"{scheme}://{rest.lstrip('/')}" if mark and is_remote(f"{scheme}://") else text

    def __fspath__(self) -> str:
        return str(self)

    def absolute(self) -> "Url":
        """Return the URL itself: it depends on no current folder."""
        return self


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the URL of a store that is reached through the network."""
    scheme, mark, _ = os.fspath(path).partition("://")
    return bool(mark) and scheme.lower() in REMOTE


def as_path(path: str | os.PathLike[str]) -> Path:
    """Return a path, or a URL as one; a `Url` stays what it is."""
    return Url(path) if is_remote(path) else Path(path)
