"""Stored slices of a stack: one image file or TIFF page for each plane."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from errno import ELOOP, EMFILE, ENFILE
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from hoaconv.engine.spec import KNOWN, Plane
from hoaconv.errors import BudgetError, HoaconvError, SourceError
from hoaconv.io.colour import Pick, check_pick

__all__ = ["StoredSlice", "blame", "check_alike", "check_plane", "read_plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSlice(ABC):
    """Place of one stored plane, and its properties from the header.

    Attributes
    ----------
    file
        The image file.
    page
        Index of the page in a multi-page file, from 0; None for a file with one page.
    shape
        Voxels (y, x).
    dtype
        Dtype in the machine's byte order, one of `hoaconv.engine.spec.KNOWN`.
    stored_bytes
        Bytes that are read from disk for the plane.
    scratch
        Bytes held while the plane is read, besides the plane itself.
    seen
        `hoaconv.io.opened.seen` of the file when its header was checked.
    channels
        Values that are stored for a voxel: 1 if it is grey, 3 for RGB and for palettes.
    channel
        Index of the one that is read; None for the luminance of RGB.
    """

    file: Path
    page: int | None = None
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    stored_bytes: int
    scratch: int
    seen: int
    channels: int = 1
    channel: int | None = 0

    @property
    def label(self) -> str:
        """Name of this slice in an error message; pages count from 1, as in ImageJ."""
        return str(self.file) if self.page is None else f"{self.file}, page {self.page + 1}"

    @property
    def decodes_slowly(self) -> bool:
        """True if a core takes 10 ns or more to decode a byte of the plane."""
        return False

    @abstractmethod
    def read(self, out: Plane) -> None:
        """Decode into `out`: (y, x), C-contiguous, of this slice's shape and dtype.

        Raises
        ------
        SourceError
            If the plane isn't complete or can't be read.
        """

    def taking(self, pick: Pick) -> Self:
        """Return the slice of which a channel is read, or the luminance.

        Raises
        ------
        SpellingError
            If there is no such channel, or no luminance.
        SourceError
            If there are several channels, and none is chosen.
        """
        return replace(self, channel=check_pick(self.label, self.channels, pick))

    def reduced(self, factor: int) -> "StoredSlice":
        """Return the slice at 1 / `factor` of its width and height, rounded up.

        Raises
        ------
        SourceError
            If the file holds no lower resolution.
        """
        raise SourceError(
            f"{self.label} can't be reduced by {factor}: only JP2 slices hold lower resolutions; "
            "shrink what is read with the op bin or resize"
        )

    def on_gpu(self) -> "StoredSlice":
        """Return the slice for decoding by nvImageCodec.

        Raises
        ------
        SourceError
            If nvImageCodec can't decode it, or not exactly.
        """
        raise SourceError(
            f"{self.label} can't be decoded by nvImageCodec: only whole JP2 slices are; drop "
            "`decoder`"
        )

    def __str__(self) -> str:
        channels = f", {self.channels} channels" if self.channels > 1 else ""
        return f"{self.shape[0]} x {self.shape[1]} {self.dtype}{channels}"


_OWN = str(Path(__file__).parents[1])
_FAULTS = (TypeError, AttributeError, NameError, AssertionError, LookupError, RecursionError)


@contextmanager
def blame(label: str) -> Iterator[None]:
    """Turn any exception of a parser or codec into an error that names the slice.

    Damaged files make libraries raise exceptions of any kind: struct.error, TypeError, IndexError.
    If such an exception comes from a line of hoaconv, it is a bug of hoaconv and is raised as it
    is.

    Raises
    ------
    SourceError
        If the file or the system may be the cause.
    BudgetError
        If memory runs out, which may have any cause.
    """
    try:
        yield
    except HoaconvError:
        raise
    except MemoryError as error:
        raise BudgetError(
            f"{label}: memory ran out while it was read; free some memory, or take fewer `workers` "
            "and a smaller `budget`; if it is this file alone each time, the file may be damaged"
        ) from error
    except OSError as error:
        raise SourceError(_of_system(label, error)) from error
    except Exception as error:
        if isinstance(error, _FAULTS) and _is_ours(error.__traceback__):
            raise
        raise SourceError(_damaged(label, error)) from error


def _is_ours(trace: TracebackType | None) -> bool:
    """Return True if a line of hoaconv raised, and not one of a library that it called."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN)


