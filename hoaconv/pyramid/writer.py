"""The writer of an OME-Zarr image: planes go to layers, layers to chunks; metadata come last."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Writer
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError
from hoaconv.io.addition import Addition
from hoaconv.io.claims import claim_on
from hoaconv.io.open_output import OpenOutput
from hoaconv.io.packed import PackedFile, PackedMemory
from hoaconv.io.scratch import ScratchFolder
from hoaconv.io.zarr import ArrayWriter
from hoaconv.pyramid.cascade import Cascade
from hoaconv.pyramid.image import DISTINCT, HISTOGRAM, ImageSink
from hoaconv.pyramid.metadata import write_group
from hoaconv.pyramid.root import LevelWritten, root_of, write_label_list
from hoaconv.pyramid.waiting import Room, Waiting

__all__ = ["OmeZarrWriter"]


class OmeZarrWriter(Writer):
    """An OME-Zarr image being written."""

    def __init__(
        self, sink: ImageSink, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        self._sink, self._spec, self._pool, self._buffers = sink, spec, pool, buffers
        self._levels, self._layers = sink.levels(spec), sink.layers(spec, economy)
        out = sink.store or OpenOutput(sink.path, overwrite=sink.overwrite)
        if sink.added:
            out.claims = partial(Addition, sink.added.store, sink.added.moves)
        # A label lies in what its image claims, a level beside in what the sink of the rest claims.
        self._out, self._owns = out, not (sink.is_part or sink.beside)
        self._arrays = [
            ArrayWriter(
                path := sink.folder / sink.name_of(i),
                array,
                pool.workers,
                lean=economy.tight,
                guard=self._check,
                index=sink.leading.index,
                counts=out.counts(path),
            )
            for i, array in enumerate(self._layers.arrays)
        ]
        self._waits_as = f"label-{sink.path.name}-" if sink.is_label else f"from-{sink.first}-"
        self._scratch = ScratchFolder.of(sink.home, sink.scratch).open()
        self._room = Room(buffers.take((self._layers.room,), spec.dtype))
        self._top = self._cascade()
        if self._owns:
            out.made = self._made()
            out.claim()

    def _check(self) -> None:
        """Raise StoreError if the folder isn't this run's; remove what was there before."""
        if self._owns:
            self._out.check()
        elif claim := claim_on(self._sink.home):
            claim.check()
            claim.begin()

    def _cascade(self, i: int = 0) -> Cascade:
        """Return the cascade of level `i` and all below."""
        array, layers, given = self._arrays[i], self._layers, (self._pool, self._buffers)
        last = i + 1 == len(self._levels)
        below = None if last else (self._levels[i + 1], self._cascade(i + 1))
        waiting = None
        if layers.waits(i):
            waiting = Waiting(array, self._store(i), partial(layers.lasts, i), self._pool)
        method, late = self._sink.image.method, layers.late and not i
        return Cascade(array, layers.planes(i), *given, method, below, waiting, late=late)

    def _store(self, i: int) -> PackedFile | PackedMemory | Room:
        """Return the place where the layer of level `i` waits."""
        file = self._scratch.file(f"{self._waits_as}level-{i}")
        nbytes = self._layers.waiting_bytes(i)
        if i < self._layers.spilled:
            return file
        if self._layers.packed:
            return PackedMemory(nbytes, file, self._buffers)
        dtype = self._spec.dtype
        return Room(self._buffers.take((nbytes // dtype.itemsize,), dtype))

    def lend(self, z: int) -> Plane | None:
        """Return its slot in the layer, if that is free."""
        return self._top.lend(z)

    @property
    def filled(self) -> bool:
        """True if the next plane lies in its slot."""
        return self._top.filled

    def take(self, plane: Plane, rows: slice) -> None:
        """Take a band of the next plane (y, x); it is copied."""
        self._top.take(plane, rows)

    def advance(self) -> None:
        """Go on to the next plane: this one is taken, or was lent its slot."""
        if self._top.filled:
            self._top.fill(self._room)
        else:
            self._top.advance(self._room)
        if self._top.planes == self._spec.planes:
            self._room = Room(np.empty(0, self._spec.dtype))

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Write the metadata, the image's own last. Return a row a level, files and bytes."""
        if self._top.planes != self._spec.planes:
            raise PlanError(f"{self._top.planes} planes came of {self._spec.planes}")
        self._check()
        self._scratch.remove()
        sink = self._sink
        if sink.leading.is_last:
            for array in self._arrays:
                array.write_metadata()
        made = list(map(LevelWritten.of, count(sink.first), self._levels, self._arrays))
        files = nbytes = 0
        if sink.beside:
            sink.others.extend(made)
        else:
            made = [*sink.others, *made]
            sink.others.clear()  # those of the next time or channel come
            kept = self._out.kept.setdefault(sink.path, {})
            kept[sink.leading.index] = folds.get(HISTOGRAM, {})
            if sink.leading.is_last:
                files, nbytes = self._write_groups(made, kept, folds.get(DISTINCT, {}))
        return {
            "path": str(sink.path),
            "levels": [level.row for level in made],
            "files": files + sum(level.files for level in made),
            "bytes": nbytes + sum(level.bytes for level in made),
        }

    def release(self) -> None:
        """Put the store on disk and take its mark away. If that fails, all of it stays as it is."""
        if self._owns and self._sink.leading.is_last:
            self._out.finish()

    def abort(self) -> bool:
        """Remove what was written, and what waits; return whether anything was."""
        try:
            self._scratch.remove()
        finally:
            removed = self._owns and self._out.abandon()
        return removed

    def _made(self) -> list[str]:
        """Return what the run puts into the folder; a file that others put there isn't in it."""
        levels = map(str, range(self._sink.first + len(self._levels)))
        return [*levels, *(["labels"] if self._sink.labels else [])]

    def _write_groups(
        self,
        made: Sequence[LevelWritten],
        histograms: Mapping[tuple[int, ...], Any],
        distinct: Mapping[str, Any],
    ) -> tuple[int, int]:
        """Write the metadata of the groups, the image's own last; return files and bytes."""
        sink = self._sink
        listed = write_label_list(sink.path, sink.ngff, sink.labels)
        whole, stored = sink.whole or self._spec, [level.stored for level in made]
        values = root_of(sink, whole, stored, histograms, distinct)
        own = write_group(sink.folder, sink.ngff, values)
        return listed[0] + own[0], listed[1] + own[1]
