"""Arrays as formats store them, of any number of axes, and the volume that is taken of one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import KNOWN
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.stored_objects import Objects
from hoaconv.io.voxel_size import Axes

__all__ = ["StoredArray", "View", "read_dtype", "refused_dtype", "view_of"]

LETTERS = "tczyx"
_WORDS = {"time": "t", "channel": "c"}
_READ_AS = {"bool": "uint8", "float16": "float32"}
"""Dtypes that hoaconv doesn't take, and one that holds their values."""


class StoredArray(ABC):
    """An open array of a file or store: its header is read, its voxels are read box by box.

    A format has one subclass. `hoaconv.io.array_volume.ArrayVolume` makes a volume of it.

    Attributes
    ----------
    scheme
        The format's word before ``://``.
    path
        The file, or the folder of the array; messages name it.
    name
        What the user calls it, as in ``brain.zarr/0``.
    axes
        Name of each axis in stored order; None for an axis without a name.
    image_name
        Name of the image by its own metadata, or None.
    labels
        Names of the image's label images.
    levels
        Paths of the arrays of all levels of the image, level 0 first; empty if there is no image.
    channels
        What viewers are told of each channel: ``label``, ``color``, ``window``, as in ``omero``.
    image_label
        What a label image tells of its labels: ``colors``, ``properties``; empty for others.
    notes
        Remarks for the user.
    at_once
        Chunks that are worth reading in one call, even if they are large.
    """

    scheme: str
    path: Path
    name: str
    axes: tuple[str | None, ...]
    image_name: str | None = None
    labels: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    at_once: int = 1

    @property
    def location(self) -> str:
        """The path or URL that opens it again, as in `levels`; paths are absolute."""
        return str(self.path)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Length of each axis in stored order."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the stored voxels."""

    @property
    @abstractmethod
    def chunks(self) -> tuple[int, ...]:
        """Shape of what is decoded at once, in stored order; 1 where lines are read singly."""

    @property
    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The file, or the folder of chunks, so that no output is written there."""

    @property
    @abstractmethod
    def stored_bytes(self) -> int:
        """Bytes of the whole array on disk."""

    @abstractmethod
    def reading_bytes(self, chunks: int) -> int:
        """Return the bytes held while so many chunks are read in one call, besides the result."""

    @abstractmethod
    def read(self, box: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        """Return the voxels of a box, axes in stored order; called from several threads.

        Parameters
        ----------
        box
            A slice for each axis, with start and stop, and without a step.

        Raises
        ------
        SourceError
            If they can't be read whole; the message names the file or the array.
        """

    @property
    def channels(self) -> tuple[Mapping[str, Any], ...]:
        """``label``, ``color``, ``window`` of each channel, as far as the metadata tell."""
        return ()

    def step(self, axis: int) -> tuple[float, str]:  # noqa: ARG002 - the contract
        """Return step and unit of an axis of time or channels, as far as the metadata tell."""
        return 1.0, ""

    @property
    def image_label(self) -> Mapping[str, Any]:
        """Colors and properties of labels, as the metadata of a label image tell them."""
        return {}

    def geometry(self, axes: Axes) -> Geometry | None:  # noqa: ARG002 - the contract
        """Return the size and place of the voxels (z, y, x) if the metadata tell; else None."""
        return None

    def refuse_missing(self) -> None:  # noqa: B027 - as a rule there is nothing to do
        """Make a missing chunk an error when it is read. In most formats none can be missing."""

    @property
    def fills_missing(self) -> bool:
        """True if missing chunks are read as the fill value."""
        return True

    def objects(self, seconds: float) -> Objects | None:  # noqa: ARG002 - the contract
        """Count the files of the array, or estimate within so many seconds; None if unknown."""
        return None

    def objects_of(self, box: tuple[slice, ...], seconds: float) -> Objects | None:  # noqa: ARG002
        """Count the files that hold the voxels of a box, as `objects` does."""
        return None

    def facts(self) -> Mapping[str, Any]:
        """Return what else the metadata tell; all of it may be missing.

        The names are ``format`` (words), ``codecs`` (a list of words), ``shards`` (a shape or
        None), ``fill_value``, ``ngff``, ``window``, ``orientation`` (by axis), ``recorded`` (files
        and empty ones of the array, as hoaconv has recorded them).
        """
        return {}

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class View:
    """The volume (z, y, x) in an array of any axes.

    Attributes
    ----------
    axes
        The stored axes that are z, y and x.
    fixed
        The index at which each other axis is cut, by the axis.
    loops
        The axes t and c, in this order, whose volumes are all wanted: letter, axis and length.
    """

    axes: Axes
    fixed: tuple[tuple[int, int], ...] = ()
    loops: tuple[tuple[str, int, int], ...] = ()

    def at(self, index: Mapping[str, int]) -> "View":
        """Return the view of another of the volumes, at a time ``t`` and a channel ``c``."""
        there = {axis: index[letter] for letter, axis, _ in self.loops}
        return replace(self, fixed=tuple((axis, there.get(axis, i)) for axis, i in self.fixed))

    def of(self, stored: Sequence[int]) -> tuple[int, int, int]:
        """Return the numbers of z, y and x out of those of all stored axes; 1 if there is no z."""
        z, y, x = self.axes
        return (1 if z is None else stored[z], stored[y], stored[x])

    def box(self, z: slice, y: slice, x: slice) -> tuple[slice, ...]:
        """Return the box of the array, axes in stored order, that holds these voxels."""
        taken = {axis: slice(i, i + 1) for axis, i in self.fixed}
        taken |= dict(zip(self.axes, (z, y, x), strict=True))  # type: ignore[arg-type]
        return tuple(taken[axis] for axis in sorted(axis for axis in taken if axis is not None))

    def planes(self, part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a view (z, y, x) of a box that was read."""
        z, y, x = self.axes
        first = () if z is None else (z,)
        others = tuple(axis for axis, _ in self.fixed)
        whole = part.transpose((*others, *first, y, x))
        seen: np.ndarray[Any, Any] = whole[(0,) * len(others)]
        return seen[np.newaxis] if z is None else seen


