"""Rechunking: every array of a store is written anew with other chunks, bit for bit.

Frames of an array (`hoaconv.io.frames`) are swept one after the other. Where chunks stay as they
are, they are copied without being decoded. Groups and attributes are kept.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import prod
from pathlib import Path
from threading import Event, Lock
from time import perf_counter
from typing import Any

from hoaconv import __version__
from hoaconv.engine import machine
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.errors import BudgetError, SourceError, StoreError
from hoaconv.io.array_layout import Layout
from hoaconv.io.chunk_copy import ChunkCopy, copies, copy_number
from hoaconv.io.contents import SCRATCH
from hoaconv.io.folder import check_free
from hoaconv.io.frame_volume import FrameVolume, bits_of
from hoaconv.io.frame_writer import FrameSpec
from hoaconv.io.frames import Frame, frames_of
from hoaconv.io.open_output import OpenOutput
from hoaconv.io.scratch import ScratchFolder, existing_folder
from hoaconv.io.zarr import Counts, write_metadata
from hoaconv.io.zarr_array import ZarrArray
from hoaconv.io.zarr_store import is_zarr
from hoaconv.io.zarr_tree import TreeNode, axes_in, ome_attributes, tree_of
from hoaconv.job.options import Running
from hoaconv.job.paths import (
    check_beside,
    check_path,
    check_scratch,
    check_store_name,
    replace_text,
    scratch_folder,
    take_local,
    take_report_path,
)
from hoaconv.job.progress import display
from hoaconv.job.rechunk_report import Rechunked
from hoaconv.job.reforming import check_sides, formed, zarr_format_of
from hoaconv.job.resolve import take_budget, take_workers
from hoaconv.job.storage import Storage
from hoaconv.job.tracking import PlaneSize, tracked
from hoaconv.pyramid.array_sink import FrameSink
from hoaconv.pyramid.metadata import write_group
from hoaconv.units import format_bytes

__all__ = ["rechunked"]


def rechunked(options: Mapping[str, Any]) -> Rechunked:
    """Do what `hoaconv.rechunk` says; `options` are all its parameters, by name."""
    storage, running = Storage.take(options), Running.take(options)
    machine.begin(take_workers(running))
    report = take_report_path(running.report)
    src, dst = take_local(options["src"]), options["dst"]
    check_path(dst)
    check_store_name(Path(dst))
    check_beside(Path(dst), src)
    scratch_folder(running.scratch)
    check_free(Path(dst), overwrite=storage.overwrite)
    if not is_zarr(Path(src)):
        raise SourceError(
            f"{src} is no zarr array, OME-Zarr image or other zarr store; slices are converted by "
            "stack-to-omezarr"
        )
    machine.begin_libraries()
    nodes = tree_of(Path(src))
    arrays = _arrays(nodes, storage, Path(dst))
    given = {**storage.given(), **running.given()}
    for array in arrays:
        check_scratch(running.scratch, Path(dst), array.stored.files)
    with display(options["watcher"]) as watcher:
        work = _Rechunking(Path(dst), nodes, arrays, storage, running)
        work.check()
        numbers = work.run(watcher)
    told = {name: value for name, value in given.items() if name not in ("report", "scratch")}
    made = Rechunked(source=str(src), output=str(dst), version=__version__, options=told, **numbers)
    if report:
        try:
            replace_text(report, made.to_json())
        except OSError as error:
            raise StoreError(
                f"the report {report} can't be written: {error.strerror}; the output is complete"
            ) from error
    return made


@dataclass(frozen=True, eq=False)
class _Array:
    """An array to write.

    Attributes
    ----------
    stored, source
        The array that is there, and its form.
    path, made
        Folder and form of the array to write.
    """

    stored: ZarrArray
    source: Layout
    node: TreeNode
    path: Path
    made: Layout

    @property
    def is_copied(self) -> bool:
        """True if its chunks are copied without being decoded."""
        return copies(self.stored, self.source, self.made)

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return prod(self.made.shape) * self.made.dtype.itemsize

    def frames(self) -> Iterator[Frame]:
        """Yield the frames to sweep."""
        if self.made.shape and not self.is_copied:
            yield from frames_of(
                self.made.shape, self.source.chunks, self.made.unit, self.made.dtype.itemsize
            )


def _arrays(nodes: Sequence[TreeNode], storage: Storage, dst: Path) -> list[_Array]:
    """Return the arrays to write. Raise SpellingError or SourceError where one can't be."""
    stored = [(node, node.array) for node in nodes if node.array is not None]
    root = nodes[0].folder.path
    if not stored:
        raise SourceError(f"{root} holds no array")
    check_sides(storage, [len(array.shape) for _, array in stored], root)
    found, named = [], axes_in(nodes)
    for node, array in stored:
        bits_of(array)
        source = Layout.stored(array, node.attributes)
        made = formed(source, storage, array.path, named.get(node.path, ()))
        found.append(_Array(array, source, node, dst / node.path, made))
    return found


