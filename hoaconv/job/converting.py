"""Conversion to the kind of output that a path names."""

from collections.abc import Mapping
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.io.address import Address
from hoaconv.io.formats.registry import format_of
from hoaconv.job.conversion import conversion
from hoaconv.job.declared import options_of
from hoaconv.job.destination import destination_of, output_to, own_options
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Chain, Labels, Reading, Running, Values, Voxels
from hoaconv.job.output import Output
from hoaconv.job.rechunk import rechunked
from hoaconv.job.rechunk_report import Rechunked
from hoaconv.job.report import Report
from hoaconv.job.storage import Storage
from hoaconv.job.watching import Watcher

__all__ = ["convert"]


def convert(options: Mapping[str, Any], watcher: "Watcher | None") -> Report | Rechunked:
    """Convert a volume, as the suffix of the output says.

    Parameters
    ----------
    options
        All parameters of `hoaconv.convert`, by name.

    Raises
    ------
    SpellingError, SourceError, PlanError, BudgetError, StoreError
        As `hoaconv.convert` does.
    """
    found, path = destination_of(options["dst"])
    output = output_to(options["dst"], options)  # refuses options of other kinds
    if isinstance(output, OmeZarr) and _keeps_levels(options):
        return rechunked({**options, **_storage(options), "watcher": watcher})
    _check_branches(output, options)
    return conversion({**own_options(options), "dst": path}, found.kind).run(progress=watcher)


def _check_branches(output: Output, options: Mapping[str, Any]) -> None:
    """Raise SpellingError if labels or other images are to be written beside another output."""
    for name in ("label", "also"):
        if options[name] and not isinstance(output, OmeZarr):
            raise SpellingError(f"{options['dst']} takes no `{name}`; an OME-Zarr image does")


def _keeps_levels(options: Mapping[str, Any]) -> bool:
    """Return whether an image of several levels is to be stored otherwise, and nothing else."""
    groups = (Chain, Labels, Reading, Voxels, Values, OmeZarr)
    allowed = {*options_of(Storage), *options_of(Running)}
    for group in groups:
        for name, field in group.__dataclass_fields__.items():
            given = options.get(name, field.default)
            if name not in allowed and given not in (None, field.default, ""):
                return False
    address = Address.of(options["src"])
    format = format_of(address)
    return bool(format and format.scheme == "zarr" and len(format.opens(address).levels) > 1)


def _storage(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of storage; those with their defaults stay as they are in the source."""
    default = OmeZarr.__dataclass_fields__["ngff"].default
    ngff = None if options["ngff"] == default else options["ngff"]
    return {**{name: options[name] for name in ("chunks", "shards", "compressor")}, "ngff": ngff}
