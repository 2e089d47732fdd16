"""Conversion to the kind of output that a path names."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from hoaconv.errors import SpellingError
from hoaconv.io.address import Address
from hoaconv.io.file_claim import check_file_free
from hoaconv.io.formats.registry import format_of
from hoaconv.job.conversion import conversion
from hoaconv.job.declared import options_of
from hoaconv.job.destination import destination_of, output_to, own_options
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Chain, Labels, Reading, Running, Values, Voxels
from hoaconv.job.output import Output
from hoaconv.job.pack import SUFFIX as OZX
from hoaconv.job.pack import Packed, pack
from hoaconv.job.paths import check_beside, check_path, scratch_folder
from hoaconv.job.rechunk import rechunked
from hoaconv.job.rechunk_report import Rechunked
from hoaconv.job.report import Report
from hoaconv.job.storage import Storage
from hoaconv.job.watching import Watcher

__all__ = ["convert"]


def convert(options: Mapping[str, Any], watcher: "Watcher | None") -> Report | Rechunked | Packed:
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
    if os.fspath(options["dst"]).lower().endswith(OZX):
        return _packed(options, watcher)
    found, path = destination_of(options["dst"])
    output = output_to(options["dst"], options)  # refuses options of other kinds
    if isinstance(output, OmeZarr) and _keeps_levels(options):
        return rechunked({**options, **_storage(options), "watcher": watcher})
    _check_branches(output, options)
    return conversion({**own_options(options), "dst": path}, found.kind).run(progress=watcher)


def _packed(options: Mapping[str, Any], watcher: "Watcher | None") -> Packed:
    """Write an OME-Zarr image in scratch, and pack it into one file."""
    dst, running = Path(options["dst"]), Running.take(options)
    if options["ngff"] != "0.5":
        raise SpellingError(f"{dst} holds an OME-Zarr of version 0.5; drop `ngff`")
    check_path(options["dst"])
    for src in (options["src"], *Reading.take(options).append):
        check_beside(dst, src)
    check_file_free(dst, overwrite=options["overwrite"])
    with _scratch(dst, running) as store:
        convert({**options, "dst": store}, watcher)
        both = {"dst": dst, "overwrite": options["overwrite"], "watcher": watcher}
        return replace(pack({"store": store, **both}), source=os.fspath(options["src"]))


@contextmanager
def _scratch(dst: Path, running: Running) -> Iterator[Path]:
    """Give the path of a store in scratch, named as the output is; remove it however this ends."""
    around = scratch_folder(running.scratch) or Path(os.path.abspath(dst)).parent
    folder = around / f".hoaconv-{uuid4().hex}"
    try:
        yield folder / f"{dst.stem}.zarr"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
