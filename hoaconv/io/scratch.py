"""What waits outside memory, in a folder that is gone when the run is over.

Planes wait between two sweeps: rows are packed by the thread that brings them, and written one
after the other. Layers of a pyramid wait until they are whole: see `hoaconv.pyramid.layers`.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from shutil import disk_usage
from threading import Lock
from time import perf_counter
from typing import Any
from uuid import uuid4

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Hold, Scratch, Source, Thrift, Use, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.io.folder import SCRATCH
from hoaconv.io.packed import HEADER, PackedFile, pack, packing_bytes
from hoaconv.units import format_bytes

__all__ = ["ScratchFolder", "ScratchSink", "ScratchSource", "check_space"]

PIECE_BYTES = 1 << 20
"""Rows of a plane that waits between two sweeps are packed by as many bytes, or a row."""


class ScratchFolder(Scratch):
    """A folder for what waits: made when the first file is written, removed with the last.

    Files of others in it are left alone. Used from several threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, PackedFile] = {}

    @classmethod
    def of(cls, output: Path, under: Path | None) -> "ScratchFolder":
        """Of a run that makes `output`: a folder of its own `under` another, else in the output."""
        if under is None:
            return cls(output / SCRATCH)
        return cls(under / f"hoaconv-{output.name}-{uuid4().hex}")

    def file(self, name: str) -> "PackedFile":
        """A file of this name, which nobody else in this folder has; nothing is made yet."""
        if name in self._files:
            raise PlanError(f"two things called {name!r} would wait in {self.folder}")
        made = PackedFile(self.folder / name)
        self._files[name] = made
        return made

    def hold(self, name: str, spec: Spec) -> "ScratchSink":
        """A place for planes of `spec`; several may have one name, and none is made yet."""
        return ScratchSink(_Held(self.file(f"{name}-{len(self._files)}"), spec))

    def drop(self, name: str) -> None:
        """Remove a file that nobody reads any more; once is enough, twice does no harm."""
        if name in self._files:
            self._files.pop(name).remove()

    def free(self) -> int:
        """Bytes free on the disk where the folder is or will be."""
        return disk_usage(_existing(self.folder)).free

    def remove(self) -> None:
        """Remove all files, and the folder unless others have something in it.

        Raises
        ------
        StoreError
            If a file can't be removed.
        """
        for name in list(self._files):
            self.drop(name)
        with suppress(OSError):  # never made, or not empty
            self.folder.rmdir()


