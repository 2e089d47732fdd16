"""Addresses of volumes: where one lies and how it is read, as a value that compares and pickles.

A source that was opened by its address compares by it, and pickles as it: another process opens
the address again, and reads the headers that are there.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from pickle import PicklingError
from typing import Any, Self

from hoaconv.engine.contract import Source
from hoaconv.engine.spec import Spec
from hoaconv.errors import SourceError
from hoaconv.io.kvstore import plain_path
from hoaconv.io.url import REMOTE, is_remote

__all__ = ["Address", "Addressed"]


@dataclass(frozen=True)
class Address:
    """Location of a volume, and the options with which it is read.

    Attributes
    ----------
    path
        Absolute; a folder, a file, a glob pattern, an array in a store, or the URL of a store.
    given
        The same as the user has written it, without scheme and dataset.
    scheme
        The format, such as ``n5`` in ``n5://PATH``; empty where suffix or content tells it.
    inside
        The dataset in a file, such as ``/entry/data`` in ``scan.h5::/entry/data``.
    planes
        Start, stop and step of the slices that are taken; None for all.
    level, source_axes, channel, time, series, rgb, shape, dtype, credentials
        As of `hoaconv.io.source.open_volume`.
    allow_gaps, allow_names, missing, reduce, gpu
        As of `hoaconv.io.source.open_volume`.
    """

    path: str
    given: str = field(compare=False)
    scheme: str = field(default="", compare=False)
    inside: str = ""
    planes: tuple[int | None, int | None, int | None] | None = None
    level: int | None = None
    source_axes: str | None = None
    channel: int | None = None
    time: int | None = None
    series: int | None = None
    rgb: str | None = None
    allow_gaps: bool = False
    allow_names: bool = False
    missing: str = "fill"
    reduce: int = 1
    gpu: bool = False
    shape: tuple[int, int, int] | None = None
    dtype: str | None = None
    credentials: str | None = None

    @classmethod
    def of(cls, src: "str | os.PathLike[str]", **options: Any) -> "Address":
        """Return the address of what a user writes.

        Examples
        --------
        >>> one = Address.of("n5:///data/brain.n5/s0")
        >>> one.scheme, one.path
        ('n5', '/data/brain.n5/s0')
        >>> Address.of("gs://bucket/brain.zarr").path, Address.of("a.h5::/entry/data").inside
        ('gs://bucket/brain.zarr', '/entry/data')
        """
        text, scheme = os.fspath(src), ""
        word, mark, rest = text.partition("://")
        if mark and word.isidentifier() and word.lower() not in REMOTE:
            scheme, text = word.lower(), rest
        is_whole = os.path.lexists(text)  # a name may hold two colons
        path, _, inside = (text, "", "") if is_whole else text.partition("::")
        where = _without_end(path) if is_remote(path) else plain_path(Path(path))
        return cls(where, path, scheme, inside, **options)

    @property
    def place(self) -> str:
        """The path as the user has written it, with what lies inside as a part of it."""
        return "/".join([self.given, *([self.inside.strip("/")] if self.inside else [])])

    def beside(self, path: str, scheme: str) -> "Address":
        """Return the address of another array of the same store, read with the same options."""
        return replace(
            self, path=path, given=path, scheme=scheme, inside="", planes=None, level=None
        )


def _without_end(url: str) -> str:
    """Return a URL without slashes at its end, unless nothing else is left."""
    short = url.rstrip("/")
    return short if is_remote(short) else url


class Addressed(Source):
    """A source with an address: it compares and pickles by that, the planes taken, the geometry.

    Without an address it is equal to itself alone, and doesn't pickle.
    """

    address: Address | None = None
    opens: Callable[[Address], Any] | None = None
    """Opens the address again; set with it."""
    taken: tuple[int, ...] | None = None
    """Planes that are taken of those that the address opens; None for all."""
    box: tuple[int, int, int, int] | None = None
    """First and last row and column of a window, each last one not included; None for all."""
    order: tuple[int, int, int] | None = None
    """Order in which the axes that the address opens are taken; None as they are."""

    def addressed(self, address: Address, opens: Callable[[Address], Any]) -> Self:
        """Return the same source, known by its address."""
        known = self.__copy__()
        known.address, known.opens = address, opens
        known.taken = known.box = known.order = None
        return known

    def _take(self, planes: Sequence[int]) -> None:
        """Note that only these planes are taken, of those that are taken already."""
        before = self.taken
        self.taken = tuple(planes) if before is None else tuple(before[z] for z in planes)

    def __copy__(self) -> Self:
        same = object.__new__(type(self))
        same.__dict__.update(self.__dict__)
        return same

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Addressed) or self.address is None or other.address is None:
            return False
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return id(self) if self.address is None else hash(self.address)

    def _identity(self) -> tuple[Any, ...]:
        return self.address, self.order, self.taken, self.box, self.spec

    def __reduce__(self) -> tuple[Any, ...]:
        if self.address is None or self.opens is None:
            raise PicklingError(f"{self} has no address: open it by hoaconv.open(path)")
        return _opened_again, (self.opens, *self._identity())


def _opened_again(
    opens: Callable[[Address], Any],
    address: Address,
    order: tuple[int, int, int] | None,
    taken: tuple[int, ...] | None,
    box: tuple[int, int, int, int] | None,
    spec: Spec,
) -> Any:
    source = opens(address)
    source = source if order is None else source.transposed(order)
    source = source if taken is None else source.choose(taken)
    if box is not None:
        source = source.window(slice(*box[:2]), slice(*box[2:]))
    source = source.at(spec.geometry)
    if source.spec != spec:
        raise SourceError(
            f"{address.path} has changed: it was {spec}, and is {source.spec}; open it anew"
        )
    return source
