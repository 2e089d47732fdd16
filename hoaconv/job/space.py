"""Disk space of the outputs: whether what a run will write fits."""

from collections import defaultdict
from collections.abc import Iterator
from os import stat
from os.path import exists
from pathlib import Path
from shutil import disk_usage
from typing import TypeGuard

from hoaconv.engine.contract import Sink
from hoaconv.engine.schedule import Estimate, Schedule
from hoaconv.io.output import OutputSink
from hoaconv.io.scratch import existing_folder
from hoaconv.io.url import Url
from hoaconv.units import format_bytes

__all__ = ["fits_uncompressed", "space_refusal"]

SURE = 2.0
"""An output that is estimated to take so many times what is free surely doesn't fit.

The estimate is from the slice that varies most; empty parts of a volume take next to nothing.
"""


def fits_uncompressed(schedule: Schedule) -> bool:
    """Return whether the outputs fit on their disks even if nothing is compressed."""
    sinks = [sink for sink in schedule.sinks if _is_new(sink)]
    raw = [(sink.path, sink.raw_bytes(schedule.spec_into(sink))) for sink in sinks]
    return all(nbytes <= free for _, nbytes, free in _by_disk(raw))


def space_refusal(schedule: Schedule, estimate: Estimate | None) -> str | None:
    """Return why the outputs surely don't fit on their disks; None if they may."""
    if estimate is None:
        return None
    pairs = zip(schedule.sinks, estimate.packed, strict=True)
    packed = [(sink.path, nbytes) for sink, nbytes in pairs if _is_new(sink)]
    for folder, nbytes, free in _by_disk(packed):
        if nbytes > SURE * free:
            return (
                f"the output would take about {format_bytes(nbytes)}, and the disk of {folder} has "
                f"{format_bytes(free)} free; free some space, or write to another disk"
            )
    return None


def _is_new(sink: Sink) -> TypeGuard[OutputSink]:
    """Return whether what a sink writes isn't there yet: how much another frees is unknown."""
    return isinstance(sink, OutputSink) and not isinstance(sink.path, Url) and not exists(sink.path)


def _by_disk(sizes: list[tuple[Path, int]]) -> Iterator[tuple[Path, int, int]]:
    """Give a folder of each disk, the bytes to be written on the disk, and the bytes free there."""
    folders: dict[int, Path] = {}
    total: defaultdict[int, int] = defaultdict(int)
    for path, nbytes in sizes:
        folder = existing_folder(path)
        disk = stat(folder).st_dev
        folders.setdefault(disk, folder)
        total[disk] += nbytes
    for disk, folder in folders.items():
        yield folder, total[disk], disk_usage(folder).free