def check_space(needs: Iterable[tuple[Path, int]]) -> str | None:
    """Return why a run's scratch finds no place here; folders on one disk share what is free.

    Parameters
    ----------
    needs
        Folders, there or not yet, and the bytes that will wait in each at once.

    Returns
    -------
    str or None
        None where every disk has enough.
    """
    disks: dict[int, tuple[Path, int]] = {}
    for folder, nbytes in filter(itemgetter(1), needs):
        disk = os.stat(_existing(folder)).st_dev
        disks[disk] = (folder, disks.get(disk, (folder, 0))[1] + nbytes)
    for folder, nbytes in disks.values():
        free = ScratchFolder(folder).free()
        if nbytes > free:
            return (
                f"up to {format_bytes(nbytes)} have to wait in scratch, and the disk of {folder} "
                f"has {format_bytes(free)} free; free some space, name a folder on another disk "
                "with --scratch, or raise --budget"
            )
    return None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest around it that there is."""
    around = (folder.absolute(), *folder.absolute().parents)
    return next(there for there in around if there.exists())


class _Held:
    """Planes in a file, in any order: where each one's table lies, which tells of its pieces."""

    def __init__(self, file: PackedFile, spec: Spec) -> None:
        self.file, self.spec = file, spec
        self.tables = np.zeros((0, 2), np.int64)

    @property
    def rows(self) -> int:
        """Rows of a piece, at most."""
        return max(1, PIECE_BYTES // self.row_bytes)

    @property
    def row_bytes(self) -> int:
        return self.spec.plane_bytes // self.spec.plane_shape[0]

    @property
    def piece_bytes(self) -> int:
        return min(self.rows * self.row_bytes, self.spec.plane_bytes)

    @property
    def table_bytes(self) -> int:
        """Of a plane whose pieces are single rows: start, stop and place of each."""
        return 4 * 8 * self.spec.plane_shape[0]

    def __str__(self) -> str:
        return f"scratch {self.file.path.name}"


@dataclass(frozen=True)
class ScratchSink(Hold):
    """Planes that wait for the next sweep: see `ScratchFolder.hold`."""

    held: _Held

    def infer(self, spec: Spec) -> Spec:
        """Spec as it is. Raises PlanError unless it is the one that was agreed."""
        if spec != self.held.spec:
            raise PlanError(f"{self} was made for {self.held.spec}; it gets {spec}")
        return spec

    def uses(self, spec: Spec, workers: int, thrift: Thrift) -> tuple[Use, ...]:  # noqa: ARG002
        """Rows being packed, and where planes lie."""
        packing = (workers + 1) * packing_bytes(self.held.piece_bytes)
        tables = 16 * spec.planes + 8 * self.held.table_bytes
        return (
            Use(str(self), f"packing in {workers + 1} threads", packing),
            Use(str(self), "where planes lie", tables),
        )

    def storing(self, spec: Spec, workers: int, thrift: Thrift) -> int:  # noqa: ARG002
        """None: rows are written as they come."""
        return 0

    def scratch_bytes(self, spec: Spec, thrift: Thrift) -> int:  # noqa: ARG002
        """All planes, were none of them smaller packed, each row by itself."""
        rows = spec.planes * spec.plane_shape[0]
        return spec.nbytes + rows * HEADER + spec.planes * self.held.table_bytes

    def files(self, spec: Spec) -> int:  # noqa: ARG002
        """None that stays."""
        return 0

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, thrift: Thrift) -> Writer:  # noqa: ARG002
        """Make ready to take planes; the file is made with the first."""
        return _ScratchWriter(self.held)

    @property
    def scratch_place(self) -> Path:
        """The folder where planes wait."""
        return self.held.file.path.parent

    def source(self) -> "ScratchSource":
        """Gives the planes, once they are there."""
        return ScratchSource(self.held)

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Seconds to pack the plane."""
        start = perf_counter()
        for row in range(0, len(plane), self.held.rows):
            pack(plane[row : row + self.held.rows])
        return (perf_counter() - start) * spec.plane_shape[0] / len(plane)

    def warm(self, spec: Spec) -> None:
        """No kernels."""

    def __str__(self) -> str:
        return str(self.held)


class _ScratchWriter(Writer):
    """A `ScratchSink` being written."""

    def __init__(self, held: _Held) -> None:
        self._held = held
        self._lock = Lock()
        self._pieces: list[tuple[int, int, int, int]] = []
        self._planes = 0
        held.tables = np.zeros((held.spec.planes, 2), np.int64)

    def take(self, plane: Plane, rows: slice) -> None:
        """Pack and write a band."""
        for start in range(rows.start, rows.stop, self._held.rows):
            stop = min(start + self._held.rows, rows.stop)
            place = self._held.file.put(plane[start:stop])
            with self._lock:
                self._pieces.append((start, stop, *place))

    def advance(self) -> None:
        """Write down where the plane's pieces lie."""
        table = np.array(self._pieces, np.int64)
        self._held.tables[self._planes] = self._held.file.write(table)
        self._pieces.clear()
        self._planes += 1

    def close(self, folds: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Planes, and the bytes that they take."""
        if self._planes != self._held.spec.planes:
            raise PlanError(f"{self._planes} planes came of {self._held.spec.planes}")
        return {"planes": self._planes, "bytes": self._held.file.nbytes}

    def release(self) -> None:
        """Remove the file: the planes have been read."""
        self._held.file.remove()

    def abort(self) -> bool:
        """Remove the file."""
        self._held.file.remove()
        return True


@dataclass(frozen=True)
class ScratchSource(Source):
    """Planes that have waited, in any order and as often as wanted: see `ScratchFolder.hold`."""

    held: _Held

    @property
    def spec(self) -> Spec:
        """As agreed, before any plane was there."""
        return self.held.spec

    @property
    def stored_bytes(self) -> int:
        """None: what is read are no slices."""
        return 0

    def read(self, z: int, out: Plane) -> None:
        """Unpack plane `z` into `out`. Raises StoreError if it can't be read back."""
        start, nbytes = self.held.tables[z].tolist()
        table = self.held.file.read((start, nbytes)).view(np.int64).reshape(-1, 4)
        for first, stop, place, size in table.tolist():
            self.held.file.get((place, size), out[first:stop])

    def scratch(self) -> int:
        """A packed piece, and where the plane's pieces lie."""
        return packing_bytes(self.held.piece_bytes) + 8 * self.held.table_bytes

    def __str__(self) -> str:
        return str(self.held)
