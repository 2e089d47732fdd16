"""The kind of output that a path names, by its suffix: what ``convert`` and ``cutout`` write.

A new kind of output needs a row here.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.job.declared import PathLike, options_of
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.output import Output
from hoaconv.job.stack import Stack

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
    options
        Options that the suffix implies.
    """

    told: str
    suffixes: tuple[str, ...]
    kind: type[Output]
    options: Mapping[str, Any]


DESTINATIONS: tuple[Destination, ...] = (
    Destination("DST.zarr: an OME-Zarr image", (".zarr",), OmeZarr, {}),
    Destination("DST.tif, DST.ome.tif: one TIFF file", (".tif", ".tiff"), Stack, {}),
    Destination("DST.h5: an HDF5 file", (".h5", ".hdf5"), Hdf5, {}),
    Destination("DST, a name without a suffix: a folder of TIFF slices", ("",), Stack, {}),
)
"""All kinds, in the order in which errors list them."""


def destination_of(dst: PathLike) -> Destination:
    """Return the kind of output that a path names.

    Raises
    ------
    SpellingError
        If there is none with its suffix; the message lists what can be written.
    """
    path = os.fspath(dst)
    suffix = os.path.splitext(path.rstrip("/" + os.sep))[1].lower()
    for one in DESTINATIONS:
        if suffix in one.suffixes:
            return one
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
    found = destination_of(dst)
    own = options_of(found.kind)
    for name, default in _defaults(DESTINATIONS):
        foreign = name in options and name not in own
        if foreign and options[name] is not None and options[name] not in default:
            raise SpellingError(f"{os.fspath(dst)} takes no `{name}`; there are {_told(own)}")
    return found.kind.take(own_options(options, found), path=dst)


def own_options(options: Mapping[str, Any], to: Destination) -> dict[str, Any]:
    """Return options of a verb, without those that only have the default of another output.

    The verb's signature has the defaults of OME-Zarr images, where several kinds have an option.
    """
    image = OmeZarr.__dataclass_fields__
    shared = options_of(OmeZarr).keys() & options_of(to.kind).keys()
    unset = {
        name
        for name in shared & options.keys()
        if to.kind is not OmeZarr and options[name] == image[name].default
    }
    given = {name: value for name, value in options.items() if value is not None}
    return {name: value for name, value in {**given, **to.options}.items() if name not in unset}


def _defaults(kinds: Sequence[Destination]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the name of each option of any kind, with the defaults that the kinds have for it."""
    fields = [one.kind.__dataclass_fields__ for one in kinds]
    for name in dict.fromkeys(name for one in kinds for name in options_of(one.kind)):
        yield name, [own[name].default for own in fields if name in own]


def _told(own: Mapping[str, Any]) -> str:
    return ", ".join(own)