def _of_system(label: str, error: OSError) -> str:
    """Return the message for an error of the system; codecs raise OSErrors too, without errno."""
    if error.errno in (EMFILE, ENFILE):
        return (
            f"{label} can't be opened: too many open files; raise the limit with ulimit -n, or "
            "take fewer `workers`"
        )
    if isinstance(error, FileNotFoundError):
        return f"{label}: the file is gone; was it moved or deleted?"
    if isinstance(error, PermissionError):
        return f"{label} may not be read by this user; check its permissions"
    if error.errno == ELOOP:
        return f"{label} is a link that leads back to itself; remove it"
    if error.errno is not None:
        return f"{label} can't be read: {error.strerror}; check the disk or the link, and try again"
    return _damaged(label, error)


def _damaged(label: str, error: Exception) -> str:
    # The message of a codec may help; that of Python, about a key or a division, doesn't.
    found = " ".join(str(error).split())
    said = "" if type(error).__module__ in ("builtins", "struct", "zlib") else f" ({found:.200})"
    return (
        f"{label} can't be read{said}; it may be damaged, cut short, or no image "
        "of the kind that its name says: open it in an image viewer, or copy it again"
    )


def read_plain(label: str, stream: FileIO, offset: int, out: Plane, *, swapped: bool) -> None:
    """Read a plane that lies in a file as it is, from an offset on.

    Parameters
    ----------
    label
        Name of the slice, for an error message.
    swapped
        Whether the file's byte order isn't the machine's.

    Raises
    ------
    SourceError
        If the file ends before the plane does.
    """
    todo = out.reshape(-1).view(np.uint8).data
    stream.seek(offset)
    while todo:
        count = stream.readinto(todo)
        if not count:
            raise SourceError(f"{label} is cut short: {len(todo)} bytes are missing")
        todo = todo[count:]
    if swapped:
        out.byteswap(inplace=True)


def check_plane(
    label: str, shape: tuple[int, ...], dtype: np.dtype[Any] | None
) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Return the shape (y, x) and dtype of a header, if hoaconv takes such planes.

    Raises
    ------
    SourceError
        If `shape` isn't (y, x) with at least one voxel, or `dtype` isn't in `KNOWN`.
    """
    if len(shape) != 2 or min(shape) < 1:
        size = " x ".join(map(str, shape)) or "nothing"
        raise SourceError(f"{label} holds no plane (y, x): its header says {size}")
    if dtype is None or dtype not in KNOWN:
        known = ", ".join(map(str, KNOWN))
        raise SourceError(
            f"{label} holds {dtype or 'unknown'} voxels; hoaconv takes {known}: convert the slices "
            "first"
        )
    return (shape[0], shape[1]), dtype


def check_alike(slices: Sequence[StoredSlice]) -> None:
    """Check that every slice has the shape, dtype and number of channels of the first.

    Raises
    ------
    SourceError
        If one differs; the message names the first slice that differs.
    """
    first = slices[0]
    kind = (first.shape, first.dtype, first.channels)
    odd = [s for s in slices if (s.shape, s.dtype, s.channels) != kind]
    if odd:
        raise SourceError(
            f"{odd[0].label} is {odd[0]}, but the first slice, {first.label}, is {first} "
            f"({len(odd)} of {len(slices)} slices differ from the first); all slices of a stack "
            "must agree: move the odd ones away, or name the good ones with a pattern"
        )
