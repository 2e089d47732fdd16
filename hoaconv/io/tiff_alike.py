"""Headers of many similar TIFF files: one of each kind is parsed, the others are compared."""

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

_KINDS = 64  # headers that are kept for comparison, at most
_BUFFER = 1024

Header = tuple[TiffSlice, tuple[str, ...], tuple[Geometry | None, ...]]


class AlikeTiffs:
    """A reader of headers of single-page files, for several threads; it keeps some to compare."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, Any] = {}
        self._known: dict[Any, tuple[TiffSlice, tifffile.TiffPage]] = {}

    def read(self, file: Path) -> Header:
        """Return the header of a file; notes and voxel sizes are empty if it was only compared.

        Raises
        ------
        SourceError
            If `hoaconv.io.tiff.read_header` raises it.
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
        """Return the slice if the file's header is like a known one; else None."""
        with opened(file) as stream:
            size, seen = seen_now(stream)
            handle = BufferedReader(stream, _BUFFER)
            try:
                first = handle.read(4)
                if first not in self._layouts:
                    return None
                # These are the parts of a TiffFile that `walk` and `read_directory` use.
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
