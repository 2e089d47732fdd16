"""The kind of output that a path names: what ``convert``, ``cutout`` and ``transpose`` write.

Its suffix says what it is, or a scheme before it, as in ``zarr://PATH``. A new kind of output needs
a row here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.io.url import REMOTE
from hoaconv.job.declared import PathLike, options_of
from hoaconv.job.hdf5 import SUFFIXES as OF_HDF5
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.n5 import N5
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.output import Output
from hoaconv.job.precomputed import Precomputed
from hoaconv.job.stack import Stack
from hoaconv.job.zarr_output import Zarr

__all__ = ["DESTINATIONS", "Destination", "destination_of", "output_to", "own_options"]


@dataclass(frozen=True)
class Destination:
    """A kind of output.

    Attributes
    ----------
    told
        How users write it, and what it is.
    suffixes
        Ends of paths that mean it; an empty one is a folder's name without a suffix.
    kind
        The class of such outputs.
    scheme
        The word that means it before ``://``, whatever the suffix; empty where there is none.
    """

    told: str
    suffixes: tuple[str, ...]
    kind: type[Output]
    scheme: str = ""


DESTINATIONS: tuple[Destination, ...] = (
    Destination("DST.zarr: an OME-Zarr image", (".zarr",), OmeZarr),
    Destination("zarr://DST: a plain zarr array", (), Zarr, "zarr"),
    Destination("DST.h5: an HDF5 file", OF_HDF5, Hdf5, "hdf5"),
    Destination("DST.n5: an N5 image", (".n5",), N5, "n5"),
    Destination("precomputed://DST: a volume of Neuroglancer", (), Precomputed, "precomputed"),
    Destination("DST.tif, DST.ome.tif: one TIFF file", (".tif", ".tiff"), Stack),
    Destination("DST, a name without a suffix: a folder of TIFF slices", ("",), Stack),
)
"""All kinds, in the order in which errors list them."""


def destination_of(dst: PathLike) -> tuple[Destination, PathLike]:
    """Return the kind of output that a path names, and the path without a scheme.

    Raises
    ------
    SpellingError
        If there is none with its suffix; the message lists what can be written.
    """
    path = os.fspath(dst)
    scheme, mark, rest = path.partition("://")
    for one in DESTINATIONS:
        if mark and scheme.lower() == one.scheme:
            return one, rest
    suffix = os.path.splitext(path.rstrip("/" + os.sep))[1].lower()
    for one in DESTINATIONS if not mark or scheme.lower() in REMOTE else ():
        if suffix in one.suffixes:
            return one, dst
    told = "; ".join(one.told for one in DESTINATIONS)
    raise SpellingError(f"{path} names no output that can be written. There are {told}")


def output_to(dst: PathLike, options: Mapping[str, Any]) -> Output:
    """Return the output at a path.

    Parameters
    ----------
    options
        Options of a verb, by name. Those of other kinds of output must have their defaults.

    Raises
    ------
    SpellingError
        If the path names no output, or options that are given aren't its own.
    """
    found, path = destination_of(dst)
    own = options_of(found.kind)
    for other in {one.kind for one in DESTINATIONS} - {found.kind}:
        for name in options_of(other).keys() - own.keys() & options.keys():
            default = other.__dataclass_fields__[name].default
            if options[name] is not None and str(options[name]) != str(default):
                raise SpellingError(f"{os.fspath(dst)} takes no `{name}`; there are {_told(own)}")
    return found.kind.take(own_options(options), path=path)


def own_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options without those that are None, for which each kind has a default of its own."""
    return {name: value for name, value in options.items() if value is not None}


def _told(own: Mapping[str, Any]) -> str:
    return ", ".join(own)
