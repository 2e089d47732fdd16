"""Scratch: files of planes and layers that wait; they are removed when the run is over.

Planes wait between two sweeps: the thread that brings rows packs them, and they are written one
after the other. Layers of a pyramid wait until they are complete: see `hoaconv.pyramid.layers`.
Layers of a source wait until their planes are given: see `hoaconv.engine.layers`.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from shutil import disk_usage
from tempfile import gettempdir
from threading import Lock
from time import perf_counter
from typing import Any
from uuid import uuid4

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import (
    Economy,
    Fold,
    Hold,
    HoldWriter,
    Pieces,
    Scratch,
    Source,
    Use,
)
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError, StoreError
from hoaconv.io.contents import SCRATCH
from hoaconv.io.packed import HEADER, MOST, PackedFile, Place, pack, packing_bytes
from hoaconv.io.url import Url
from hoaconv.units import format_bytes

__all__ = [
    "OpenScratch",
    "ScratchFolder",
    "ScratchPieces",
    "ScratchSink",
    "check_space",
    "existing_folder",
    "waiting_place",
]

PIECE_BYTES = 1 << 20
"""Bytes of rows that are packed at once, for planes between two sweeps; at least one row is."""


@dataclass(frozen=True)
class ScratchFolder(Scratch):
    """Place of a run's scratch files, as a value: no folder is made before it is opened.

    Attributes
    ----------
    folder
        The folder of the files.
    shared
        True if other runs may get the same folder. Each opening then adds a random number to the
        folder's name.
    """

    folder: Path
    shared: bool = False

    @classmethod
    def of(cls, output: Path, under: Path | None) -> "ScratchFolder":
        """Return the place for the run of `output`: in the folder `under`, else in the output.

        For a URL that is a folder for temporary files of this machine.
        """
        under = under or waiting_place(output)
        if under is None:
            return cls(output / SCRATCH)
        return cls(under / f"hoaconv-{output.name}", shared=True)

    def hold(self, name: str, spec: Spec) -> "ScratchSink":
        """Return the sink that keeps planes of `spec` in a file of this name."""
        return ScratchSink(self, name, spec)

    def pieces(self, name: str) -> "ScratchPieces":
        """Return a place for pieces of planes, in a file of this name, not yet made on disk."""
        return ScratchPieces(self.open(), name)

    @property
    def largest_piece(self) -> int:
        """Bytes that are packed in one call, at most."""
        return MOST

    def stored_bytes(self, pieces: int, nbytes: int) -> int:
        """Return the bytes of so many pieces in a file, none of them compressible."""
        return nbytes + pieces * HEADER

    def packing_bytes(self, nbytes: int) -> int:
        """Return the bytes that a thread holds while it packs or unpacks a piece of `nbytes`."""
        return packing_bytes(nbytes)

    def open(self) -> "OpenScratch":
        """Return the open folder; it is made when the first file is written."""
        name = f"{self.folder.name}-{uuid4().hex}" if self.shared else self.folder.name
        return OpenScratch(self.folder.with_name(name))

    def free(self) -> int:
        """Return the free bytes of the disk that holds the folder or will hold it."""
        return disk_usage(existing_folder(self.folder)).free


class OpenScratch:
    """A folder of packed files: made when the first is written, removed with the last.

    Files of others in it stay. Several threads may use it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, PackedFile] = {}

    def file(self, name: str) -> PackedFile:
        """Return a packed file of this name, not yet made on disk.

        Raises
        ------
        PlanError
            If a file of this name was returned before.
        """
        if name in self._files:
            raise PlanError(f"two things called {name!r} would wait in {self.folder}")
        made = PackedFile(self.folder / name)
        self._files[name] = made
        return made

    def remove(self) -> None:
        """Remove all files, and the folder if it is then empty.

        Raises
        ------
        StoreError
            If a file can't be removed.
        """
        while self._files:
            self._files.popitem()[1].remove()
        with suppress(OSError):  # never made, or not empty
            self.folder.rmdir()