def view_of(
    array: StoredArray,
    source_axes: str | None = None,
    channel: int | None = None,
    time: int | None = None,
    *,
    several: bool = False,
) -> View:
    """Return the volume that is taken of an array.

    Parameters
    ----------
    source_axes
        A letter out of t, c, z, y, x for each stored axis, such as ``"xyz"``, in place of the names
        of the array's axes.
    channel, time
        Index of the channel and of the time to take; needed where there are several.
    several
        Whether all channels and times are wanted that `channel` and `time` don't choose: the view
        is then that of the first, and names these axes in `View.loops`.

    Raises
    ------
    SpellingError
        If `source_axes` isn't understood, or there is no such channel or time.
    SourceError
        If the array isn't one volume, or isn't clear about its axes.
    """
    shape = array.shape
    if min(shape, default=0) < 1:
        raise SourceError(f"{array.path} holds no voxel: its axes are {_told(array)}")
    if 0 in array.chunks:  # which libraries let pass
        raise SourceError(f"{array.path} is damaged: its chunks hold no voxel")
    letters = _given(array, source_axes) if source_axes else _letters(array)
    axes = _axes_of(array, letters)
    wanted = {"c": channel, "t": time}
    fixed, loops = [], []
    for axis, n in enumerate(shape):
        if axis not in axes:
            letter = letters[axis] or ""
            index = wanted.pop(letter, None)
            if several and index is None and letter in _NAMES:
                loops.append((letter, axis, n))
                index = 0
            fixed.append((axis, _taken(array, letter, n, index)))
    for letter, index in wanted.items():
        if index:  # the only one has the index 0
            raise SpellingError(f"{array} has no {_NAMES[letter]} {index}: {_told(array)}")
    return View(axes, tuple(fixed), tuple(sorted(loops, reverse=True)))


_NAMES = {"c": "channel", "t": "time"}