class _Rechunking:
    """A store being rechunked."""

    def __init__(
        self,
        dst: Path,
        nodes: Sequence[TreeNode],
        arrays: Sequence[_Array],
        storage: Storage,
        running: Running,
    ) -> None:
        self._nodes, self._arrays, self._running = nodes, arrays, running
        self._zarr_format = zarr_format_of(storage, nodes[0].zarr_format)
        self._out = OpenOutput(dst, storage.overwrite, _tops(nodes, arrays))
        scratch = ScratchFolder.of(dst, running.scratch)
        budget, workers = take_budget(running), take_workers(running)
        self._limits = Limits(budget, workers, machine.resident(), scratch)
        self._schedules: dict[tuple[int, tuple[int, ...]], Schedule] = {}
        self._measured = 0
        self._lock = Lock()

    def check(self) -> None:
        """Plan each kind of sweep.

        Raises
        ------
        BudgetError
            If one doesn't fit the budget.
        StoreError
            If the disk is too small.
        """
        for array in self._arrays:
            for frame in array.frames():
                self._scheduled(array, frame)
            if array.is_copied:
                self._copying(array)
        for node in self._nodes:
            self._attributes(node)
        machine.check_room(self.projected)
        needed = sum(array.stored.stored_bytes for array in self._arrays)
        folder = existing_folder(self._out.path)
        free = shutil.disk_usage(folder).free
        if needed > 2 * free and not self._out.path.exists():
            raise StoreError(
                f"the source takes {format_bytes(needed)}, and the disk of {folder} has "
                f"{format_bytes(free)} free; free some space, or write to another disk"
            )

    @property
    def projected(self) -> int:
        """Bytes that will be held at most."""
        swept = [made.projected for made in self._schedules.values()]
        copied = [array for array in self._arrays if array.is_copied]
        units = [_unit_bytes(array) * self._copying(array) for array in copied]
        return max([*swept, *(self._limits.reserved + held for held in units)], default=0)

    def _copying(self, array: _Array) -> int:
        """Return the files that are copied at once. Raise BudgetError if not even one can be."""
        each, room = _unit_bytes(array), self._limits.budget - self._limits.reserved
        if each > room:
            raise BudgetError(
                f"to copy a shard of {array.stored} takes {format_bytes(each)} beside the "
                f"{format_bytes(self._limits.reserved)} that the process holds; raise `budget`, "
                "or take smaller `shards`"
            )
        return min(self._limits.workers, room // max(1, each))

    def _scheduled(self, array: _Array, frame: Frame) -> Schedule:
        """Return the schedule of a frame; frames of one shape share what was planned."""
        key = id(array), frame.lengths
        source = FrameVolume(array.stored, frame)
        sink = FrameSink(
            path=array.path,
            scratch=self._running.scratch,
            frame=FrameSpec.of(array.made, frame),
            store=self._out,
        )
        if key not in self._schedules:
            self._schedules[key] = schedule(Plan.read(source) | sink, self._limits)
        known = self._schedules[key]
        first = known.sweeps[0].stages[0].part
        return known.with_parts({id(first): source, id(known.sinks[0]): sink})

    def run(self, watcher: Any) -> dict[str, Any]:
        """Write all arrays, then metadata, those of the root last; return what a report tells.

        Raises
        ------
        SourceError, StoreError
            If something can't be read or written; what was written is removed.
        """
        start, out = perf_counter(), self._out
        totals = list(self._totals())
        planes = max(1, sum(totals))
        size = PlaneSize(
            sum(array.nbytes for array in self._arrays) // planes,
            sum(prod(array.made.shape) for array in self._arrays) // planes,
        )
        try:
            out.claim()
            with tracked(watcher, size, totals, Event()) as tell:
                for array in self._arrays:
                    self._write(array, tell)
            out.check()
            metadata = self._metadata()
        except MemoryError as error:
            self._abandon(error)
            raise BudgetError(
                f"memory has run out, of which the budget allows "
                f"{format_bytes(self._limits.budget)}; lower `budget`, or raise the limit"
            ) from error
        except BaseException as error:
            self._abandon(error)
            raise
        out.finish()
        return self._told(metadata, perf_counter() - start)

    def _abandon(self, error: BaseException) -> None:
        try:
            if self._out.abandon():
                error.add_note("what was written is removed")
        except StoreError as reason:
            error.add_note(str(reason))

    def _totals(self) -> Iterator[int]:
        """Yield the number of planes, or of copied files, of each sweep."""
        for array in self._arrays:
            if array.is_copied:
                yield _chunk_copy(array, self._out).count
            for frame in array.frames():
                known = self._schedules[id(array), frame.lengths]
                yield from (sweep.planes for sweep in known.sweeps)

    def _write(self, array: _Array, tell: Any) -> None:
        """Write the chunks of an array."""
        if array.is_copied:
            self._copy(array, tell)
            return
        if not array.made.shape:
            copy_number(array.stored, array.path, array.made, self._out.counts(array.path))
        for frame in array.frames():
            done = run(self._scheduled(array, frame), tell)
            self._measured = max(self._measured, done.measured)

    def _copy(self, array: _Array, tell: Any) -> None:
        """Copy the chunks of an array, a few files at once."""
        copy, counts = _chunk_copy(array, self._out), self._out.counts(array.path)
        workers = self._copying(array)
        units = iter(copy.units)
        with machine.Peak() as peak:
            pool = Pool(workers - 1)  # this thread works too
            try:
                while batch := list(islice(units, 4 * workers)):
                    pool.map("copy", partial(self._copy_one, copy, counts), batch)
                    for _ in batch:
                        tell()
            finally:
                pool.close()
        self._measured = max(self._measured, peak.nbytes)

    def _copy_one(self, copy: ChunkCopy, counts: Counts, unit: tuple[int, ...]) -> None:
        own = Counts()
        copy.copy(unit, own)
        with self._lock:
            counts.add(own)

    def _metadata(self) -> Counts:
        """Write the metadata of all arrays and groups, those of the root last."""
        total, by_node = Counts(), {array.node.path: array for array in self._arrays}
        for node in reversed(self._nodes):
            if node.array is not None:
                array = by_node[node.path]
                counts = self._out.counts(array.path)
                write_metadata(array.path, array.made.files(), counts)
                continue
            folder = self._out.path / node.path
            for name in node.beside:
                total.files += 1
                total.bytes += _written(node.folder.read(name) or b"", folder / name)
            values = self._attributes(node)
            files, nbytes = write_group(folder, "0.5" if self._zarr_format == 3 else "0.4", values)
            total.files += files
            total.bytes += nbytes
        return total

    def _attributes(self, node: TreeNode) -> dict[str, Any]:
        """Return the attributes of a group as they are written. Raise SourceError if they can't."""
        try:
            return ome_attributes(node.attributes, node.zarr_format, self._zarr_format)
        except SourceError as error:
            raise SourceError(f"{node.folder}: {error}") from error

    def _told(self, metadata: Counts, seconds: float) -> dict[str, Any]:
        counts = [self._out.counts(array.path) for array in self._arrays]
        rows = tuple(
            {
                "path": array.node.path,
                "shape": array.made.shape,
                "dtype": array.made.dtype.name,
                "chunks": array.made.chunks,
                "shards": array.made.shards,
                "files": own.files,
                "bytes": own.bytes,
                "copied": array.is_copied,
            }
            for array, own in zip(self._arrays, counts, strict=True)
        )
        return {
            "arrays": rows,
            "files": metadata.files + sum(own.files for own in counts),
            "bytes_read": sum(array.stored.stored_bytes for array in self._arrays),
            "bytes_raw": sum(array.nbytes for array in self._arrays),
            "bytes_written": metadata.bytes + sum(own.bytes for own in counts),
            "seconds": seconds,
            "workers": self._limits.workers,
            "budget": self._limits.budget,
            "projected": self.projected,
            "measured": self._measured or machine.resident(),
        }


def _unit_bytes(array: _Array) -> int:
    return ChunkCopy.held_bytes(array.made)


def _chunk_copy(array: _Array, out: OpenOutput) -> ChunkCopy:
    return ChunkCopy(array.stored, array.path, array.made, out.check)


def _written(content: bytes, target: Path) -> int:
    """Write a file that goes with a store; return its bytes."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.write_bytes(content)
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror}") from error


def _tops(nodes: Sequence[TreeNode], arrays: Sequence[_Array]) -> list[str]:
    """Return the names of what is made in the store's folder, besides its metadata."""
    root = nodes[0]
    if root.array is None:
        inner = {node.path.split("/")[0] for node in nodes if node.path}
        return [*inner, *root.beside, SCRATCH]
    made = arrays[0].made
    sides = zip(made.shape[:1], made.unit[:1], strict=True)
    numbers = [str(i) for n, u in sides for i in range(-(-n // u))]
    return ["c"] if made.zarr_format == 3 else numbers or ["0"]
