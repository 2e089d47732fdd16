"""Datasets of HDF5 files as stored arrays, through h5py.

The HDF5 library does one thing at a time: h5py holds one lock for the whole process. So chunks with
the usual filters are read as they are, and unpacked without the lock, by all workers at once
(`hoaconv.io.hdf5_chunks`). Those with other filters are decoded one after the other, however many
workers there are. Datasets that are neither chunked nor compressed don't come here: see
`hoaconv.io.file_array`.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.errors import SourceError
from hoaconv.io.file_array import Grid
from hoaconv.io.hdf5_chunks import filters_of, unpacked
from hoaconv.io.opened import seen
from hoaconv.io.slices import blame
from hoaconv.io.stored_array import StoredArray
from hoaconv.io.voxel_size import Axes

__all__ = ["CACHE_BYTES", "Hdf5Array", "check_filters", "sources_of"]

CACHE_BYTES = 1 << 20
"""Bytes of HDF5's cache of chunks, for each dataset."""

THIN = 1 << 22
"""Bytes of rows that are read at once where there are no chunks, about."""

_FILTERS = {
    307: "bzip2",
    305: "LZO",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32014: "FPZIP",
    32015: "Zstandard",
    32017: "SZ",
    32018: "FCIDECOMP",
    32019: "JPEG",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
    32030: "J2K",
}
"""Names of registered filters: https://github.com/HDFGroup/hdf5_plugins."""


