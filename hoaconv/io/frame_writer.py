"""Writer of one frame of an array of any number of axes: see `hoaconv.io.frames`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.spec import Slab
from hoaconv.io.array_layout import Layout
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.frames import Box, Frame
from hoaconv.io.zarr import ArrayWriter, Row

__all__ = ["FrameSpec", "FrameWriter"]

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class FrameSpec(ArraySpec):
    """A frame as the array (z, rows, x) that the layers of a sweep are planned for.

    Where a frame has several indices of the axes before z, a unit is as high as a plane: then whole
    planes wait until a layer of them is complete.
    """

    layout: Layout = field(kw_only=True)
    frame: Frame = field(kw_only=True)

    @classmethod
    def of(cls, layout: Layout, frame: Frame) -> "FrameSpec":
        """Return the specification of a frame of an array of this form."""
        shape, alone = frame.shape, frame.indices == 1
        chunks = _triple(layout.chunks) if alone else _high(_triple(layout.unit), shape)
        shards = _triple(layout.shards) if alone and layout.shards else None
        bits = np.dtype(f"u{layout.dtype.itemsize}")
        compressor = layout.packing.compressor
        return cls(
            shape, bits, chunks, shards, compressor, layout.zarr_format, layout=layout, frame=frame
        )

    @property
    def indices(self) -> int:
        """Number of indices of the axes before z."""
        return self.frame.indices if self.frame else 1

    def write_bytes(self, workers: int, *, lean: bool) -> int:
        """Return the bytes held while a layer is being written, besides the layer.

        Parts of several indices are gathered before they are written.
        """
        gathered = self.in_flight(workers, lean=lean) * prod(self.unit) * self.dtype.itemsize
        more = gathered if self.indices > 1 else 0
        return super().write_bytes(workers, lean=lean) + more

    def metadata(self) -> dict[str, Any]:
        """Return the content of the ``zarr.json`` or ``.zarray`` of the whole array."""
        return next(self.files()[name] for name in ("zarr.json", ".zarray") if name in self.files())

    def files(self) -> dict[str, Any]:
        """Return the content of all metadata files of the whole array, by their names."""
        return self.layout.files()

    metadata_files = files


def _triple(sides: tuple[int, ...]) -> Triple:
    """Return the sides along z, y and x; 1 along y where an array has one or two axes."""
    *_, z, y, x = (1, 1, *sides)
    return (z, y, x) if len(sides) > 2 else (y, 1, x)


def _high(unit: Triple, shape: Triple) -> Triple:
    return unit[0], shape[1], unit[2]


class FrameWriter(ArrayWriter):
    """A writer of the layers of a frame; each carries the voxels' bits as unsigned integers."""

    def __init__(self, path: Path, spec: FrameSpec, workers: int, **more: Any) -> None:
        super().__init__(path, spec, workers, **more)
        # tensorstore 0.1.86 stores nothing of a whole shard that is longer than 1 along four axes
        # or more if it may refer to the voxels: see tests/io/test_frame_writer.py.
        self.refers = spec.indices == 1
        self._layout, self._frame = spec.layout, spec.frame
        self._unit = _triple(spec.layout.unit)

    def _parts(self, z: int, layer: Slab, y: int, x: int) -> Iterator[tuple[Any, Any]]:
        frame, dtype = self._frame, self._layout.dtype
        if frame.indices == 1:
            one = tuple(slice(0, 1) for _ in frame.lead)
            for (_, rows, columns), part in super()._parts(z, layer, y, x):
                box = frame.box(slice(z, z + len(layer)), rows, columns, one)
                voxels = frame.stored(part)
                yield box, voxels.view(dtype).reshape((*(1,) * len(one), *voxels.shape))
            return
        for lead, rows, columns in self._units(x, layer.shape[2]):
            box = frame.box(slice(z, z + len(layer)), rows, columns, lead)
            inner = slice(columns.start - x, columns.stop - x)
            yield box, frame.gathered(layer[:, :, inner], lead, rows).view(dtype)

    def _units(self, x: int, width: int) -> Iterator[tuple[Box, slice, slice]]:
        """Yield the indices, rows of y and columns of each unit; the frame has several indices."""
        frame, (_, dy, dx) = self._frame, self._unit
        sides = zip(frame.lead, self._layout.unit, strict=False)
        leads = [[slice(i, min(i + u, n)) for i in range(0, n, u)] for n, u in sides]
        rows = [slice(i, min(i + dy, frame.rows)) for i in range(0, frame.rows, dy)]
        columns = [slice(i, min(i + dx, x + width)) for i in range(x, x + width, dx)]
        for *lead, y, across in product(*leads, rows, columns):
            yield tuple(lead), y, across

    def _rows(self, z: int, layer: Slab, y: int, x: int) -> Iterator[Row]:
        frame, (dz, dy, dx) = self._frame, self._unit
        first = (frame.starts[-1] + x) // dx
        if frame.indices > 1:
            for lead, rows, columns in self._units(x, layer.shape[2]):
                inner = slice(columns.start - x, columns.stop - x)
                unit = frame.gathered(layer[:, :, inner], lead, rows)
                numbers = [*self._numbers(lead), z // dz, rows.start // dy]
                yield Row(self._folder(numbers), first + (columns.start - x) // dx, [unit])
            return
        before = self._numbers(tuple(slice(0, 1) for _ in frame.lead))
        for start in range(0, layer.shape[1], dy):
            row = layer[:, start : start + dy]
            swept = [z // dz, (y + start) // dy]
            numbers = [
                *before,
                *(swept if len(frame.lengths) > 2 else swept[: len(frame.lengths) - 1]),
            ]
            units = [row[:, :, i : i + dx] for i in range(0, row.shape[2], dx)]
            yield Row(self._folder(numbers), first, units)

    def _numbers(self, lead: Box) -> list[int]:
        """Return the numbers of a unit along the axes before z."""
        sides = zip(lead, self._frame.starts, self._layout.unit, strict=False)
        return [(side.start + first) // u for side, first, u in sides]

    def _is_fill(self, unit: np.ndarray[Any, Any]) -> bool:
        fill = self._layout.bits
        return fill is not None and bool((unit == fill).all())
