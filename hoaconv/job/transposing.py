"""A volume with its axes in another order: in one sweep, or in two through a chunked scratch.

A chunked array is swept along another of its axes. Slices are first written to chunks, which wait
in scratch, and these are swept.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from hoaconv.engine import machine
from hoaconv.engine.contract import Source
from hoaconv.engine.plan import Plan
from hoaconv.errors import SpellingError
from hoaconv.io.source import open_volume
from hoaconv.job.chain import behind, sources_of, spec_at
from hoaconv.job.conversion import open_planned
from hoaconv.job.destination import output_to
from hoaconv.job.job import Job
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.options import Reading, Running, Turning, Voxels
from hoaconv.job.output import Output
from hoaconv.job.paths import scratch_folder, take_report_path
from hoaconv.job.planned import Planned
from hoaconv.job.report import Report
from hoaconv.job.resolve import check_outputs, take_workers
from hoaconv.job.target import Branch
from hoaconv.job.watching import Watcher
from hoaconv.ops.transposition import Transpose

__all__ = ["transpose"]


def transpose(options: Mapping[str, Any], watcher: "Watcher | None") -> Report:
    """Write a volume with its axes in another order.

    Parameters
    ----------
    options
        All parameters of `hoaconv.transpose`, by name.

    Raises
    ------
    SpellingError, SourceError, PlanError, BudgetError, StoreError
        As `hoaconv.transpose` does.
    """
    running, reading, voxels = Running.take(options), Reading.take(options), Voxels.take(options)
    machine.begin(take_workers(running))
    order = Turning.take(options).order
    if order is None:
        raise SpellingError('give `order`: the old axes that become z, y, x, as in `order="yxz"`')
    turn = Transpose(order)
    output = output_to(options["dst"], options)
    take_report_path(running.report)
    check_outputs([output], running, [options["src"], *reading.append])
    output.check_free()
    volume = open_planned(options["src"], reading, voxels)
    given = _given(output, reading, voxels, running, Turning(order=turn.order))
    (source,) = sources_of(volume.plan)
    if turn.axes[0] == 0 or source.transposed(turn.axes) is not None:
        return _turned(volume, turn, output, running, given).run(progress=watcher)
    with _scratch(output, running) as store:
        _write(volume, source, store, output, running).run(progress=watcher)
        chunked = _read(store, volume, os.fspath(options["src"]))
        return _turned(chunked, turn, output, running, given).run(progress=watcher)


def _turned(
    volume: Planned, turn: Transpose, output: Output, running: Running, given: Mapping[str, Any]
) -> Job:
    """Return the job that writes a volume in another order."""
    plan = behind(volume.plan, (turn,), {})
    made = replace(volume, plan=plan, spec=spec_at(plan))
    return Job((Branch(str(output.path), made, output),), running=running, given=given)


@contextmanager
def _scratch(output: Output, running: Running) -> Iterator[Path]:
    """Give the path of a store that waits in scratch; remove it however the run ends."""
    path = Path(os.path.abspath(output.path))
    folder = scratch_folder(running.scratch) or path.parent
    store = folder / f".hoaconv-{path.stem}-{uuid4().hex}.zarr"
    try:
        yield store
    finally:
        shutil.rmtree(store, ignore_errors=True)


def _write(volume: Planned, source: Source, store: Path, output: Output, running: Running) -> Job:
    """Return the job that writes a volume to chunks, packed in a fast way."""
    name = getattr(source, "image_name", None) or getattr(output, "title", Path(output.path).stem)
    chunked = OmeZarr(store, compressor="blosc-lz4:1:shuffle", levels=1, name=name)
    alone = replace(running, report=None)
    return Job((Branch("scratch", volume, chunked),), running=alone)


def _read(store: Path, volume: Planned, src: str) -> Planned:
    """Return the volume in the scratch, known as its source, with the same voxel size."""
    opened = open_volume(store / "0").at(volume.geometry)
    if opened.address is not None:
        opened.address = replace(opened.address, given=src)
    return Planned(Plan.read(opened), opened.spec)


def _given(*groups: Any) -> dict[str, Any]:
    given = {name: value for group in groups for name, value in group.given().items()}
    return {name: value for name, value in given.items() if name not in ("report", "scratch")}