def _taken(array: StoredArray, letter: str, n: int, index: int | None) -> int:
    """Return the index at which an axis that isn't z, y or x is cut."""
    if index is None and n == 1:
        return 0
    if letter not in _NAMES:
        raise SourceError(
            f"{array.path} has the axes {_told(array)}; hoaconv takes z, y, x, channels (c) and "
            'times (t): say which is which, as in `source_axes="czyx"`'
        )
    name = _NAMES[letter]
    if index is None:
        raise SourceError(
            f"{array.path} has the axes {_told(array)}: {n} {name}s; take one, as in `{name}=0`"
        )
    if not 0 <= index < n:
        raise SpellingError(f"{array} has no {name} {index}: it has {n}, 0 to {n - 1}")
    return index


def _given(array: StoredArray, text: str) -> list[str | None]:
    letters = list(text.replace(",", "").lower())
    if set(letters) - set(LETTERS) or len(set(letters)) < len(letters):
        raise SpellingError(
            f"source_axes {text!r} isn't understood: write each of z, y, x, t, c once at most, in "
            "the order in which they are stored, such as 'xyz'"
        )
    if len(letters) != len(array.shape):
        raise SpellingError(
            f"source_axes {text!r} names {len(letters)} axes, and {array} has {len(array.shape)}: "
            f"{_told(array)}"
        )
    if not {"y", "x"} <= set(letters):
        raise SpellingError(f"source_axes {text!r} lacks y or x")
    return [*letters]


def _letters(array: StoredArray) -> list[str | None]:
    """Return the letter of each axis by its name; None for names that tell nothing."""
    if len(array.axes) != len(array.shape):
        return [None] * len(array.shape)
    words = [(name or "").lower() for name in array.axes]
    words = [_WORDS.get(word, word) for word in words]
    return [word if word and word in LETTERS else None for word in words]


def _axes_of(array: StoredArray, letters: list[str | None]) -> Axes:
    """Return the axes z, y, x; name the other axes that have no name by their place."""
    count = len(letters)
    twice = any(letters.count(letter) > 1 for letter in LETTERS)
    if {"y", "x"} <= set(letters) and not twice and ("z" in letters or None not in letters):
        z = letters.index("z") if "z" in letters else None
        return z, letters.index("y"), letters.index("x")
    if not 2 <= count <= len(LETTERS):
        raise SourceError(
            f"{array.path} has the axes {_told(array)}; hoaconv takes y and x, and before them "
            "only z, c and t"
        )
    expected: list[str | None] = [*LETTERS[-count:]]
    if any(a is not None and a != b for a, b in zip(letters, expected, strict=True)):
        raise SourceError(
            f"{array.path} has the axes {_told(array)}; say which is which, as in "
            f'`source_axes="{LETTERS[-count:]}"`'
        )
    letters[:] = expected
    return (count - 3 if count > 2 else None), count - 2, count - 1


def _told(array: StoredArray) -> str:
    names = array.axes if len(array.axes) == len(array.shape) else (None,) * len(array.shape)
    pairs = zip(names, array.shape, strict=True)
    return ", ".join(f"{name or 'unnamed'} {n}" for name, n in pairs) or "of a single number"


def read_dtype(array: StoredArray) -> np.dtype[Any]:
    """Return the dtype in which hoaconv reads an array's voxels.

    It is that of the stored voxels; booleans become uint8 and float16 becomes float32.

    Raises
    ------
    SourceError
        If hoaconv doesn't take the dtype.
    """
    stored = np.dtype(array.dtype).newbyteorder("=")
    dtype = np.dtype(_READ_AS.get(stored.name, stored))
    if dtype not in KNOWN:
        raise refused_dtype(array.path, stored.name)
    return dtype


def refused_dtype(path: object, name: str) -> SourceError:
    """Return the error of an array whose dtype hoaconv doesn't take."""
    known = ", ".join(map(str, KNOWN))
    return SourceError(f"{path} holds {name} voxels; hoaconv takes {known}: convert it first")