class Hdf5Array(StoredArray):
    """A dataset of an open HDF5 file.

    Parameters
    ----------
    path
        The file that the user has named; the dataset may lie in another one behind a link.
    dataset
        The dataset of h5py; its file stays open as long as this array lives.
    inside
        Its path in the file, links included.
    axes
        Names of its axes.
    grid
        Sizes and places of the voxels; None if unknown.
    notes
        Remarks for the user.
    plain
        Whether the voxels are stored as NumPy holds them, so that no conversion is needed.
    """

    scheme = "hdf5"

    def __init__(
        self,
        path: Path,
        dataset: Any,
        inside: str,
        axes: Sequence[str | None],
        grid: Grid | None,
        notes: Sequence[str],
        *,
        plain: bool = False,
    ) -> None:
        self.path, self._dataset, self._inside = path, dataset, inside
        self.axes, self._grid = tuple(axes), grid
        self.name = f"{path.name}::{inside}"
        self._own = Path(os.fsdecode(dataset.file.filename))
        self._seen = seen(os.stat(self._own))
        self._shape = tuple(map(int, dataset.shape))
        self._chunks = _chunks(dataset, self._shape)
        self._filters = filters_of(dataset) if plain and dataset.chunks else None
        self._fills_missing, self._told = True, tuple(notes)
        self.notes = (*notes, *self._missing())

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the voxels."""
        dtype: np.dtype[Any] = np.dtype(self._dataset.dtype.str)  # without h5py's words for enums
        return dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk; of parts of planes where there are none."""
        return self._chunks

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, and that of the dataset behind a link."""
        return tuple(dict.fromkeys((self.path, self._own)))

    @property
    def stored_bytes(self) -> int:
        """Bytes of the stored chunks; of the voxels where they lie in other files."""
        if self._dataset.is_virtual:
            return prod(self._shape) * self.dtype.itemsize
        return int(self._dataset.id.get_storage_size())

    def reading_bytes(self, chunks: int) -> int:  # noqa: ARG002 - one after the other
        """Return the bytes of HDF5's cache, and of one chunk, packed, unpacked and put in order."""
        whole = self._dataset.chunks or self._chunks
        return CACHE_BYTES + 3 * prod(whole) * self.dtype.itemsize

    def refuse_missing(self) -> None:
        """Make a missing chunk an error when it is read."""
        self._fills_missing, self.notes = False, self._told

    @property
    def fills_missing(self) -> bool:
        """True if missing chunks are read as the fill value."""
        return self._fills_missing

    def read(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box. A missing chunk has the fill value.

        Raises
        ------
        SourceError
            If they can't be read whole, or the file has changed.
        """
        where = ", ".join(f"{side.start}:{side.stop}" for side in box)
        with blame(f"{self.path}, voxels {where} of {self._inside},"):
            self._check_same()
            self._check_there(box)
            voxels = self._dataset[box] if self._filters is None else self._assembled(box)
            self._check_same()
        taken: np.ndarray[Any, Any] = np.asarray(voxels)
        return taken

    def _assembled(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box out of the chunks that it touches."""
        whole = tuple(map(int, self._dataset.chunks))
        out = np.empty([side.stop - side.start for side in box], self.dtype)
        for corner in _corners(box, whole):
            ends = zip(corner, whole, box, strict=True)
            there = tuple(slice(max(o, s.start), min(o + c, s.stop)) for o, c, s in ends)
            target = tuple(_less(part, side.start) for part, side in zip(there, box, strict=True))
            chunk = self._chunk(corner, whole)
            if chunk is None:
                out[target] = self._dataset[there]
            else:
                out[target] = chunk[tuple(map(_less, there, corner))]
        return out

    def _chunk(
        self, corner: tuple[int, ...], whole: tuple[int, ...]
    ) -> np.ndarray[Any, Any] | None:
        """Return a chunk, unpacked without HDF5's lock; None if it isn't stored as the others."""
        try:
            left_out, data = self._dataset.id.read_direct_chunk(corner)
        except (OSError, RuntimeError, ValueError):
            return None  # it isn't stored, or can't be read: HDF5 itself tells
        if left_out:
            return None  # filters that were of no use for it
        itemsize = self.dtype.itemsize
        coded = unpacked(self._filters or (), data, prod(whole) * itemsize, itemsize)
        return np.frombuffer(coded, self.dtype).reshape(whole)

    def _check_there(self, box: tuple[slice, ...]) -> None:
        """Raise SourceError if a chunk of a box isn't stored, unless it is to be filled."""
        if self._fills_missing or self._dataset.chunks is None or self._dataset.is_virtual:
            return
        for corner in _corners(box, tuple(map(int, self._dataset.chunks))):
            if self._dataset.id.get_chunk_info_by_coord(corner).byte_offset is None:
                where = ", ".join(map(str, corner))
                raise SourceError(
                    f"{self.name} lacks the chunk at {where}; copy the file again, or read such "
                    'chunks as the fill value by `missing="fill"`'
                )

    def _check_same(self) -> None:
        if seen(os.stat(self._own)) != self._seen:
            raise SourceError(
                f"{self._own} changed while hoaconv ran: let whatever writes it end, and run again"
            )

    def _missing(self) -> Iterator[str]:
        """Yield a note if chunks aren't stored: they then have the fill value."""
        if self._dataset.chunks is None or self._dataset.is_virtual:
            return
        pairs = zip(self._shape, self._chunks, strict=True)
        whole, stored = prod(-(-n // c) for n, c in pairs), self._dataset.id.get_num_chunks()
        if stored < whole:
            yield (
                f"{whole - stored} of {whole} chunks of {self.name} aren't stored; they are read "
                f"as {self._dataset.fillvalue}"
            )

    def geometry(self, axes: Axes) -> Geometry | None:
        """Return the size and place of the voxels as the file's metadata tell."""
        return self._grid.geometry(axes) if self._grid else None


def _corners(box: tuple[slice, ...], chunks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the first voxel of each chunk that a box touches."""
    pairs = zip(box, chunks, strict=True)
    return product(*(range(s.start // c * c, s.stop, c) for s, c in pairs))


def _less(side: slice, by: int) -> slice:
    return slice(side.start - by, side.stop - by)


def _chunks(dataset: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what is read at once: that of a chunk, or of some rows of a plane."""
    chunks = dataset.chunks
    if chunks is None and dataset.is_virtual:
        chunks = next((one.chunks for one in sources_of(dataset, 1) if one.chunks), None)
    if chunks is not None and len(chunks) == len(shape):
        return tuple(min(int(c), n) for c, n in zip(chunks, shape, strict=True))
    *others, n, columns = shape
    rows = max(1, THIN // (columns * dataset.dtype.itemsize))
    return (*(1 for _ in others), min(n, rows), columns)


def sources_of(dataset: Any, most: int | None = None) -> Iterator[Any]:
    """Yield the datasets that a virtual one is made of; h5py would take a missing one for zeros.

    Raises
    ------
    SourceError
        If one is missing.
    """
    home = Path(os.fsdecode(dataset.file.filename))
    kind = type(dataset.file)
    done = set[tuple[str, str]]()
    for source in dataset.virtual_sources()[:most]:
        file, name = os.fsdecode(source.file_name), os.fsdecode(source.dset_name)
        if "%b" in file or (file, name) in done:
            continue
        done.add((file, name))
        if file == ".":
            yield _inside(dataset.file, name, home)
            continue
        there = next((p for p in (home.parent / file, Path(file)) if p.is_file()), None)
        if there is None:
            raise SourceError(
                f"{home} is made of parts of other files, of which {file} is missing; copy it too"
            )
        with kind(there, "r", locking="best-effort") as opened:
            yield _inside(opened, name, there)


def _inside(file: Any, name: str, path: Path) -> Any:
    if name not in file:
        raise SourceError(f"{path} lacks the dataset {name}, of which another file is made")
    return file[name]


def check_filters(h5py: Any, dataset: Any, path: Path, *, has_plugins: bool) -> None:
    """Raise an error if chunks are packed by a filter that isn't there.

    Parameters
    ----------
    has_plugins
        Whether hdf5plugin is there, which brings most filters.

    Raises
    ------
    SourceError
        If one is missing; the message names it.
    """
    made = dataset.id.get_create_plist()
    for number in range(made.get_nfilters()):
        code, _, _, word = made.get_filter(number)
        if h5py.h5z.filter_avail(code):
            continue
        name = _FILTERS.get(code) or os.fsdecode(word) or f"number {code}"
        todo = (
            "write it again with another one, as in: h5repack -f GZIP=1 OLD NEW"
            if has_plugins
            else 'pip install "hoaconv[hdf5]" brings hdf5plugin, which has most filters'
        )
        raise SourceError(
            f"{path}::{dataset.name} is packed by the filter {name}, which is missing here: {todo}"
        )
