"""The formats of volumes that are read: each found by a scheme, by suffix, or by content.

A folder or pattern of slices is none of them: see `hoaconv.io.stack`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.address import Address
from hoaconv.io.formats import (
    hdf5,
    metaimage,
    n5,
    nifti,
    nrrd,
    precomputed,
    raw,
    remote,
    vol,
    zarr,
)
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.url import is_remote
from hoaconv.units import did_you_mean

__all__ = ["FORMATS", "Format", "format_of"]


@dataclass(frozen=True)
class Format:
    """A format of volumes.

    Attributes
    ----------
    name
        What users call it.
    scheme
        The word before ``://`` that chooses it, where neither suffix nor content tells.
    holds
        Whether a path, local or remote, is of the format: by its suffix, or by what lies there.
    opens
        Opens the array of an address; no voxel is read.
    """

    name: str
    scheme: str
    holds: Callable[[str], bool]
    opens: Callable[[Address], StoredArray]


FORMATS: tuple[Format, ...] = (
    Format("zarr", "zarr", zarr.holds, zarr.open_array),
    Format("N5", "n5", n5.holds, n5.open_array),
    Format("precomputed", "precomputed", precomputed.holds, precomputed.open_array),
    Format("HDF5", "hdf5", hdf5.holds, hdf5.open_array),
    Format("NRRD", "nrrd", nrrd.holds, nrrd.open_array),
    Format("MetaImage", "metaimage", metaimage.holds, metaimage.open_array),
    Format("NIfTI", "nifti", nifti.holds, nifti.open_array),
    Format(".vol", "vol", vol.holds, vol.open_array),
    Format("a raw file", "raw", raw.holds, raw.open_array),
)
"""All formats, in the order in which a path is tried."""


def format_of(address: Address) -> Format | None:
    """Return the format of what an address names; None for slices and for what isn't known.

    Raises
    ------
    SpellingError
        If the scheme of the address is that of no format.
    SourceError
        If a shape or dtype is given for something that tells them itself, or nothing that can be
        read is at a URL.
    """
    found = _found(address)
    if address.shape is None and address.dtype is None:
        return found
    if found is None or found.scheme in _MAY_BE_RAW:
        return next(format for format in FORMATS if format.scheme == "raw")
    raise SourceError(
        f"{address.given} is {found.name}, which tells its shape and dtype; drop `shape` and "
        "`dtype`, which are for raw files"
    )


_MAY_BE_RAW = ("raw", "vol")
"""Formats whose files may be read as raw ones, if their shape and dtype are given."""


def _found(address: Address) -> Format | None:
    if address.scheme:
        known = {format.scheme: format for format in FORMATS}
        if address.scheme not in known:
            hint = did_you_mean(address.scheme, known)
            raise SpellingError(
                f"{address.given} begins with {address.scheme}://, which is none of "
                f"{', '.join(f'{scheme}://' for scheme in known)}{hint}"
            )
        if is_remote(address.path):
            remote.scheme_at(address)
        return known[address.scheme]
    if is_remote(address.path):
        scheme = remote.scheme_at(address)
        return next(format for format in FORMATS if format.scheme == scheme)
    return next((format for format in FORMATS if format.holds(address.path)), None)
