"""Headers of many TIFF files that are alike: one of each kind is parsed, others are compared."""

from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import tifffile

from hoaconv.engine.geometry import Geometry
from hoaconv.io.opened import opened, seen_now
from hoaconv.io.slices import blame
from hoaconv.io.tiff import TiffSlice, like_slice, read_header
from hoaconv.io.tiff_chain import read_directory, walk

__all__ = ["AlikeTiffs"]

_KINDS = 64  # headers that are kept to compare others with
_BUFFER = 1024

Header = tuple[TiffSlice, tuple[str, ...], tuple[Geometry | None, ...]]


class AlikeTiffs:
    """Reads headers of single-page files, from several threads; keeps some to compare with."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, Any] = {}
        self._known: dict[Any, tuple[TiffSlice, tifffile.TiffPage]] = {}

    def read(self, file: Path) -> Header:
        """As `hoaconv.io.tiff.read_header`; only a header that is parsed tells voxel sizes.

        Raises
        ------
        SourceError
            As `hoaconv.io.tiff.read_header` does.
        """
        with blame(str(file)):
            like = self._like(file)
        if like:
            return like, (), ()
        return read_header(file, self._keep)

    def _keep(self, tif: tifffile.TiffFile, made: TiffSlice) -> None:
        tif.filehandle.seek(0)
        first = tif.filehandle.read(4)
        self._layouts[first] = tif.tiff
        if len(self._known) < _KINDS:
            directory = read_directory(tif, made.directory)
            self._known[first, directory.structure, directory.words] = made, tif.pages.first

    def _like(self, file: Path) -> TiffSlice | None:
        """The slice, if the file's header is like one that is known."""
        with opened(file) as stream:
            size, seen = seen_now(stream)
            handle = BufferedReader(stream, _BUFFER)
            try:
                first = handle.read(4)
                if first not in self._layouts:
                    return None
                # As much of a TiffFile as is needed to walk its directories.
                place = SimpleNamespace(seek=handle.seek, read=handle.read, size=size)
                plain = SimpleNamespace(tiff=self._layouts[first], filehandle=place)
                tif = cast(tifffile.TiffFile, plain)
                offsets = walk(file, tif)
                directory = read_directory(tif, offsets[0])
                like = self._known.get((first, directory.structure, directory.words))
                if len(offsets) != 1 or not like:
                    return None
                named = replace(like[0], file=file, seen=seen)
                return like_slice(named, like[1], directory, offsets[0], size)
            finally:
                handle.detach()
