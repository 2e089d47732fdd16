"""Checks of the paths and URLs at which zarr stores are made."""

from importlib import import_module
from pathlib import Path
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.io.folder import check_free
from hoaconv.io.remote import place_of, writing_spec_of
from hoaconv.io.url import Url
from hoaconv.job.declared import PathLike
from hoaconv.job.paths import check_path, check_store_name
from hoaconv.ops.kinds import Kind

__all__ = ["CREDENTIALS", "check_store", "check_store_free"]


def check_store(path: PathLike) -> None:
    """Raise an error if no zarr store can be made at a path or URL; look at no content.

    Raises
    ------
    SpellingError
        If it is empty, or an address of another kind, or there are no credentials for a bucket.
    StoreError
        If its suffix is that of another format, or a store can't have its name.
    """
    if isinstance(path, Url):
        writing_spec_of(place_of(str(path))[0])
        return
    check_path(path)
    check_store_name(Path(path))


def check_store_free(path: PathLike, *, overwrite: bool) -> None:
    """Raise StoreError if what is at a path or URL prevents writing; change nothing."""
    if isinstance(path, Url):
        claims: Any = import_module("hoaconv.io.remote_claim")  # tensorstore is slow to import
        claims.check_place(path, overwrite=overwrite)
    else:
        check_free(Path(path), overwrite=overwrite)


def _credentials(value: Any) -> str:
    kind, mark, name = str(value).partition(":")
    if str(value) in ("anonymous", "environment") or (kind == "profile" and mark and name):
        return str(value)
    raise SpellingError(
        f"credentials {str(value)!r} is none of anonymous, environment and profile:NAME"
    )


CREDENTIALS = Kind("WHOSE", _credentials, str)