class ScratchPieces(Pieces):
    """Pieces of planes that wait in a file of their own: see `ScratchFolder.pieces`."""

    def __init__(self, scratch: OpenScratch, name: str) -> None:
        self._scratch, self._file = scratch, scratch.file(name)
        self._lock = Lock()
        self._is_removed = False

    def put(self, piece: Plane) -> Place:
        """Pack a piece (y, x), write it, and return its place. Raise StoreError if that fails."""
        packed = pack(piece)
        with self._lock:
            if self._is_removed:  # a thread that an aborted run has left behind
                raise StoreError(f"scratch {self._file.path} is removed")
            return self._file.write(packed)

    def get(self, place: Place, out: Plane) -> None:
        """Unpack the piece at `place` into `out`, which may be a view of a plane.

        Raises
        ------
        StoreError
            If it can't be read back.
        """
        whole = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
        self._file.get(place, whole)
        if whole is not out:
            out[...] = whole

    def clear(self) -> None:
        """Discard all pieces: later ones are written over them."""
        self._file.clear()

    def remove(self) -> None:
        """Remove the file, and the folder if it is then empty. Raise StoreError if that fails."""
        with self._lock:
            self._is_removed = True
            self._scratch.remove()


def check_space(needs: Iterable[tuple[Path, int]]) -> str | None:
    """Return words on a disk that is too small for a run's scratch.

    Folders on one disk share its free space.

    Parameters
    ----------
    needs
        Folders, which need not exist yet, and the most bytes that wait in each at once.

    Returns
    -------
    str or None
        None if every disk has enough space.
    """
    disks: dict[int, tuple[Path, int]] = {}
    for folder, nbytes in filter(itemgetter(1), needs):
        disk = os.stat(existing_folder(folder)).st_dev
        disks[disk] = (folder, disks.get(disk, (folder, 0))[1] + nbytes)
    for folder, nbytes in disks.values():
        free = ScratchFolder(folder).free()
        if nbytes > free:
            return (
                f"up to {format_bytes(nbytes)} have to wait in scratch, and the disk of {folder} "
                f"has {format_bytes(free)} free; free some space, name a folder on another disk "
                "with `scratch`, or raise `budget`"
            )
    return None


def waiting_place(output: Path) -> Path | None:
    """Return a folder of this machine in which data wait for a URL; None for other outputs."""
    return Path(gettempdir()) if isinstance(output, Url) else None


def existing_folder(folder: Path) -> Path:
    """Return the folder, or the nearest existing one around it."""
    around = (folder.absolute(), *folder.absolute().parents)
    return next(there for there in around if os.path.exists(there))


