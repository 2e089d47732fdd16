"""The sink that writes planes as the pages of one TIFF file: plain, or OME-TIFF."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold, Use
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import WIDE, Plane, Spec
from hoaconv.errors import PlanError, StoreError
from hoaconv.io.encoded import EncodingSink, EncodingWriter, not_written
from hoaconv.io.file_claim import FileClaim, hidden_folder
from hoaconv.io.scratch import ScratchFolder
from hoaconv.io.tiff_encoder import TiffEncoder
from hoaconv.io.voxel_size import in_micrometer

__all__ = ["PagesSink"]

_PAGE_BYTES = 1024
"""Bytes of a page's tags, at most, besides the places of strips and tiles."""

_CLASSIC = (1 << 32) - (1 << 25)
"""The most bytes of a file that isn't BigTIFF, less some for its tags."""


@dataclass(frozen=True)
class PagesSink(EncodingSink):
    """One TIFF file at `path`, a page a plane; with `ome`, its OME-XML names `name`."""

    path: Path
    encoder: TiffEncoder
    overwrite: bool = False
    ome: bool = False
    name: str = ""

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is. Raises PlanError if OME-XML has no such dtype."""
        if self.ome and spec.dtype in WIDE:
            raise PlanError(
                f"OME-TIFF holds no {spec.dtype}: end the ops with a cast, or name the file .tif"
            )
        return super().infer(spec)

    def uses(self, spec: Spec, workers: int, economy: Economy) -> tuple[Use, ...]:
        """Count what is encoded, too, and waits until it is its turn in the file."""
        pages = self.at_once(spec, economy) if self.encoder.compression != "none" else 0
        waiting = pages * self.encoder.most_bytes(spec)
        return (
            *super().uses(spec, workers, economy),
            Use(str(self), f"{pages} encoded planes", waiting),
        )

    def files(self, spec: Spec) -> int:  # noqa: ARG002 - the contract
        """Return 1."""
        return 1

    def raw_bytes(self, spec: Spec) -> int:
        """Return the bytes of all planes, of tags, and of the places of strips and tiles."""
        places = 16 * self.encoder.segment_count(spec)
        return spec.planes * (self.encoder.most_bytes(spec) + places + _PAGE_BYTES)

    @property
    def scratch_place(self) -> Path:
        """The hidden folder in which the file is written."""
        return hidden_folder(self.path)

    def scratch_for_job(self, under: Path | None) -> ScratchFolder:
        """Return the place of what the job lets wait: in the hidden folder, else under another."""
        return ScratchFolder.of(self.path if under else hidden_folder(self.path), under)

    def description(self, spec: Spec) -> str | None:
        """Return the OME-XML of the first page; None for the encoder's own text."""
        if not self.ome:
            return None
        xml = tifffile.OmeXml()
        edges, sizes = in_micrometer(spec.geometry), dict[str, Any]()
        for axis, edge in zip("ZYX", edges or (), strict=False):
            sizes |= {f"PhysicalSize{axis}": edge, f"PhysicalSize{axis}Unit": "µm"}
        pages = (spec.planes, 1, 1, *spec.plane_shape, 1)
        xml.addimage(spec.dtype, spec.shape, pages, axes="ZYX", Name=self.name, **sizes)
        return xml.tostring()

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "PagesWriter":
        """Claim the file. Raises StoreError where that isn't possible."""
        return PagesWriter(self, spec, pool, buffers, economy)

    def __str__(self) -> str:
        return self.path.name


class PagesWriter(EncodingWriter):
    """A `PagesSink` being written: pages are encoded in any order, and written in theirs."""

    def __init__(
        self, sink: PagesSink, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        super().__init__(sink, spec, pool, buffers, economy)
        self._sink = sink
        self._claim = FileClaim(sink.path, overwrite=sink.overwrite)
        self._file: tifffile.TiffWriter | None = None

    def encode(self, z: int, plane: Plane) -> Plane | list[bytes]:  # noqa: ARG002 - the contract
        """Return the strips or tiles of a plane, or the plane if it isn't compressed."""
        segments = self._sink.encoder.segments(plane)
        return plane if segments is None else list(segments)

    def store(self, z: int, encoded: Plane | list[bytes]) -> None:
        """Write the next page."""
        self._claim.check()
        try:
            self._sink.encoder.write_page(
                self._opened(),
                iter(encoded) if isinstance(encoded, list) else encoded,
                self._spec,
                first=z == 0,
                description=self._sink.description(self._spec) if z == 0 else None,
            )
        except (OSError, ValueError) as error:  # which a classic TIFF raises that gets too large
            raise not_written(self._sink.path, error) from error

    def _opened(self) -> tifffile.TiffWriter:
        if self._file is None:
            large = self._sink.raw_bytes(self._spec) > _CLASSIC
            self._file = tifffile.TiffWriter(self._claim.part, bigtiff=large, shaped=False)
        return self._file

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Write the last pages; return path, files and bytes."""
        self.finish()
        self._claim.check()
        try:
            self._let_go()
            nbytes = self._claim.part.stat().st_size
        except OSError as error:
            raise not_written(self._sink.path, error) from error
        return {"path": str(self._sink.path), "files": 1, "bytes": nbytes}

    def release(self) -> None:
        """Put the file on disk, and in its place."""
        self._claim.finish()

    def abort(self) -> bool:
        """Remove what was written; return whether anything was."""
        try:
            self._let_go()
            return self._claim.abandon()
        except OSError as error:
            raise StoreError(f"{self._sink.path}: what was written stays: {error}") from error

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
