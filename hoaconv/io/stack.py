"""A stack of slices as a source of planes."""

import os
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from pathlib import Path

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.pool import in_threads
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import SpellingError
from hoaconv.io import jp2, tiff
from hoaconv.io.address import Addressed
from hoaconv.io.files import Found, find_files, kind_of
from hoaconv.io.names import check_names, check_numbering
from hoaconv.io.slices import StoredSlice, check_alike
from hoaconv.io.tiff_alike import AlikeTiffs
from hoaconv.io.tiff_volume import read_volume
from hoaconv.io.voxel_size import choose, from_name

__all__ = ["Stack", "chosen", "open_stack", "step_of"]

Header = tuple[StoredSlice, tuple[str, ...], tuple[Geometry | None, ...]]
Headers = tuple[Sequence[StoredSlice], tuple[str, ...], tuple[Geometry | None, ...]]

_READERS = 8  # files whose headers are read at once, which hides a file server's latency


class Stack(Addressed):
    """Slices with equal shape and dtype, whose headers have been checked.

    Attributes
    ----------
    path
        The folder or file that the slices were found by.
    notes
        What the run must tell the user: files left out, gaps let through, sizes in conflict.
    geometry
        As the files or the folder's name tell it, of the voxels that are read, or as `at` sets it.
    spacing
        Stored voxels from one that is read to the next, zyx.
    """

    def __init__(
        self,
        path: Path,
        slices: Sequence[StoredSlice],
        notes: Iterable[str] = (),
        stored: Geometry | None = None,
        spacing: tuple[int, int, int] = (1, 1, 1),
        first: int = 0,
    ) -> None:
        check_alike(slices)
        self.path = path
        self.notes = tuple(notes)
        placed = (stored or Geometry()).shifted((first, 0, 0))
        self.geometry = placed.coarser(spacing, middle=0)
        self.spacing = spacing
        self._slices = tuple(slices)

    @property
    def spec(self) -> Spec:
        """Shape and dtype of all planes."""
        first = self._slices[0]
        return Spec((len(self._slices), *first.shape), first.dtype, self.geometry)

    @property
    def stored_bytes(self) -> int:
        """Bytes that reading every plane once takes from disk."""
        return sum(stored.stored_bytes for stored in self._slices)

    labels: tuple[str, ...] = ()
    """None: only images in zarr have label images."""

    @property
    def image_name(self) -> str | None:
        """None: folders of slices are called "slices" or "jp2", which tells nothing of an image."""
        return None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the planes are in, each once."""
        return tuple(dict.fromkeys(stored.file for stored in self._slices))

    def file_of(self, z: int) -> Path:
        """The file that plane `z` is in."""
        return self._slices[z].file

    def read(self, z: int, out: Plane) -> None:
        """Decode plane `z` into `out` (y, x); safe to call from several threads.

        Raises
        ------
        SourceError
            If the plane can't be decoded whole; the message names the file.
        ValueError
            If `out` isn't C-contiguous, or of another shape or dtype than the stack's.
        """
        stored = self._slices[z]
        if out.shape != stored.shape or out.dtype != stored.dtype or not out.flags.c_contiguous:
            raise ValueError(f"planes are {stored}, C-contiguous; out is {out.shape} {out.dtype}")
        stored.read(out)

    def scratch(self) -> int:
        """Bytes that one worker holds while it reads the worst plane, besides `out`."""
        return max(stored.scratch for stored in self._slices)

    def at(self, geometry: Geometry) -> "Stack":
        """Return the same volume with its voxels of another size, or elsewhere."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def choose(self, planes: Sequence[int]) -> "Stack":
        """These slices alone, in this order."""
        taken = copy(self)
        taken._slices = tuple(self._slices[z] for z in planes)
        taken._take(planes)
        return taken

    def __str__(self) -> str:
        return self.path.name

    def __repr__(self) -> str:
        return f"Stack({str(self.path)!r}: {self.spec})"


def open_stack(
    src: str | os.PathLike[str],
    *,
    slices: slice | None = None,
    allow_gaps: bool = False,
    allow_names: bool = False,
    reduce: int = 1,
    gpu: bool = False,
) -> Stack:
    """Find the slices of a stack and check every header; no pixel is decoded.

    Parameters
    ----------
    src
        A folder, a glob pattern, or one file: multi-page TIFF, ImageJ, OME-TIFF, single slice.
    slices
        Which slices (pages) to take, in natural order, as Python slices a list.
    allow_gaps
        Whether missing numbers between the chosen slices are a note instead of an error.
    allow_names
        Whether files whose names don't fit the others' are a note instead of an error.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height.
    gpu
        Whether nvImageCodec is to decode JP2 slices, instead of OpenJPEG.

    Raises
    ------
    SourceError
        If the slices can't be found or read, aren't gray, don't agree, or have a gap; if they
        can't be reduced as far, or decoded by nvImageCodec.
    SpellingError
        If `slices` chooses nothing.
    """
    found = find_files(Path(src))
    files = chosen(slices, len(found.files)) if len(found.files) > 1 else [0]
    gaps = check_names(found.files, allow_names)
    gaps += check_numbering(found.files, files, allow_gaps)
    stored, notes, sizes = _read_headers([found.files[i] for i in files])
    if len(found.files) == 1:
        files = chosen(slices, len(stored))
        stored = [stored[i] for i in files]
    size, doubts = choose((*sizes, from_name(_named(found))))
    told = (*found.notes, *gaps, *notes, *tiff.white_notes(stored), *doubts)
    if reduce > 1:
        check_alike(stored)  # smaller ones could agree where these don't
        stored = [one.reduced(reduce) for one in stored]
        told += (f"slices are decoded at 1/{reduce} of their width and height: a preview",)
    if gpu:
        stored = [one.on_gpu() for one in stored]
    return Stack(found.path, stored, told, size, (step_of(slices), reduce, reduce), min(files))


def step_of(slices: slice | None) -> int:
    """Stored slices from one that is taken to the next."""
    return abs(slices.step or 1) if slices else 1


def chosen(slices: slice | None, count: int) -> list[int]:
    """Indices that `slices` takes out of `count`. Raises SpellingError if there are none."""
    taken = list(range(count))[slices or slice(None)]
    if not taken:
        words = "" if slices is None else f"{slices.start}:{slices.stop}:{slices.step}"
        words = words.replace("None", "")
        raise SpellingError(f"slices {words} chooses none of {count} slices")
    return taken


def _read_headers(files: Sequence[Path]) -> Headers:
    """Headers of all files; notes and voxel sizes of the first."""
    if len(files) == 1 and kind_of(files[0]) == "TIFF":
        return in_threads("headers", read_volume, files, 1)[0]
    is_tiff = kind_of(files[0]) == "TIFF"
    read: Callable[[Path], Header] = AlikeTiffs().read if is_tiff else _read_jp2
    (first,) = in_threads("headers", read, files[:1], 1)  # the others are compared with it
    headers = [first, *in_threads("headers", read, files[1:], _READERS)]
    _, notes, sizes = first
    return [stored for stored, _, _ in headers], notes, sizes


def _read_jp2(file: Path) -> Header:
    stored, size = jp2.read_header(file)
    return stored, (), (size,)


def _named(found: Found) -> Path:
    """Whose name may tell a voxel size: an absolute path without suffix."""
    path = found.path.absolute()
    return path.with_suffix("") if found.path.is_file() else path