@dataclass(frozen=True)
class _Packing:
    """Sizes of packed planes of a spec: their pieces, and the table of places of the pieces."""

    spec: Spec

    @property
    def rows(self) -> int:
        """Rows of a piece, at most."""
        return max(1, PIECE_BYTES // self._row_bytes)

    @property
    def piece_bytes(self) -> int:
        """Bytes of a piece, at most."""
        return min(self.rows * self._row_bytes, self.spec.plane_bytes)

    @property
    def table_bytes(self) -> int:
        """Bytes of a plane's table if each piece is one row: start, stop, first byte, bytes."""
        return 4 * 8 * self.spec.plane_shape[0]

    @property
    def reading_bytes(self) -> int:
        """Bytes held while a plane is read: a packed piece, and the table of its pieces."""
        return packing_bytes(self.piece_bytes) + 8 * self.table_bytes

    @property
    def _row_bytes(self) -> int:
        return self.spec.plane_bytes // self.spec.plane_shape[0]


@dataclass(frozen=True)
class ScratchSink(Hold):
    """Planes that wait in a file for the next sweep: see `ScratchFolder.hold`."""

    place: ScratchFolder
    name: str
    given: Spec

    @property
    def spec(self) -> Spec:
        """Shape and dtype of the planes that this sink takes."""
        return self.given

    @property
    def reading_bytes(self) -> int:
        """Bytes that one worker holds while it reads a plane again."""
        return self._packing.reading_bytes

    @property
    def _packing(self) -> _Packing:
        return _Packing(self.given)

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:  # noqa: ARG002
        """Return the memory of rows that are being packed, and of the tables of places."""
        packing = (workers + 1) * packing_bytes(self._packing.piece_bytes)
        tables = 16 * spec.planes + 8 * self._packing.table_bytes
        return (
            Use(str(self), f"packing in {workers + 1} threads", packing),
            Use(str(self), "where planes lie", tables),
        )

    def storing(self, spec: Spec, workers: int, economy: Economy) -> int:  # noqa: ARG002
        """Return 0 bytes: rows are written as they come."""
        return 0

    def scratch_bytes(self, spec: Spec, economy: Economy) -> int:  # noqa: ARG002
        """Return the bytes of all planes on disk, each row packed alone and not compressible."""
        rows = spec.planes * spec.plane_shape[0]
        return spec.nbytes + rows * HEADER + spec.planes * self._packing.table_bytes

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "ScratchWriter":  # noqa: ARG002
        """Return a writer of planes; the file is made with the first plane."""
        return ScratchWriter(self)

    @property
    def scratch_place(self) -> Path:
        """Folder in which, or beside which, planes wait."""
        return self.place.folder

    def trial(self, spec: Spec, plane: Plane) -> float:
        """Return the seconds that packing the plane takes."""
        start, rows = perf_counter(), self._packing.rows
        for row in range(0, len(plane), rows):
            pack(plane[row : row + rows])
        return (perf_counter() - start) * spec.plane_shape[0] / len(plane)

    def __str__(self) -> str:
        return f"scratch {self.name}"


class ScratchWriter(HoldWriter):
    """A `ScratchSink` being written."""

    def __init__(self, sink: ScratchSink) -> None:
        self._sink, self._rows = sink, _Packing(sink.given).rows
        self._scratch = sink.place.open()
        self.file = self._scratch.file(sink.name)
        self._lock = Lock()
        self._pieces: list[tuple[int, int, int, int]] = []
        self._planes = 0
        self._tables = np.zeros((sink.given.planes, 2), np.int64)

    def take(self, plane: Plane, rows: slice) -> None:
        """Pack and write the given rows of a plane (y, x)."""
        for start in range(rows.start, rows.stop, self._rows):
            stop = min(start + self._rows, rows.stop)
            place = self.file.put(plane[start:stop])
            with self._lock:
                self._pieces.append((start, stop, *place))

    def advance(self) -> None:
        """Write the table of places of the plane's pieces; the next plane begins."""
        table = np.array(self._pieces, np.int64)
        self._tables[self._planes] = self.file.write(table)
        self._pieces.clear()
        self._planes += 1

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the number of planes and their bytes; raise PlanError if a plane is missing."""
        if self._planes != self._sink.given.planes:
            raise PlanError(f"{self._planes} planes came of {self._sink.given.planes}")
        return {"planes": self._planes, "bytes": self.file.nbytes}

    def kept(self) -> Source:
        """Return a source that reads the planes back."""
        return _Kept(self._sink, self.file, self._tables)

    def release(self) -> None:
        """Remove the file: the planes have been read."""
        self._scratch.remove()

    def abort(self) -> bool:
        """Remove the file; return True."""
        self._scratch.remove()
        return True


class _Kept(Source):
    """A source of planes in a file, in any order and any number of times, found by their tables."""

    def __init__(
        self, sink: ScratchSink, file: PackedFile, tables: np.ndarray[Any, np.dtype[np.int64]]
    ) -> None:
        self._sink, self._file, self._tables = sink, file, tables

    @property
    def spec(self) -> Spec:
        return self._sink.given

    @property
    def stored_bytes(self) -> int:
        """Zero bytes: planes in scratch are no slices."""
        return 0

    def read(self, z: int, out: Plane) -> None:
        """Unpack plane `z` into `out` (y, x). Raise StoreError if it can't be read back."""
        start, nbytes = self._tables[z].tolist()
        table = self._file.read((start, nbytes)).view(np.int64).reshape(-1, 4)
        for first, stop, place, size in table.tolist():
            self._file.get((place, size), out[first:stop])

    def scratch(self) -> int:
        return self._sink.reading_bytes

    def __str__(self) -> str:
        return str(self._sink)
