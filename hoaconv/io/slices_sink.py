"""The sink that writes planes as a folder of slices."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Fold
from hoaconv.engine.pool import Pool
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import StoreError
from hoaconv.io.contents import SCRATCH
from hoaconv.io.encoded import EncodingSink, EncodingWriter, not_written
from hoaconv.io.folder import Claim
from hoaconv.io.plane_encoder import PlaneEncoder
from hoaconv.io.slice_folder import SLICES, SliceNames

__all__ = ["SlicesSink"]


@dataclass(frozen=True)
class SlicesSink(EncodingSink):
    """A folder of slices at `path`, a file each, named by `names`."""

    path: Path
    encoder: PlaneEncoder
    names: SliceNames
    overwrite: bool = False

    def files(self, spec: Spec) -> int:
        """Return the number of slices."""
        return spec.planes

    def open(self, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy) -> "SlicesWriter":
        """Claim the folder. Raises StoreError where that isn't possible."""
        return SlicesWriter(self, spec, pool, buffers, economy)

    def __str__(self) -> str:
        return self.path.name or str(self.path)


class SlicesWriter(EncodingWriter):
    """A `SlicesSink` being written: each slice under another name first, until it is whole."""

    def __init__(
        self, sink: SlicesSink, spec: Spec, pool: Pool, buffers: Buffers, economy: Economy
    ) -> None:
        super().__init__(sink, spec, pool, buffers, economy)
        self._sink, self._bytes = sink, 0
        self._claim = Claim(sink.path, overwrite=sink.overwrite, holds=SLICES)

    def encode(self, z: int, plane: Plane) -> int:
        """Write slice `z`; return its bytes."""
        self._claim.check()
        self._claim.begin()
        names, folder = self._sink.names, self._sink.path
        file, part = folder / names.of(z), folder / names.part_of(z)
        try:
            with part.open("xb") as out:
                self._sink.encoder.encode(plane, self._spec, out)
                written = out.tell()
            os.replace(part, file)
        except StoreError:  # which is also an OSError
            raise
        except (OSError, RuntimeError, ValueError) as error:  # codecs raise the latter
            raise not_written(file, error) from error
        return written

    def store(self, z: int, encoded: int) -> None:  # noqa: ARG002 - the contract
        """Count the bytes."""
        self._bytes += encoded

    def close(self, folds: Mapping[Fold, Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Wait for the last slices; return path, files and bytes."""
        self.finish()
        self._claim.check()
        return {"path": str(self._sink.path), "files": self.planes, "bytes": self._bytes}

    def release(self) -> None:
        """Put the folder on disk and take its mark away. If that fails, all of it stays."""
        self._claim.finish()

    def abort(self) -> bool:
        """Remove what was written; return whether anything was."""
        names = self._sink.names
        made = [name for z in range(self.planes) for name in (names.of(z), names.part_of(z))]
        try:
            return self._claim.abandon([*made, SCRATCH])
        except OSError as error:
            raise StoreError(f"{self._sink.path}: what was written stays: {error}") from error
