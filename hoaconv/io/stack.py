"""A stack of slices as a source of planes."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.pool import in_threads
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import SpellingError
from hoaconv.io import edf, jp2, png
from hoaconv.io.address import Addressed
from hoaconv.io.colour import Pick, check_lone
from hoaconv.io.files import Found, find_files, kind_of
from hoaconv.io.names import check_names, check_numbering
from hoaconv.io.slices import StoredSlice, check_alike
from hoaconv.io.tiff_alike import AlikeTiffs
from hoaconv.io.tiff_notes import tiff_notes
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
        The folder or file by which the slices were found.
    notes
        Messages for the user: files left out, gaps allowed, voxel sizes in conflict.
    geometry
        Geometry of the voxels that are read, from the files or the folder's name, or from `at`.
    spacing
        Stored voxels (z, y, x) from one voxel that is read to the next.
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
        """Bytes that are read from disk if every plane is read once."""
        return sum(stored.stored_bytes for stored in self._slices)

    labels: tuple[str, ...] = ()
    """Names of label images: none, since only images in zarr have them."""

    @property
    def image_name(self) -> str | None:
        """Always None: folders are called "slices" or "jp2", which doesn't name an image."""
        return None

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of the planes, each once."""
        return tuple(dict.fromkeys(stored.file for stored in self._slices))

    def file_of(self, z: int) -> Path:
        """Return the file that holds plane `z`."""
        return self._slices[z].file

    def read(self, z: int, out: Plane) -> None:
        """Decode plane `z` into `out` (y, x); several threads may call this.

        Raises
        ------
        SourceError
            If the plane can't be decoded completely; the message names the file.
        ValueError
            If `out` isn't C-contiguous, or has another shape or dtype than the plane.
        """
        stored = self._slices[z]
        if out.shape != stored.shape or out.dtype != stored.dtype or not out.flags.c_contiguous:
            raise ValueError(f"planes are {stored}, C-contiguous; out is {out.shape} {out.dtype}")
        stored.read(out)

    def scratch(self) -> int:
        """Return the most bytes that one worker holds while it reads a plane, besides `out`."""
        return max(stored.scratch for stored in self._slices)

    @property
    def decodes_slowly(self) -> bool:
        """True if all slices take long to decode, such as JP2 without a GPU."""
        return all(stored.decodes_slowly for stored in self._slices)

    def at(self, geometry: Geometry) -> "Stack":
        """Return this volume with another voxel size or origin."""
        placed = copy(self)
        placed.geometry = geometry
        return placed

    def choose(self, planes: Sequence[int]) -> "Stack":
        """Return a stack of these planes only, in this order."""
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
    pick: Pick = Pick(),  # noqa: B008 - it never changes
) -> Stack:
    """Return a stack of slices; check every header, decode no voxel.

    Parameters
    ----------
    src
        A folder, a glob pattern, or one file: multi-page TIFF, ImageJ, OME-TIFF, single slice.
    slices
        Slices (pages) to take, in natural order, as Python slices a list.
    allow_gaps
        If True, missing numbers between the chosen slices cause a note instead of an error.
    allow_names
        If True, names that don't fit the others cause a note instead of an error.
    reduce
        A power of 2: JP2 slices are decoded at 1 / `reduce` of their width and height.
    gpu
        If True, nvImageCodec decodes JP2 slices instead of OpenJPEG.
    pick
        The channel, time and image to take, where there are several.

    Raises
    ------
    SourceError
        If the slices can't be found or read, have several channels of which none is chosen, don't
        agree, or have a gap; if they
        can't be reduced so far, or nvImageCodec can't decode them.
    SpellingError
        If `slices` chooses nothing, or there is no such channel, time or image.
    """
    found = find_files(Path(src))
    files = chosen(slices, len(found.files)) if len(found.files) > 1 else [0]
    gaps = check_names(found.files, allow_names)
    gaps += check_numbering(found.files, files, allow_gaps)
    stored, notes, sizes = _read_headers([found.files[i] for i in files], pick)
    if len(found.files) == 1:
        files = chosen(slices, len(stored))
        stored = [stored[i] for i in files]
    size, doubts = choose((*sizes, from_name(_named(found))))
    told = (*found.notes, *gaps, *notes, *tiff_notes(stored), *doubts, *_of_channels(stored))
    if reduce > 1:
        check_alike(stored)  # reduced slices could agree even if these don't
        stored = [one.reduced(reduce) for one in stored]
        told += (f"slices are decoded at 1/{reduce} of their width and height: a preview",)
    if gpu:
        stored = [one.on_gpu() for one in stored]
    return Stack(found.path, stored, told, size, (step_of(slices), reduce, reduce), min(files))


def step_of(slices: slice | None) -> int:
    """Return the step of `slices` in stored slices, without its sign; 1 for None."""
    return abs(slices.step or 1) if slices else 1


def chosen(slices: slice | None, count: int) -> list[int]:
    """Return the indices that `slices` takes out of `count`. Raise SpellingError if none."""
    taken = list(range(count))[slices or slice(None)]
    if not taken:
        words = "" if slices is None else f"{slices.start}:{slices.stop}:{slices.step}"
        words = words.replace("None", "")
        raise SpellingError(f"slices {words} chooses none of {count} slices")
    return taken


def _of_channels(stored: Sequence[StoredSlice]) -> Iterator[str]:
    """Give a note on what is taken of slices with several channels."""
    first = stored[0]
    if first.channels > 1 and first.channel is None:
        yield "the slices are RGB; their luminance is read (ITU-R BT.601)"
    elif first.channels > 1:
        yield f"the slices have {first.channels} channels; channel {first.channel} is read"


def _read_headers(files: Sequence[Path], pick: Pick) -> Headers:
    """Return the headers of all files, with the notes and voxel sizes of the first."""
    kind = kind_of(files[0])
    if len(files) == 1 and kind == "TIFF":
        volume = partial(read_volume, pick=pick)
        return in_threads("headers", volume, files, 1)[0]
    check_lone(pick)
    if len(files) == 1 and kind == "EDF":
        return in_threads("headers", edf.read_frames, files, 1)[0]
    read = AlikeTiffs().read if kind == "TIFF" else partial(_read_lone, _HEADERS[kind or ""])
    (first,) = in_threads("headers", read, files[:1], 1)  # the others are compared with it
    first[0].taking(pick)
    headers = [first, *in_threads("headers", read, files[1:], _READERS)]
    _, notes, sizes = first
    slices = [stored for stored, _, _ in headers]
    check_alike(slices)
    return [stored.taking(pick) for stored in slices], notes, sizes


_HEADERS: dict[str, Callable[[Path], tuple[StoredSlice, Geometry | None]]] = {
    "JPEG 2000": jp2.read_header,
    "PNG": png.read_header,
    "EDF": edf.read_header,
}


def _read_lone(read: Callable[[Path], tuple[StoredSlice, Geometry | None]], file: Path) -> Header:
    stored, size = read(file)
    return stored, (), (size,)


def _named(found: Found) -> Path:
    """Return the path whose name may hold a voxel size: absolute and without suffix."""
    path = found.path.absolute()
    return path.with_suffix("") if found.path.is_file() else path
